// A mask as a gray 8-bit PNG, the file that `lesionseg segment` writes.

const TABLE = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function chunk(name, content) {
  const bytes = new Uint8Array(12 + content.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, content.length);
  bytes.set(new TextEncoder().encode(name), 4);
  bytes.set(content, 8);
  let sum = 0xffffffff;
  for (let k = 4; k < 8 + content.length; k++) sum = TABLE[(sum ^ bytes[k]) & 255] ^ (sum >>> 8);
  view.setUint32(8 + content.length, ~sum >>> 0);
  return bytes;
}

/** Encode bytes (height x width) as a PNG. */
export async function grayPng(bytes, width, height) {
  const header = new Uint8Array(13);
  new DataView(header.buffer).setUint32(0, width);
  new DataView(header.buffer).setUint32(4, height);
  header[8] = 8; // bits; the zeros that follow mean gray, deflate, no interlacing
  const rows = new Uint8Array((width + 1) * height); // each row begins with its filter: none
  for (let y = 0; y < height; y++) {
    rows.set(bytes.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  }
  const packed = new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"));
  const data = new Uint8Array(await new Response(packed).arrayBuffer());
  const signature = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
  const chunks = [chunk("IHDR", header), chunk("IDAT", data), chunk("IEND", new Uint8Array())];
  return new Blob([signature, ...chunks], { type: "image/png" });
}

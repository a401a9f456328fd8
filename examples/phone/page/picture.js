// From a file to pixels, and from a mask to an outline.

const MOST_PIXELS = 100e6;
const ROWS = 256; // read at once, so that a large picture needs no second copy in memory
const LARGEST_SHOWN = 2048;

/** Decode a picture file as it is shown: turned as its EXIF says, colors as they are stored. */
export async function openPicture(file) {
  const address = URL.createObjectURL(file);
  try {
    const image = new Image();
    image.src = address;
    await new Promise((resolve, reject) => {
      image.onload = resolve;
      image.onerror = reject;
    });
    const { naturalWidth: width, naturalHeight: height } = image;
    if (width * height > MOST_PIXELS) {
      throw new RangeError(
        `${file.name} is too large (${width} x ${height} pixels). Choose a picture of at most ` +
          `${MOST_PIXELS / 1e6} million pixels.`,
      );
    }
    return await createImageBitmap(file, { colorSpaceConversion: "none" });
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw new Error(`${file.name} cannot be read as a picture. Choose a JPEG or PNG file.`);
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** Call `take` with the RGBA pixels of a few rows at a time, transparent parts laid on white. */
export async function readRows(bitmap, take) {
  const { width, height } = bitmap;
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = Math.min(ROWS, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  for (let y = 0; y < height; y += ROWS) {
    const rows = Math.min(ROWS, height - y);
    context.fillRect(0, 0, width, rows);
    context.drawImage(bitmap, 0, y, width, rows, 0, 0, width, rows);
    take(context.getImageData(0, 0, width, rows).data);
    await new Promise((resolve) => setTimeout(resolve)); // the page stays responsive
  }
}

/** Draw a picture on a canvas, at a size that every browser can hold. */
export function drawPicture(canvas, bitmap) {
  const scale = Math.min(1, LARGEST_SHOWN / Math.max(bitmap.width, bitmap.height));
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
}

/** Draw the border of a mask (height x width) on a canvas: bright, on a dark line. */
export function drawOutline(canvas, mask, width, height) {
  const border = new Path2D();
  const nearest = (index, from, to) => Math.floor(((index + 0.5) * to) / from);
  const across = { length: canvas.width };
  const columns = Int32Array.from(across, (_, x) => nearest(x, canvas.width, width));
  let above = null;
  for (let y = 0; y < canvas.height; y++) {
    const start = nearest(y, canvas.height, height) * width;
    const row = columns.map((column) => mask[start + column]);
    for (let x = 0; x < canvas.width; x++) {
      if (x && row[x] !== row[x - 1]) border.rect(x, y, 0, 1); // a line down
      if (above && row[x] !== above[x]) border.rect(x, y, 1, 0);
    }
    above = row;
  }
  const context = canvas.getContext("2d");
  const line = Math.max(canvas.width, canvas.height) / 240;
  context.lineJoin = "round";
  for (const [color, lineWidth] of [["black", 2.2 * line], ["#00ffff", line]]) {
    context.strokeStyle = color;
    context.lineWidth = lineWidth;
    context.stroke(border);
  }
}

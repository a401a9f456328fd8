// The exported network in ONNX Runtime's WebAssembly.

async function fetched(name) {
  const response = await fetch(name).catch(() => null);
  if (!response?.ok) throw new Error(`${name} is missing`);
  return response;
}

/** Load the network and run it once, since the first run is slow. */
export async function loadNetwork() {
  const about = await (await fetched("model.json")).json();
  const model = await (await fetched("model.onnx")).arrayBuffer();
  const ort = await import("./ort.wasm.bundle.min.mjs").catch(() => {
    throw new Error("ort.wasm.bundle.min.mjs is missing");
  });
  const code = await fetched("ort-wasm-simd-threaded.wasm");
  ort.env.wasm.wasmBinary = await code.arrayBuffer();
  ort.env.wasm.numThreads = 1; // more need headers that plain static servers do not send
  const session = await ort.InferenceSession.create(model);
  const [height, width] = about.size;

  /** Probabilities (height x width) of red, green and blue planes from 0 to 255. */
  async function run(planes) {
    const floats = about.input === "float";
    const data = floats ? Float32Array.from(planes, (value) => Math.fround(value) / 255) : planes;
    const image = new ort.Tensor(floats ? "float32" : "uint8", data, [1, 3, height, width]);
    const { probability } = await session.run({ image });
    if (!probability.data.every(Number.isFinite)) throw new Error("its output is not finite");
    return probability.data;
  }

  await run(new Uint8Array(3 * height * width));
  return { ...about, height, width, run };
}

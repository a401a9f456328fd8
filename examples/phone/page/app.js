import { startCamera } from "./camera.js";
import { loadNetwork } from "./network.js";
import { drawOutline, drawPicture, openPicture, readRows } from "./picture.js";
import { grayPng } from "./png.js";
import { enlargedMask, Resizer } from "./resize.js";

const find = (id) => document.getElementById(id);
const [canvas, video, status] = ["result", "video", "status"].map(find);
const [cameraButton, fileButton, saveButton] = ["camera", "file", "save"].map(find);
const [cameraInput, fileInput] = ["camera-input", "file-input"].map(find);

let network = null; // a promise, kept once it is fulfilled
let stopCamera = null; // while it is live
let last = null; // the mask that is shown: { name, mask, width, height }

function say(text, kind = "") {
  status.textContent = text;
  status.className = kind;
}

function show(element) {
  for (const one of [canvas, video, find("hint")]) one.hidden = one !== element;
}

async function getNetwork() {
  network ??= loadNetwork();
  try {
    return await network;
  } catch (error) {
    network = null; // the next picture tries again
    throw new Error(
      `The network cannot be loaded: ${error.message}. Build the page again, then reload it.`,
    );
  }
}

/** Work on something with the buttons off; whatever fails is said, and the last result stays. */
async function busy(work) {
  const buttons = [cameraButton, fileButton, saveButton];
  for (const button of buttons) button.disabled = true;
  try {
    await work();
  } catch (error) {
    say(error.message, "error");
  }
  for (const button of buttons) button.disabled = button === saveButton && !last;
}

function segment(name, getBitmap) {
  return busy(async () => {
    say("Working …");
    const ready = await getNetwork();
    const start = performance.now();
    const bitmap = await getBitmap();
    const { width, height } = bitmap;
    const resizer = new Resizer(width, height, ready.width, ready.height);
    await readRows(bitmap, (rows) => resizer.add(rows));
    const fed = resizer.planes();
    const before = performance.now();
    const probability = await ready.run(fed);
    const took = performance.now() - before;
    const mask = enlargedMask(probability, ready, width, height);
    drawPicture(canvas, bitmap);
    drawOutline(canvas, mask, width, height);
    bitmap.close();
    last = { name, mask, width, height };
    show(canvas);
    const total = Math.round(performance.now() - start);
    const text = `${describe(mask)} ${total} ms (network: ${Math.round(took)} ms).`;
    canvas.setAttribute("aria-label", `${name}. ${text}`);
    say(text);
  });
}

function describe(mask) {
  const pixels = mask.reduce((sum, value) => sum + (value && 1), 0);
  if (!pixels) return "No lesion found.";
  return `The outline covers ${((100 * pixels) / mask.length).toFixed(1)} % of the picture.`;
}

function segmentFile(input) {
  const [file] = input.files;
  input.value = ""; // the same file can be chosen again
  if (file) segment(file.name, () => openPicture(file));
}

function endCamera() {
  stopCamera();
  stopCamera = null;
  cameraButton.textContent = "Camera";
  fileButton.textContent = "Picture";
  show(last ? canvas : find("hint"));
}

async function takePicture() {
  const bitmap = await createImageBitmap(video);
  endCamera();
  return bitmap;
}

async function beginCamera() {
  stopCamera = await startCamera(video).catch((error) => {
    throw new Error(`The camera cannot be used (${error.name}). Choose a picture instead.`);
  });
  show(video);
  cameraButton.textContent = "Take picture";
  fileButton.textContent = "Cancel";
  say("Hold the lesion in the middle, in focus.");
}

cameraButton.addEventListener("click", () => {
  const phone = matchMedia("(pointer: coarse)").matches;
  if (stopCamera) segment("camera", takePicture);
  else if (phone || !navigator.mediaDevices) cameraInput.click();
  else busy(beginCamera);
});
fileButton.addEventListener("click", () => {
  if (stopCamera) {
    endCamera();
    say("");
  } else {
    fileInput.click();
  }
});
cameraInput.addEventListener("change", () => segmentFile(cameraInput));
fileInput.addEventListener("change", () => segmentFile(fileInput));
saveButton.addEventListener("click", () =>
  busy(async () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await grayPng(last.mask, last.width, last.height));
    link.download = `${last.name.replace(/\.[^.]*$/, "")}_segmentation.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }),
);

/** Keep all files for later; true if the page then works without a connection. */
async function keepFiles() {
  if (!navigator.serviceWorker) return false; // the address is neither https nor this computer
  const options = { updateViaCache: "none" };
  const registration = await navigator.serviceWorker.register("sw.js", options).catch(() => null);
  const worker = registration?.installing;
  if (worker) {
    await new Promise((resolve) => {
      worker.addEventListener("statechange", () => {
        if (["activated", "redundant"].includes(worker.state)) resolve();
      });
    });
  }
  return Boolean(registration?.active);
}

await busy(async () => {
  say("Loading the network, about 25 MB …");
  const kept = await keepFiles(); // first, so that nothing is downloaded twice
  await getNetwork();
  say(kept ? "Ready, also without a connection." : "Ready while there is a connection.");
});

// Classify what is on the canvas with the network of petals.onnx. Everything is read from this folder.
"use strict";

{ // a scope of its own: the theme of the site declares names such as `ready` as well
const FOLDER = new URL(".", document.currentScript.src).href;
const SHOWN = 5;
const PAPER = 224, LARGEST = 448; // pixels of the canvas: empty, and with a picture

const box = document.getElementById("classifier");
const canvas = box.querySelector("canvas");
const paper = canvas.getContext("2d", { willReadFrequently: true });
const status = box.querySelector("[role=status]");
let network, facts, ready = "", busy = false, again = false;

function addScript(address) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    Object.assign(script, { src: address, onload: resolve, onerror: () => reject(new Error(address)) });
    document.head.append(script);
  });
}

function addExamples(names) {
  for (const name of names) {
    const button = document.createElement("button"), image = new Image(56, 56);
    button.type = "button";
    image.src = `${FOLDER}petals_${name}.png`;
    image.alt = `A drawn ${name}`;
    button.append(image);
    button.addEventListener("click", async () => take(await (await fetch(image.src)).blob()));
    box.querySelector(".examples").append(button);
  }
}

async function load() {
  if (location.protocol === "file:") {
    status.textContent = "Browsers read the network over http only: run python -m http.server in the folder of the site.";
    return;
  }
  await addScript(FOLDER + "ort.wasm.min.js");
  ort.env.wasm.numThreads = 1; // several need headers that a plain server does not send
  ort.env.wasm.wasmPaths = FOLDER;
  facts = await (await fetch(FOLDER + "petals.json")).json();
  addExamples(facts.examples);
  network = await ort.InferenceSession.create(FOLDER + "petals.onnx");
  status.textContent = ready =
    `Ready: ${(facts.bytes / 1e6).toFixed(1)} MB, right on ${Math.round(100 * facts.accuracy)} % of ` +
    `${facts.pictures} drawn flowers that it was not trained on.`;
  await classify();
}

// The same preparation as in evaluation: the shorter side resized, then the central square of the network's size.
function crop() {
  const side = facts.resize_size, size = facts.crop_size, margin = Math.floor((side - size) / 2);
  const small = new OffscreenCanvas(side, side).getContext("2d", { willReadFrequently: true });
  small.imageSmoothingQuality = "high";
  small.drawImage(canvas, 0, 0, side, side);
  const { data } = small.getImageData(margin, margin, size, size); // red, green, blue, alpha
  return new ort.Tensor("uint8", data.filter((_, n) => n % 4 !== 3), [1, size, size, 3]);
}

async function classify() {
  if (!network || busy) {
    again = true;
    return;
  }
  busy = true;
  try {
    do {
      again = false;
      const { probabilities } = await network.run({ image: crop() });
      show([...probabilities.data]);
    } while (again);
  } finally {
    busy = false;
  }
}

function show(probabilities) {
  const order = probabilities.map((_, n) => n).sort((a, b) => probabilities[b] - probabilities[a]);
  box.querySelector("ol").replaceChildren(...order.slice(0, SHOWN).map((n) => {
    const row = document.createElement("li"), bar = document.createElement("meter");
    const percent = `${Math.round(100 * probabilities[n])} %`;
    row.dataset.class = facts.classes[n];
    row.dataset.probability = probabilities[n];
    bar.value = probabilities[n];
    bar.setAttribute("aria-hidden", "true");
    row.append(facts.classes[n], " ", bar, " ", percent);
    return row;
  }));
}

// Pictures

function clear(side) {
  canvas.width = canvas.height = side; // which also clears it
  paper.fillStyle = "white";
  paper.fillRect(0, 0, canvas.width, canvas.height);
}

// A square picture of another size resizes the canvas, so that its pixels reach the network as they are.
async function take(blob) {
  let picture;
  try {
    picture = await createImageBitmap(blob);
  } catch {
    status.textContent = `Expected a picture that this browser can show. Received: ${blob.name || "another file"}`;
    return;
  }
  const side = Math.min(picture.width, picture.height);
  clear(Math.min(side, LARGEST));
  paper.imageSmoothingQuality = "high";
  const [left, top] = [(picture.width - side) / 2, (picture.height - side) / 2];
  paper.drawImage(picture, left, top, side, side, 0, 0, canvas.width, canvas.height);
  if (ready) status.textContent = ready;
  await classify();
}

function place(event) {
  const shown = canvas.getBoundingClientRect(), scale = canvas.width / shown.width;
  return [(event.clientX - shown.left) * scale, (event.clientY - shown.top) * scale];
}

function draw(event) {
  if (!canvas.hasPointerCapture(event.pointerId)) return;
  paper.lineTo(...place(event));
  paper.stroke();
  classify();
}

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  paper.strokeStyle = box.querySelector("[type=color]").value;
  paper.lineWidth = box.querySelector("[type=range]").value;
  paper.lineCap = paper.lineJoin = "round";
  paper.beginPath();
  paper.moveTo(...place(event));
  draw(event);
});
canvas.addEventListener("pointermove", draw);
box.querySelector(".clear").addEventListener("click", () => {
  clear(PAPER);
  if (ready) status.textContent = ready; // instead of a message about a file
  classify();
});
box.querySelector("[type=file]").addEventListener("change", (event) => {
  if (event.target.files.length) take(event.target.files[0]);
});
clear(PAPER);
load().catch((error) => {
  status.textContent = `The network could not be loaded. Received: ${error.message}`;
});
}

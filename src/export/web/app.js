// The page: takes pictures, hands their pixels to the worker, shows its answers.

const SHOWN = 5;
const MOST_PIXELS = 64e6;
const $ = (id) => document.getElementById(id);
const settings = await (await fetch("classifier.json")).json();
const worker = new Worker("worker.js", { type: "module" });
const waiting = new Map();
let isReady = false, camera = null, taken = 0;

/** An element with attributes and children. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") made.className = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
const say = (text) => ($("status").textContent = text);

worker.onerror = (event) => fail(event.message || "the worker cannot start");
worker.onmessage = ({ data: message }) => {
  if (message.kind === "progress") return showProgress(message.loaded);
  if (message.kind === "ready") return start();
  if (message.kind === "failed" && message.id === undefined) return fail(message.reason);
  const card = waiting.get(message.id);
  waiting.delete(message.id);
  card.removeAttribute("aria-busy");
  if (message.kind === "failed") refuse(card, message.reason);
  else show(card, message.answer);
};
worker.postMessage({ kind: "load", settings });

function showProgress(loaded) {
  $("progress").value = loaded / settings.bytes;
  $("loaded").textContent = `${megabytes(loaded)} of ${megabytes(settings.bytes)}`;
}

function start() {
  isReady = true;
  $("loading").hidden = true;
  say(waiting.size ? "Ready; classifying." : "Ready.");
  document.body.dataset.state = "ready";
}

function fail(reason) {
  $("loading").hidden = true;
  $("trouble").hidden = false;
  $("trouble").textContent = `The classifier cannot be loaded: ${reason}`;
  document.body.dataset.state = "failed";
}

/** The pixels of a file as they are stored: turned upright, without colour management, as headstart decodes them. */
async function pixelsOf(file) {
  const how = { colorSpaceConversion: "none", premultiplyAlpha: "none", imageOrientation: "from-image" };
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, how);
  } catch {
    throw new Error("this browser cannot read it as a picture");
  }
  return pixels(bitmap, bitmap.width, bitmap.height);
}

function pixels(source, width, height) {
  if (width * height > MOST_PIXELS) {
    throw new Error(`it is too large: ${width} x ${height} pixels, and at most ${MOST_PIXELS / 1e6} million are taken`);
  }
  const canvas = blankCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(source, 0, 0);
  return context.getImageData(0, 0, width, height);
}

function blankCanvas(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

function addCard(name) {
  const heading = `answer-${++taken}`;
  const frame = element("div", { class: "frame" });
  const body = element("div", { class: "body" }, element("p", { class: "quiet" }, "waiting"));
  const title = element("h3", { id: heading }, name);
  const card = element("article", { class: "answer", "aria-labelledby": heading, "aria-busy": "true" }, frame, element("div", {}, title, body));
  card.dataset.name = name;
  $("answers").prepend(card);
  $("results").hidden = false;
  return card;
}

async function add(file) {
  const card = addCard(file.name || "pasted picture");
  const image = element("img", { alt: "", src: URL.createObjectURL(file) });
  image.onerror = () => image.replaceWith(element("span", { class: "quiet" }, "no picture"));
  card.querySelector(".frame").append(image);
  try {
    send(card, await pixelsOf(file));
  } catch (error) {
    card.removeAttribute("aria-busy");
    refuse(card, error.message);
  }
}

function send(card, image) {
  const id = card.querySelector("h3").id;
  waiting.set(id, card);
  say(isReady ? `Classifying ${card.dataset.name}.` : "The picture is classified as soon as the classifier is loaded.");
  const pixels = image.data.buffer;
  worker.postMessage({ kind: "classify", id, pixels, width: image.width, height: image.height }, [pixels]);
}

function refuse(card, reason) {
  card.dataset.state = "refused";
  card.querySelector(".body").replaceChildren(element("p", { class: "warning" }, `Not classified: ${reason}.`));
  say(`${card.dataset.name}: not classified, ${reason}.`);
}

function show(card, answer) {
  const order = answer.probabilities.map((_, index) => index).sort((a, b) => answer.probabilities[b] - answer.probabilities[a] || a - b);
  const isUnknown = answer.isKnown === false;
  const best = settings.classes[answer.labelIndex];
  const verdict = isUnknown ? "unknown" : best;
  const parts = [element("p", { class: isUnknown ? "verdict unknown" : "verdict" }, verdict)];
  if (isUnknown) {
    parts.push(element("p", { class: "quiet" },
      `It lies too far from every class: at ${answer.distance.toFixed(2)}, and known images lie within ${settings.reject.threshold.toFixed(2)}. The nearest classes:`));
  }
  parts.push(ranking(order, answer.probabilities, isUnknown ? -1 : answer.labelIndex));
  const near = isUnknown ? null : nearestPicture(answer.features, answer.labelIndex);
  if (near) {
    const picture = element("img", { src: near.picture, alt: `train image of ${best}`, width: near.width, height: near.height });
    parts.push(element("figure", {}, picture, element("figcaption", {}, `the nearest of ${near.of} train images of ${best}`)));
  }
  const more = order.length > SHOWN ? `${order.length - SHOWN} more classes; ` : "";
  parts.push(element("p", { class: "quiet" }, `${more}${answer.seconds.toFixed(1)} s`));
  card.querySelector(".body").replaceChildren(...parts);
  card.dataset.state = "answered";
  card.answer = { ...answer, label: verdict };
  say(`${card.dataset.name}: ${verdict}${isUnknown ? "" : `, ${percent(answer.probabilities[answer.labelIndex])}`}.`);
}

function ranking(order, probabilities, marked) {
  const list = element("ol", { class: "ranked" });
  for (const index of order.slice(0, SHOWN)) {
    const bar = element("span");
    bar.style.width = `${(100 * probabilities[index]).toFixed(1)}%`;
    list.append(element("li", index === marked ? { class: "marked" } : {},
      element("span", { class: "name" }, settings.classes[index]),
      element("span", { class: "value" }, percent(probabilities[index])),
      element("span", { class: "bar", "aria-hidden": "true" }, bar)));
  }
  return list;
}

let train = null;
if (settings.pictures) {
  const [list, features] = await Promise.all([
    fetch("pictures.json").then((response) => response.json()),
    fetch("pictures.bin").then((response) => response.arrayBuffer()),
  ]);
  train = { list, features: new Float32Array(features) };
}

/** The train image of a class whose features are most like these, by cosine. */
function nearestPicture(features, classIndex) {
  if (!train) return null;
  const width = features.length;
  let best = null, most = -Infinity, of = 0;
  train.list.forEach((picture, row) => {
    if (picture.class !== classIndex) return;
    of += 1;
    let dot = 0;
    for (let i = 0; i < width; i++) dot += features[i] * train.features[row * width + i];
    if (dot > most) [most, best] = [dot, picture];
  });
  return best && { ...best, of };
}

const addAll = (files) => [...files].forEach(add);
$("files").addEventListener("change", () => {
  addAll($("files").files);
  $("files").value = "";
});
const zone = $("zone");
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
}
document.addEventListener("dragleave", (event) => event.relatedTarget || zone.classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  zone.classList.remove("over");
  addAll(event.dataTransfer.files);
});
document.addEventListener("paste", (event) => addAll(event.clipboardData.files));

if (navigator.mediaDevices?.getUserMedia) $("camera").hidden = false;
$("camera").addEventListener("click", async () => {
  if (camera) return stopCamera();
  try {
    camera = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch (error) {
    return say(`The camera cannot be used: ${error.message}.`);
  }
  $("video").srcObject = camera;
  $("viewfinder").hidden = false;
  $("camera").textContent = "Stop the camera";
  $("shoot").focus();
});
function stopCamera() {
  camera.getTracks().forEach((track) => track.stop());
  camera = null;
  $("viewfinder").hidden = true;
  $("camera").textContent = "Use the camera";
}
$("shoot").addEventListener("click", () => {
  const video = $("video");
  const image = pixels(video, video.videoWidth, video.videoHeight);
  const card = addCard(`camera ${new Date().toLocaleTimeString()}`);
  const canvas = blankCanvas(image.width, image.height);
  canvas.getContext("2d").putImageData(image, 0, 0);
  const shown = element("img", { alt: "" });
  canvas.toBlob((blob) => (shown.src = URL.createObjectURL(blob)), "image/jpeg");
  card.querySelector(".frame").append(shown);
  send(card, image);
});

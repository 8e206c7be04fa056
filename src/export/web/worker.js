// Runs the classifier beside the page, so that the page stays quick while it works.

import * as ort from "./ort/ort.wasm.bundle.min.mjs";
import { prepare } from "./resize.js";

// One thread needs no special headers from the server.
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = { wasm: new URL("./ort/ort-wasm-simd-threaded.wasm", import.meta.url).href };

let session, settings;

// One message after the other: pictures wait until the classifier is loaded.
let last = Promise.resolve();
self.onmessage = ({ data }) => (last = last.then(() => handle(data)));

async function handle(message) {
  try {
    if (message.kind === "load") {
      settings = message.settings;
      await load();
      self.postMessage({ kind: "ready" });
    } else {
      const { answer, buffers } = await classify(message);
      self.postMessage({ kind: "answer", id: message.id, answer }, buffers);
    }
  } catch (error) {
    self.postMessage({ kind: "failed", id: message.id, reason: String(error?.message ?? error) });
  }
}

async function load() {
  const response = await fetch(new URL("./classifier.onnx", import.meta.url));
  if (!response.ok) throw new Error(`classifier.onnx: the server answered ${response.status}`);
  const bytes = new Uint8Array(settings.bytes);
  let loaded = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (loaded + value.length > bytes.length) throw new Error("classifier.onnx is not the file that belongs to this page");
    bytes.set(value, loaded);
    loaded += value.length;
    self.postMessage({ kind: "progress", loaded });
  }
  if (loaded !== bytes.length) throw new Error("classifier.onnx is not whole: reload the page");
  session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
}

async function classify({ pixels, width, height }) {
  if (!session) throw new Error("the classifier is not loaded");
  const start = performance.now();
  const { size } = settings.preprocessing;
  const input = prepare({ data: new Uint8ClampedArray(pixels), width, height }, settings.preprocessing);
  const kind = input instanceof Float32Array ? "float32" : "uint8";
  const outputs = await session.run({ image: new ort.Tensor(kind, input, [1, size, size, 3]) });
  const features = Float32Array.from(outputs.features.data);
  const answer = {
    probabilities: Array.from(outputs.probabilities.data),
    labelIndex: Number(outputs.label_index.data[0]),
    distance: outputs.distance ? outputs.distance.data[0] : null,
    isKnown: outputs.is_known ? Boolean(outputs.is_known.data[0]) : null,
    features,
    seconds: (performance.now() - start) / 1000,
  };
  return { answer, buffers: [features.buffer] };
}

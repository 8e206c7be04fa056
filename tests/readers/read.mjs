// Reads files of headstart with parquet-wasm, as read.py does with Python readers: node read.mjs FOLDER.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";

// The packages are in the working folder, not beside this file.
const require = createRequire(`${process.cwd()}/`);
const { readParquet } = require("parquet-wasm/node");
const { tableFromIPC } = require("apache-arrow");
const { version } = JSON.parse(readFileSync("node_modules/parquet-wasm/package.json", "utf8"));

const folder = process.argv[2];
const table = (path) => tableFromIPC(readParquet(readFileSync(path)).intoIPCStream()).toArray();
const encoded = (text, vector) =>
  Buffer.concat([Buffer.from(text.join("\t")), Buffer.from([0]), Buffer.from(Float32Array.from(vector).buffer)]);
const digest = (rows) =>
  createHash("sha256").update(Buffer.concat(rows.sort(Buffer.compare))).digest("hex").slice(0, 16);

const ROW = ["label", "split", "variant", "image_sha256"];
const PREDICTION = ["path", "image_sha256", "variant", "split", "label", "predicted"];

function joined(cache) {
  const byImage = new Map();
  for (const row of table(`${cache}/samples.parquet`)) {
    byImage.set(row.image_sha256, [...(byImage.get(row.image_sha256) ?? []), row]);
  }
  const parts = readdirSync(`${cache}/features`).filter((name) => name.endsWith(".parquet"));
  return parts.flatMap((name) => table(`${cache}/features/${name}`)).flatMap((row) =>
    (byImage.get(row.image_sha256) ?? []).map(({ label, split }) =>
      encoded([label, split, row.variant, row.image_sha256], row.embedding)));
}

const flat = (path, names, vector) => table(path).map((row) => encoded(names.map((name) => row[name]), row[vector]));
const attempts = {
  cache: () => joined(`${folder}/cache`),
  "export.parquet": () => flat(`${folder}/export.parquet`, ROW, "embedding"),
  "predictions.parquet": () => flat(`${folder}/predictions.parquet`, PREDICTION, "probabilities"),
  "v0.1.0": () => joined(`${folder}/v0.1.0`),
  "v0.1.0.parquet": () => flat(`${folder}/v0.1.0.parquet`, PREDICTION, "probabilities"),
};
const things = {};
for (const [name, read] of Object.entries(attempts)) {
  try {
    things[name] = { digest: digest(read()) };
  } catch (error) {
    things[name] = { error: String(error?.message ?? error).split("\n")[0].slice(0, 120) };
  }
}
console.log(JSON.stringify({ "parquet-wasm": { version, things } }));

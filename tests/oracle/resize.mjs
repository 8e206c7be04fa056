// Resizes pictures with the script of the exported page. Reads a file of JSON: a list of {width, height, pixels, steps, expected},
// pixels as RGBA, expected as RGB. Prints the number of cases, and the largest difference of a value.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [script, cases] = process.argv.slice(2);
const { prepare } = await import(pathToFileURL(script));
const all = JSON.parse(readFileSync(cases, "utf8"));
const differences = all.map(({ width, height, pixels, steps, expected }) => {
  const found = prepare({ data: Uint8ClampedArray.from(pixels), width, height }, steps);
  if (found.length !== expected.length) return Infinity;
  return found.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i])), 0);
});
console.log(JSON.stringify({ cases: all.length, differences }));

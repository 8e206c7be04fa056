// Turns pixels of any size into the input of the network, with the same bytes as headstart, which are Pillow's: weights of 22 bits,
// a horizontal pass before the vertical one, values rounded to a byte after each.

const PRECISION = 22;
const sinc = (x) => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));
const FILTERS = {
  "box-pillow": [0.5, (x) => (x > -0.5 && x <= 0.5 ? 1 : 0)],
  "bilinear-pillow": [1, (x) => Math.max(1 - Math.abs(x), 0)],
  "hamming-pillow": [1, (x) => {
    x = Math.abs(x);
    return x < 1 ? sinc(x) * (Math.fround(0.54) + Math.fround(0.46) * Math.cos(x * Math.PI)) : 0;
  }],
  "bicubic-pillow": [2, (x) => {
    const a = -0.5;
    x = Math.abs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
  }],
  "lanczos-pillow": [3, (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0)],
};

/** The input for `image`, `{data, width, height}` with RGBA bytes: RGB of `size` x `size` pixels, bytes or floats. */
export function prepare(image, steps) {
  let picture = withoutAlpha(image);
  if (steps.stretch) picture = stretched(picture);
  if (steps.crop < 1) picture = cropped(picture, steps.crop);
  const [columns, rows] = regions(picture, steps);
  if (steps.resize === "bilinear-tensorflow1") return tensorflow1(picture, columns, rows);
  if (steps.resize === "nearest-pillow") return nearest(picture, columns, rows);
  const whole = (region, side) => region.whole === side && region.start === 0 && region.length === side;
  if (!whole(columns, picture.width)) picture = resizeRows(picture, windows(picture.width, steps.resize, columns));
  if (!whole(rows, picture.height)) picture = resizeColumns(picture, windows(picture.height, steps.resize, rows));
  return picture.data;
}

function withoutAlpha({ data, width, height }) {
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    rgb[to] = data[from];
    rgb[to + 1] = data[from + 1];
    rgb[to + 2] = data[from + 2];
  }
  return { data: rgb, width, height };
}

function stretched({ data, width, height }) {
  let [low, high] = [255, 0];
  for (const value of data) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const scale = Math.fround(255 / Math.max(high - low, 1));
  const byte = (value) => Math.fround(Math.min(Math.fround((value - low) * scale), 255) + 0.5);
  return { data: data.map(byte), width, height };
}

function cropped({ data, width, height }, part) {
  const border = (side) => Math.min(Math.floor((side - side * part) / 2), Math.floor((side - 1) / 2));
  const [left, top] = [border(width), border(height)];
  const [columns, rows] = [width - 2 * left, height - 2 * top];
  const kept = new Uint8Array(columns * rows * 3);
  for (let y = 0; y < rows; y++) {
    const start = ((top + y) * width + left) * 3;
    kept.set(data.subarray(start, start + columns * 3), y * columns * 3);
  }
  return { data: kept, width: columns, height: rows };
}

/** The parts of the resized width and height that enter the network. */
function regions({ width, height }, steps) {
  const whole = (side) =>
    steps.shorter_side
      ? Math.floor((steps.shorter_side * side) / Math.min(width, height))
      : (steps.both_sides ?? steps.size);
  const start = (margin) => {
    const down = Math.floor(margin / 2);
    // Half a pixel is rounded to the even start, or down.
    return steps.margin_rounds_down || margin % 2 === 0 ? down : down + (down % 2);
  };
  return [width, height].map(whole).map((side) => ({ whole: side, start: start(side - steps.size), length: steps.size }));
}

function windows(input, name, region) {
  const [radius, filter] = FILTERS[name];
  const scale = input / region.whole;
  const widening = Math.max(scale, 1);
  const support = radius * widening;
  const found = [];
  for (let i = region.start; i < region.start + region.length; i++) {
    const centre = (i + 0.5) * scale;
    const start = Math.trunc(Math.max(centre - support + 0.5, 0));
    const end = Math.min(Math.trunc(centre + support + 0.5), input);
    const raw = [];
    for (let x = start; x < end; x++) raw.push(filter((x - centre + 0.5) * (1 / widening)));
    const total = raw.reduce((sum, weight) => sum + weight, 0);
    const fixed = (weight) => {
      const scaled = (weight / total) * 2 ** PRECISION;
      return Math.trunc(weight / total < 0 ? scaled - 0.5 : scaled + 0.5);
    };
    found.push({ start, weights: Int32Array.from(raw, fixed) });
  }
  return found;
}

const clip = (sum) => Math.min(Math.max(sum >> PRECISION, 0), 255);

function resizeRows({ data, width, height }, all) {
  const out = new Uint8Array(all.length * height * 3);
  let to = 0;
  for (let y = 0; y < height; y++) {
    for (const { start, weights } of all) {
      let red = 1 << (PRECISION - 1), green = red, blue = red;
      let from = (y * width + start) * 3;
      for (let i = 0; i < weights.length; i++, from += 3) {
        red += data[from] * weights[i];
        green += data[from + 1] * weights[i];
        blue += data[from + 2] * weights[i];
      }
      out[to++] = clip(red);
      out[to++] = clip(green);
      out[to++] = clip(blue);
    }
  }
  return { data: out, width: all.length, height };
}

function resizeColumns({ data, width }, all) {
  const stride = width * 3;
  const out = new Uint8Array(stride * all.length);
  const sums = new Int32Array(stride);
  all.forEach(({ start, weights }, row) => {
    sums.fill(1 << (PRECISION - 1));
    for (let i = 0; i < weights.length; i++) {
      const from = (start + i) * stride;
      for (let x = 0; x < stride; x++) sums[x] += data[from + x] * weights[i];
    }
    for (let x = 0; x < stride; x++) out[row * stride + x] = clip(sums[x]);
  });
  return { data: out, width, height: all.length };
}

function nearest({ data, width, height }, columns, rows) {
  const positions = (side, region) => {
    const step = side / region.whole;
    const all = [];
    for (let i = 0, at = step * 0.5; i < region.start + region.length; i++, at += step) {
      if (i >= region.start) all.push(Math.min(Math.trunc(at), side - 1));
    }
    return all;
  };
  const [across, down] = [positions(width, columns), positions(height, rows)];
  return Uint8Array.from(
    down.flatMap((y) => across.flatMap((x) => Array.from(data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)))),
  );
}

/** TensorFlow 1's `resize_bilinear`, in 32-bit floats. */
function tensorflow1({ data, width, height }, columns, rows) {
  const f = Math.fround;
  const positions = (side, region) => {
    const scale = f(side / region.whole);
    return Array.from({ length: region.length }, (_, i) => {
      const at = f((region.start + i) * scale);
      const lower = Math.min(Math.floor(at), side - 1);
      return { lower, upper: Math.min(lower + 1, side - 1), share: f(at - lower) };
    });
  };
  const [across, down] = [positions(width, columns), positions(height, rows)];
  const mix = (a, b, share) => f(a + f(f(b - a) * share));
  const out = new Float32Array(across.length * down.length * 3);
  let to = 0;
  for (const y of down) {
    for (const x of across) {
      for (let channel = 0; channel < 3; channel++) {
        const value = (row, column) => data[(row * width + column) * 3 + channel];
        const mixed = (row) => mix(value(row, x.lower), value(row, x.upper), x.share);
        out[to++] = mix(mixed(y.lower), mixed(y.upper), y.share);
      }
    }
  }
  return out;
}

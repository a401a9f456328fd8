// Pillow's bilinear resize with antialiasing, as lesionseg uses it; a browser's own differs.

const BITS = 22; // Pillow's fixed point for 8-bit pixels
const HALF = 1 << (BITS - 1); // rounds

/** For each new pixel, the first old pixel that it is made of and the weights from there on. */
function triangles(from, to) {
  const scale = from / to;
  const support = Math.max(scale, 1);
  return Array.from({ length: to }, (_, index) => {
    const center = (index + 0.5) * scale;
    const first = Math.max(Math.trunc(center - support + 0.5), 0);
    const end = Math.min(Math.trunc(center + support + 0.5), from);
    const weights = new Float64Array(end - first);
    let sum = 0;
    for (let k = 0; k < weights.length; k++) {
      weights[k] = Math.max(1 - Math.abs((k + first - center + 0.5) / support), 0);
      sum += weights[k];
    }
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}

function fixed({ first, weights }) {
  return { first, weights: Int32Array.from(weights, (weight) => 0.5 + weight * (1 << BITS)) };
}

/** Shrinks or enlarges a picture that is given from top to bottom, a few rows at a time. */
export class Resizer {
  constructor(width, height, newWidth, newHeight) {
    this.width = width;
    this.newWidth = newWidth;
    this.columns = triangles(width, newWidth).map(fixed);
    this.rows = triangles(height, newHeight).map(fixed);
    this.narrow = new Uint8Array(height * newWidth * 3); // all rows, at the new width
    this.filled = 0;
  }

  /** Add rows of RGBA pixels. */
  add(rgba) {
    const { width, newWidth, narrow, columns } = this;
    for (let start = 0; start < rgba.length; start += 4 * width) {
      for (let x = 0; x < newWidth; x++) {
        const { first, weights } = columns[x];
        let [red, green, blue] = [HALF, HALF, HALF];
        let at = start + 4 * first;
        for (let k = 0; k < weights.length; k++, at += 4) {
          red += rgba[at] * weights[k];
          green += rgba[at + 1] * weights[k];
          blue += rgba[at + 2] * weights[k];
        }
        narrow[this.filled++] = red >> BITS;
        narrow[this.filled++] = green >> BITS;
        narrow[this.filled++] = blue >> BITS;
      }
    }
  }

  /** The whole picture at its new size: red, green and blue planes, one after the other. */
  planes() {
    const { newWidth, narrow, rows } = this;
    const planes = new Uint8Array(3 * rows.length * newWidth);
    rows.forEach(({ first, weights }, y) => {
      for (let x = 0; x < newWidth; x++) {
        for (let channel = 0; channel < 3; channel++) {
          let sum = HALF;
          let at = (first * newWidth + x) * 3 + channel;
          for (let k = 0; k < weights.length; k++, at += 3 * newWidth) {
            sum += narrow[at] * weights[k];
          }
          planes[(channel * rows.length + y) * newWidth + x] = sum >> BITS;
        }
      }
    });
    return planes;
  }
}

/** Resize probabilities and return a mask of bytes: 255 where they exceed the threshold, else 0. */
export function enlargedMask(probability, { width, height, threshold }, newWidth, newHeight) {
  const wide = new Float32Array(height * newWidth);
  triangles(width, newWidth).forEach(({ first, weights }, x) => {
    for (let y = 0; y < height; y++) {
      let sum = 0;
      const at = y * width + first;
      for (let k = 0; k < weights.length; k++) sum += probability[at + k] * weights[k];
      wide[y * newWidth + x] = sum;
    }
  });
  const mask = new Uint8Array(newWidth * newHeight);
  const limit = Math.fround(threshold);
  triangles(height, newHeight).forEach(({ first, weights }, y) => {
    for (let x = 0; x < newWidth; x++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += wide[(first + k) * newWidth + x] * weights[k];
      if (Math.fround(sum) > limit) mask[y * newWidth + x] = 255;
    }
  });
  return mask;
}

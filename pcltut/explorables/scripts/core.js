// The mathematics of the explorables: random numbers, small linear algebra, Langevin steps, a decoder network.
// Nothing here knows of a page. tests/test_explorables_core.py runs this file in node, against pcltut.

// --- Random numbers: a pure function of (seed, index), so that a test or a reader can replay them. ---

function mix(x) {
  // A bijection of 32 bits in which each output bit depends on each input bit.
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

export function uniform(seed, index) {
  // The index-th number of a seed's sequence, in (0, 1).
  return (mix(mix(mix(seed >>> 0) ^ (index >>> 0)) + 0x9e3779b9) + 0.5) / 2 ** 32;
}

export class Noise {
  // Standard normal numbers in a row (Box and Muller), from a seed.
  constructor(seed) {
    this.seed = seed;
    this.index = 0;
  }

  uniform() {
    return uniform(this.seed, this.index++);
  }

  normal() {
    const [u, v] = [this.uniform(), this.uniform()];
    return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
  }

  normals(count) {
    return Float64Array.from({ length: count }, () => this.normal());
  }
}

// --- Small linear algebra: vectors are arrays, matrices are arrays of rows. ---

export const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
export const identity = (n) => Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => +(i === j)));
export const transpose = (a) => a[0].map((_, j) => a.map((row) => row[j]));
export const apply = (a, v) => a.map((row) => dot(row, v));
export const multiply = (a, b) => a.map((row) => transpose(b).map((column) => dot(row, column)));
export const combine = (a, b, s = 1) => a.map((row, i) => row.map((value, j) => value + s * b[i][j]));
export const scaled = (a, s) => a.map((row) => row.map((value) => s * value));

export function solve(a, b) {
  // x with a x = b, for a vector b; Gaussian elimination with pivots.
  const rows = a.map((row, i) => [...row, b[i]]);
  const n = rows.length;
  for (let i = 0; i < n; i++) {
    const larger = (best, row, k) => (Math.abs(row[i]) > Math.abs(rows[best][i]) ? i + k : best);
    const pivot = rows.slice(i).reduce(larger, i);
    [rows[i], rows[pivot]] = [rows[pivot], rows[i]];
    for (let k = i + 1; k < n; k++) {
      const factor = rows[k][i] / rows[i][i];
      for (let j = i; j <= n; j++) rows[k][j] -= factor * rows[i][j];
    }
  }
  const x = new Array(n).fill(0);
  for (let i = n - 1; i >= 0; i--) x[i] = (rows[i][n] - dot(rows[i].slice(i + 1, n), x.slice(i + 1))) / rows[i][i];
  return x;
}

export const inverse = (a) => transpose(identity(a.length).map((column) => solve(a, column)));

export function eigen2([[a, b], [, d]]) {
  // Eigenvalues, the larger first, and unit eigenvectors of a symmetric matrix of two rows.
  const [mean, half] = [(a + d) / 2, Math.hypot((a - d) / 2, b)];
  const angle = Math.atan2(2 * b, a - d) / 2;
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  return { values: [mean + half, mean - half], vectors: [[c, s], [-s, c]] };
}

export function logSumExp(values) {
  let top = -Infinity;
  for (const value of values) top = Math.max(top, value);
  let sum = 0;
  for (const value of values) sum += Math.exp(value - top);
  return top + Math.log(sum);
}

export function normalLogDensity(x, mean, scale) {
  return -0.5 * ((x - mean) / scale) ** 2 - Math.log(scale) - 0.5 * Math.log(2 * Math.PI);
}

export function meanAndCovariance(points) {
  // Of an array of vectors; divided by n - 1.
  const n = points.length;
  const mean = points[0].map((_, k) => points.reduce((sum, point) => sum + point[k], 0) / n);
  const entry = (i, j) => points.reduce((sum, p) => sum + (p[i] - mean[i]) * (p[j] - mean[j]), 0) / (n - 1);
  return { mean, covariance: mean.map((_, i) => mean.map((_, j) => entry(i, j))) };
}

// --- The sampler. ---

export function langevinStep(z, score, stepSize, temperature, noise, scale) {
  // z + h M score + sqrt(2 h tau M) noise, with a diagonal M of entries scale[k] (the identity if not given).
  // At temperature 0 it is predictive coding. As pcltut.samplers.ula.
  return z.map((value, k) => {
    const h = stepSize * (scale ? scale[k] : 1);
    return value + h * score[k] + Math.sqrt(2 * h * temperature) * noise[k];
  });
}

// --- A decoder: linear layers with SiLU between them, weights exported by pcltut.explorables.packed_decoder. ---

export function fromHalf(bits) {
  // The number that 16 bits of IEEE half precision stand for.
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

export function unpackHalves(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return Float64Array.from(new Uint16Array(bytes.buffer), fromHalf);
}

export class Decoder {
  // sizes: latents, hidden layers, pixels. weights: for each layer its matrix [out, in] row by row, then its biases.
  constructor(sizes, weights) {
    this.sizes = sizes;
    this.layers = [];
    let at = 0;
    for (let i = 0; i + 1 < sizes.length; i++) {
      const [inputs, outputs] = [sizes[i], sizes[i + 1]];
      const matrix = weights.subarray(at, (at += inputs * outputs));
      this.layers.push({ inputs, outputs, matrix, bias: weights.subarray(at, (at += outputs)) });
    }
  }

  forward(z, pixels) {
    // Inputs of each layer and sums before each activation; of the last layer only the first `pixels` outputs.
    const [inputs, sums] = [[z], []];
    this.layers.forEach(({ inputs: width, outputs, matrix, bias }, index) => {
      const last = index === this.layers.length - 1;
      const sum = new Float64Array(last ? pixels : outputs);
      const input = inputs[index];
      for (let i = 0; i < sum.length; i++) {
        let total = bias[i];
        for (let j = 0, k = i * width; j < width; j++, k++) total += matrix[k] * input[j];
        sum[i] = total;
      }
      sums.push(sum);
      if (!last) inputs.push(sum.map((a) => a / (1 + Math.exp(-a))));
    });
    return { inputs, sums };
  }

  decode(z, pixels = this.sizes[this.sizes.length - 1]) {
    // The image at z, or its first pixels in reading order.
    const { sums } = this.forward(z, pixels);
    return sums[sums.length - 1];
  }

  logJointAndScore(z, seen, scale) {
    // log p(seen, z) and its gradient in z, under N(0, I) and Gaussian pixels, for an image's first pixels `seen`.
    const { sums } = this.forward(z, seen.length);
    let value = 0;
    let gradient = sums[sums.length - 1].map((mean, i) => {
      value += normalLogDensity(seen[i], mean, scale);
      return (seen[i] - mean) / scale ** 2;
    });
    for (let index = this.layers.length - 1; index >= 0; index--) {
      const { inputs: width, matrix } = this.layers[index];
      const back = new Float64Array(width);
      for (let i = 0; i < gradient.length; i++) {
        for (let j = 0, k = i * width; j < width; j++, k++) back[j] += gradient[i] * matrix[k];
      }
      gradient = back;
      if (index > 0) {
        const before = sums[index - 1];
        for (let j = 0; j < width; j++) {
          const sigmoid = 1 / (1 + Math.exp(-before[j]));
          gradient[j] *= sigmoid * (1 + before[j] * (1 - sigmoid));
        }
      }
    }
    for (const value_k of z) value += normalLogDensity(value_k, 0, 1);
    return { value, score: Array.from(z, (value_k, k) => gradient[k] - value_k) };
  }
}

export const unpackDecoder = ({ sizes, weights }) => new Decoder(sizes, unpackHalves(weights));

// A map of the pictures that a small decoder paints, at seven times of its training, and one image's chain on it.

import { Decoder, Noise, langevinStep, unpackHalves } from "./core.js";
import { Explorable, dot2, drawImage, stroke, text } from "./page.js";
import { Plane, circle, frame, scale } from "./charts.js";

const CELLS = 11; // pictures of the map a side, one unit of z apart
const REACH = CELLS / 2; // the map goes from -REACH to REACH
const SIZE = 374; // of its drawing
const LOST = 30; // a chain this far away will not come back
const CLIMBS = 10; // nats in the last quarter of a chain that is still on its way
const FRAMES = 4; // of the screen for one step of a chain that is shown walking
const WIDTH = 330; // of the drawing beside the map
const [TOP, BOTTOM, LEFT] = [186, 346, 52]; // of the curve in it

const plane = new Plane(SIZE, REACH);
const signed = (value, digits = 0) => value.toFixed(digits).replace("-", "−");
const share = (value) => value.toFixed(2);

export const CENTERS = Array.from({ length: CELLS ** 2 }, (_, i) => {
  const middle = (CELLS - 1) / 2;
  return [(i % CELLS) - middle, middle - Math.floor(i / CELLS)];
});

export class Trained {
  // What the page holds, unpacked: decoder, sigma and the encoder's guesses, for each method and snapshot.
  constructor({ sizes, updates, ...texts }) {
    this.sizes = sizes;
    this.updates = updates;
    this.held = Object.fromEntries(Object.entries(texts).map(([name, halves]) => [name, unpackHalves(halves)]));
    this.made = new Map();
  }

  part(name, index, parts = this.updates) {
    const size = this.held[name].length / parts;
    return this.held[name].subarray(index * size, (index + 1) * size);
  }

  image = (index) => this.part("images", index, this.held.images.length / 784);
  sigma = (method, snapshot) => Math.exp(this.part(`${method}.log_scale`, snapshot)[0]);

  guess(method, snapshot, image) {
    const [a, b, log_a, log_b] = this.part(`${method}.guesses`, snapshot).subarray(4 * image);
    return { mean: [a, b], scale: [Math.exp(log_a), Math.exp(log_b)] };
  }

  decoder(method, snapshot) {
    const key = `${method} ${snapshot}`;
    if (!this.made.has(key)) this.made.set(key, this.withReadout(this.part(`${method}.weights`, snapshot)));
    return this.made.get(key);
  }

  map(method, snapshot) {
    // The pictures at CENTERS.
    const key = `map of ${method} ${snapshot}`;
    if (!this.made.has(key)) this.made.set(key, CENTERS.map((z) => this.decoder(method, snapshot).decode(z)));
    return this.made.get(key);
  }

  withReadout(weights) {
    // Nothing bends between the trained layers' last one and the readout, so the two are one linear layer.
    const [width, outputs] = this.sizes.slice(-2);
    const { components, mean } = this.held;
    const last = weights.length - (width + 1) * outputs;
    const [matrix, shift] = [weights.subarray(last), weights.subarray(weights.length - outputs)];
    const whole = new Float64Array(last + (width + 1) * mean.length);
    const biases = whole.subarray(last + width * mean.length);
    whole.set(weights.subarray(0, last));
    biases.set(mean);
    for (let i = 0; i < mean.length; i++) {
      for (let k = 0; k < outputs; k++) {
        const paint = components[i * outputs + k];
        for (let j = 0; j < width; j++) whole[last + i * width + j] += paint * matrix[k * width + j];
        biases[i] += paint * shift[k];
      }
    }
    return new Decoder([...this.sizes.slice(0, -1), mean.length], whole);
  }
}

export function walk(decoder, sigma, image, z, steps, stepSize, noise) {
  // The states z_0 .. z_T, or up to the first that is lost, each with its log p(x, z).
  const path = [];
  for (;;) {
    const { value, score } = decoder.logJointAndScore(z, image, sigma);
    path.push({ z, value });
    if (path.length > steps || isLost(z)) return path;
    z = langevinStep(z, score, stepSize, 1, noise.normals(2));
  }
}

export const meanSquare = (picture, image) =>
  picture.reduce((sum, pixel, i) => sum + (pixel - image[i]) ** 2, 0) / image.length;

export function logJoint(picture, z, sigma, image) {
  // log p(image, z), where `picture` is what the decoder paints at z.
  const squares = (meanSquare(picture, image) * image.length) / sigma ** 2 + z[0] ** 2 + z[1] ** 2;
  return -squares / 2 - image.length * Math.log(sigma) - ((image.length + 2) / 2) * Math.log(2 * Math.PI);
}

class Walk extends Explorable {
  constructor(widget) {
    super(widget);
    const { model } = this;
    this.trained = new Trained(model.get("packed"));
    this.map = this.canvas({
      label: "The latent plane as a map of 121 pictures, and on it the chain from its start to its last state. "
        + "Arrow keys move the start.",
      width: SIZE, height: SIZE,
      draw: (context, colors) => this.drawMap(context, colors),
      keys: (dx, dy) => this.startHere(this.path[0].z.map((value, k) => value + 0.25 * [dx, dy][k])),
    });
    this.drag(this.map, (x, y) => this.startHere(plane.under(x, y)));
    this.side = this.canvas({
      label: "The image, what the decoder paints at the chain's start and now, and the log-joint step by step.",
      width: WIDTH, height: SIZE,
      draw: (context, colors) => this.drawSide(context, colors),
    });
    const change = () => this.compute();
    this.choice("method", { label: "trained by", options: [["LPC", "LPC"], ["VAE", "VAE"]], change });
    this.slider("snapshot", { label: "update", min: 0, max: this.trained.updates - 1,
      format: (value) => model.get("updates")[value].toLocaleString("en"), change });
    this.choice("image", { label: "image", options: model.get("names").map((name, i) => [i, name]), change });
    this.choice("start", { label: "start at", change,
      options: [["prior", "a draw from the prior"], ["encoder", "the encoder's draw"], ["here", "a place of your own"]] });
    this.slider("steps", { label: "steps T", min: 1, max: 100, change });
    this.slider("step_size", { label: "step γ", min: 1e-5, max: 0.1, step: 0.05, logarithmic: true,
      format: (value) => value.toPrecision(2), change });
    for (const trait of ["home", "seed"]) this.watch(trait, change);
    this.compute();
    let frame = 0;
    this.loop(() => ++frame % FRAMES || this.show((this.shown + 1) % this.path.length), { start: false });
    this.button("Another chain", () => this.set("seed", model.get("seed") + 1));
  }

  startHere(z) {
    this.set("home", plane.clip(z));
    this.set("start", "here");
  }

  compute() {
    const [method, snapshot, image, start] = ["method", "snapshot", "image", "start"].map((name) => this.model.get(name));
    const { trained } = this;
    this.decoder = trained.decoder(method, snapshot);
    this.sigma = trained.sigma(method, snapshot);
    this.seen = trained.image(image);
    const noise = new Noise(this.model.get("seed"));
    const draw = noise.normals(2); // first, so that each start meets the same noise
    const { mean, scale } = trained.guess(method, snapshot, image);
    const starts = { prior: [...draw], encoder: mean.map((m, k) => m + scale[k] * draw[k]), here: this.model.get("home") };
    const [steps, stepSize] = [this.model.get("steps"), this.model.get("step_size")];
    this.path = walk(this.decoder, this.sigma, this.seen, starts[start], steps, stepSize, noise);
    this.pictures = trained.map(method, snapshot);
    const heights = CENTERS.map((z, i) => logJoint(this.pictures[i], z, this.sigma, this.seen));
    this.best = heights.indexOf(Math.max(...heights));
    this.top = heights[this.best];
    this.show(this.path.length - 1);
    this.tell(method, snapshot, start);
  }

  show(t) {
    this.shown = t;
    this.map.redraw();
    this.side.redraw();
  }

  tell(method, snapshot, start) {
    const [first, last] = [this.path[0], this.path[this.path.length - 1]];
    const errors = [first, last].map(({ z }) => meanSquare(this.decoder.decode(z), this.seen));
    const lost = isLost(last.z);
    const update = this.model.get("updates")[snapshot].toLocaleString("en");
    const decoder = `${method} after ${update} updates (σ = ${share(this.sigma)})`;
    let words;
    if (lost) {
      words = `${decoder}: the step is beyond the edge of stability, and after ${this.path.length - 1} steps the chain is `
        + `gone. Steps that were safe early in training are too long for a decoder that reacts strongly to z.`;
    } else {
      words = `${decoder}: in ${this.path.length - 1} steps log p(x, z) goes from ${signed(first.value)} to `
        + `${signed(last.value)}, and the mean square error of the picture from ${share(errors[0])} to `
        + `${share(errors[1])}. ${this.finding(snapshot, start, first, last)}`;
    }
    this.say(words, { lost, sigma: this.sigma, startValue: first.value, endValue: last.value, top: this.top,
      startError: errors[0], endError: errors[1], start: first.z, end: last.z });
  }

  finding(snapshot, start, first, last) {
    if (snapshot === 0) return "This decoder has learned nothing yet: wherever the chain goes, it paints nearly the same.";
    if (last.value < this.top) {
      const before = this.path[Math.floor(0.75 * this.path.length)];
      const climbs = last.value > before.value + CLIMBS;
      return `A picture of the map explains the image better (${signed(this.top)}). The chain ${climbs
        ? "is on its way." : "climbs no more: it is caught in a valley of its own, or shaken by a long step."}`;
    }
    if (first.value < this.top) return "The chain has found an explanation better than all 121 pictures of the map.";
    if (start === "encoder") return "The encoder's draw was better than all 121 pictures; the chain had little left to find.";
    return "The start was better already than all 121 pictures of the map.";
  }

  drawMap(context, colors) {
    const cell = SIZE / CELLS;
    context.globalAlpha = 0.8;
    const corner = (z) => plane.at(z).map((value) => value - cell / 2);
    CENTERS.forEach((z, i) => drawImage(context, this.pictures[i], ...corner(z), cell));
    context.globalAlpha = 1;
    frame(context, ...corner(CENTERS[this.best]), cell, cell, colors.blue, 3);
    circle(context, plane.at([0, 0]), 2 * plane.unit, { line: colors.ground, width: 4 });
    circle(context, plane.at([0, 0]), 2 * plane.unit, { line: colors.green, width: 2, dash: [6, 4] });
    const [middle, top] = plane.at([0, 2]);
    text(context, "86 % of the prior", middle, top - 6, colors.green, { align: "center", halo: colors.ground });
    const line = this.path.slice(0, this.shown + 1).map(({ z }) => plane.at(z));
    [[colors.ground, 5], [colors.vermillion, 2]].forEach((style) => stroke(context, line, ...style));
    dot2(context, ...line[0], 6, colors.ground, colors.vermillion);
    dot2(context, ...line[line.length - 1], 6, colors.vermillion, colors.ground);
  }

  drawSide(context, colors) {
    const paint = (t) => this.decoder.decode(this.path[t].z);
    const panels = [["the image", this.seen], ["at the start", paint(0)], [`after ${this.shown} steps`, paint(this.shown)]];
    panels.forEach(([words, picture], k) => {
      drawImage(context, picture, 113 * k, 22, 104);
      text(context, words, 113 * k, 14, k === 2 ? colors.vermillion : colors.text);
      if (k) text(context, `error ${share(meanSquare(picture, this.seen))}`, 113 * k, 142, colors.text);
    });
    const values = this.path.map(({ value }) => value).filter(Number.isFinite);
    const [low, high] = [Math.min(...values, this.top), Math.max(...values, this.top)];
    const y = scale(low, high, BOTTOM, TOP);
    const x = scale(0, Math.max(1, this.path.length - 1), LEFT, WIDTH - 8);
    [low, high].forEach((value) => text(context, signed(value), LEFT - 6, y(value) + 4, colors.muted, { align: "right" }));
    stroke(context, [[LEFT, TOP - 6], [LEFT, BOTTOM + 6], [WIDTH, BOTTOM + 6]], colors.line, 1);
    text(context, "log p(x, z)", 0, TOP - 18, colors.text);
    text(context, `step ${this.path.length - 1}`, WIDTH, SIZE - 10, colors.muted, { align: "right" });
    text(context, "0", LEFT, SIZE - 10, colors.muted, { align: "center" });
    stroke(context, [[LEFT, y(this.top)], [WIDTH, y(this.top)]], colors.blue, 1.5, [5, 4]);
    text(context, "best of the map", WIDTH, y(this.top) + 16, colors.blue, { align: "right", halo: colors.ground });
    stroke(context, values.map((value, t) => [x(t), y(value)]), colors.vermillion, 2);
    dot2(context, x(this.shown), y(this.path[this.shown].value), 5, colors.vermillion, colors.ground);
  }
}

const isLost = (z) => !(Math.hypot(...z) < LOST);

export default {
  render(widget) {
    return new Walk(widget).cleanup();
  },
};

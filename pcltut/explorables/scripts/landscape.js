// The energy landscape of a half-seen garment: two errors at a latent that a reader moves, and the posterior's valleys.

import { unpackDecoder } from "./core.js";
import { Explorable, dot2, drawImage, heatMap, percent, stroke, text } from "./page.js";
import { Grid, Plane, bar, segments } from "./charts.js";

const [SIZE, CELLS] = [360, 71]; // of the plane's drawing and of its grid, a side
const REACH = 3.5; // the plane is shown, and summed over, from -REACH to REACH
const ROWS = 28;
const SILL = 0.5; // nats: a dent from which the way out is lower than this is no valley
const LEVELS = [1, 4, 16, 64, 256]; // contour lines, in nats above the lowest point
const THUMB = 62; // the side of a valley's picture

const grid = new Grid(REACH, CELLS);
const plane = new Plane(SIZE, REACH);
const halfSquare = (values) => values.reduce((sum, value) => sum + value * value, 0) / 2;

export function errorsAt(network, z, seen) {
  // The two terms of the energy, with sigma = 1; the constant (D + d) / 2 log 2 pi is left out.
  const misses = network.decode(z, seen.length).map((mean, i) => seen[i] - mean);
  const [pixels, prior] = [misses, z].map(halfSquare);
  return { pixels, prior, energy: pixels + prior };
}

export class EnergyGrid {
  // Of a picture's first rows. Hidden layers do not know of rows: they, and each row of pixels, are evaluated once.
  constructor(network, picture) {
    const { inputs, matrix, bias } = network.layers[network.layers.length - 1];
    Object.assign(this, { picture, width: inputs, matrix, bias });
    this.hidden = new Float64Array(grid.points.length * inputs);
    this.known = [Float64Array.from(grid.points, halfSquare)]; // with 0, 1, 2, ... rows; the first is the prior's
    grid.points.forEach((z, i) => this.hidden.set(network.forward(z, 0).inputs.at(-1), i * inputs));
  }

  energies(rows) {
    while (this.known.length <= rows) this.addRow();
    return this.known[rows];
  }

  addRow() {
    const { width, hidden, matrix, bias, picture } = this;
    const first = (this.known.length - 1) * 28;
    this.known.push(this.known.at(-1).map((energy, cell) => {
      for (let pixel = first; pixel < first + 28; pixel++) {
        let [even, odd] = [bias[pixel], 0]; // two sums, since one would have to wait for itself
        for (let j = 0, k = pixel * width, h = cell * width; j < width; j += 2, k += 2, h += 2) {
          even += matrix[k] * hidden[h];
          odd += matrix[k + 1] * hidden[h + 1];
        }
        energy += (picture[pixel] - even - odd) ** 2 / 2;
      }
      return energy;
    }));
  }
}

export function survey(energies) {
  // The posterior on the grid: its lowest energy, its valleys, and the smallest area that holds 95 % of it, which
  // is all that lies below one level of the energy.
  const order = [...energies.keys()].sort((a, b) => energies[a] - energies[b]);
  const lowest = energies[order[0]];
  const weights = energies.map((energy) => Math.exp(lowest - energy));
  const total = weights.reduce((a, b) => a + b);
  let [sum, n] = [0, 0];
  while (sum + weights[order[n]] < 0.95 * total) sum += weights[order[n++]];
  const area = (n + (0.95 * total - sum) / weights[order[n]]) * grid.spacing ** 2;
  const owner = grid.valleys(energies, SILL);
  const shares = new Map();
  owner.forEach((valley, i) => shares.set(valley, (shares.get(valley) ?? 0) + weights[i] / total));
  const valleys = [...shares].map(([cell, share]) => ({ cell, share, z: grid.points[cell], energy: energies[cell] }));
  return { lowest, area, level: energies[order[n]], owner, valleys: valleys.sort((a, b) => b.share - a.share) };
}

export function descend(network, z, seen) {
  // The way down the energy from z: steps against its gradient, no longer than .1, shorter where one would climb.
  const path = [z];
  let now = network.logJointAndScore(z, seen, 1);
  for (let i = 0, rate = 0.05; i < 150 && rate > 1e-5; i++) {
    const size = Math.min(rate, 0.1 / Math.hypot(...now.score));
    const there = plane.clip(z.map((value, k) => value + size * now.score[k]));
    const next = network.logJointAndScore(there, seen, 1);
    const falls = next.value > now.value;
    rate = falls ? 1.3 * size : size / 2;
    if (falls) {
      [z, now] = [there, next];
      path.push(z);
    }
    if (Math.hypot(...now.score) < 1e-3) break;
  }
  return path;
}

class LandscapeOfEnergy extends Explorable {
  constructor(widget) {
    super(widget);
    this.network = unpackDecoder(this.model.get("decoder"));
    this.grid = new EnergyGrid(this.network, this.model.get("picture"));
    const move = (z) => this.set("z", plane.clip(z));
    this.plane = this.canvas({
      label: "The latent plane: the energy as shading and contour lines, the valleys with their share of the posterior "
        + "and their picture, and a handle that the arrow keys move.",
      width: SIZE, height: SIZE,
      draw: (context, colors) => this.drawPlane(context, colors),
      keys: (dx, dy, far) => move(this.model.get("z").map((value, k) => value + (far ? 0.5 : 0.1) * [dx, dy][k])),
    });
    this.drag(this.plane, (x, y) => move(plane.under(x, y)));
    this.canvas({
      label: "The rows seen beside the picture decoded at the handle, and the energy there as the sum of two errors.",
      width: 300, height: SIZE,
      draw: (context, colors) => this.drawErrors(context, colors),
    });
    this.slider("rows", { label: "rows seen", min: 0, max: ROWS, change: () => this.look() });
    this.watch("z", () => this.show());
    this.button("Roll downhill", () => this.roll());
    this.priorArea = survey(this.grid.energies(0)).area;
    this.look(); // then the rows not asked for yet, one at a time, so that the slider finds them ready
    const timer = setInterval(() => (this.grid.known.length > ROWS ? clearInterval(timer) : this.grid.addRow()), 60);
    this.undo.push(() => clearInterval(timer));
  }

  roll() {
    const path = descend(this.network, this.model.get("z"), this.seen);
    this.set("z", path.at(-1));
    this.path = path;
    this.plane.redraw();
  }

  look() {
    this.seen = this.model.get("picture").slice(0, 28 * this.model.get("rows"));
    this.energies = this.grid.energies(this.model.get("rows"));
    this.survey = survey(this.energies);
    const { lowest, level, valleys } = this.survey;
    const contour = (height) => grid.contour(this.energies, height).map((ends) => ends.map((z) => plane.at(z)));
    this.contours = LEVELS.map((height) => contour(lowest + height));
    this.border = contour(level); // of the 95 %
    this.shown = valleys.slice(0, 2).filter((valley) => valley.share > 0.02);
    const bottoms = this.shown.map(({ z }) => descend(this.network, z, this.seen).at(-1));
    this.lowest = Math.min(...bottoms.map((z) => errorsAt(this.network, z, this.seen).energy));
    this.show();
  }

  show() {
    const z = this.model.get("z");
    this.path = [];
    this.here = errorsAt(this.network, z, this.seen);
    const { survey: { area }, lowest, shown } = this;
    this.say(this.finding(), {
      ...this.here, lowest, area, z, shares: shown.map(({ share }) => share), valleys: shown.map((valley) => valley.z),
    });
    this.redraw();
  }

  finding() {
    const { area, owner } = this.survey;
    const rows = this.model.get("rows");
    if (rows === 0) return "Nothing is seen, so the energy is the latent error alone: one round bowl. The posterior "
      + `is the prior: 95 % of it fills an area of ${decimals(area)}, and every garment is still possible.`;
    const [first, second] = this.shown;
    const seen = rows === 1 ? "One row is" : rows === ROWS ? "All 28 rows are" : `${rows} rows are`;
    const [one, other] = isLeft(first, second) ? ["left", "right"] : ["right", "left"];
    const law = second
      ? `${seen} seen, and two answers fit: the ${one} valley holds ${percent(first.share)} of the posterior, the `
        + `${other} one ${percent(second.share)}.`
      : `${seen} seen, and ${area > 5 ? "the one valley is wide" : "one answer is left"}: 95 % of the posterior fills `
        + `an area of ${decimals(area)}, where 95 % of the prior fills ${decimals(this.priorArea)}.`;
    const above = this.here.energy - this.lowest;
    if (above < 1) return `${law} Your z is a good one: less than a nat above the lowest point.`;
    const mine = owner[grid.cellAt(this.model.get("z"))];
    const why = !this.shown.some(({ cell }) => cell === mine) ? "in another valley that has next to no posterior"
      : this.here.pixels > this.here.prior ? "mostly because its picture misses what is seen"
      : "mostly because the prior finds it unlikely";
    return `${law} Your z is ${above.toFixed(1)} nats above the lowest point, ${why}.`;
  }

  drawPlane(context, colors) {
    const { lowest } = this.survey;
    const shade = (energy) => Math.max(0, 0.9 * (1 - Math.log2(1 + energy - lowest) / 7));
    heatMap(context, this.energies, CELLS, 0, 0, SIZE, SIZE, colors.blue, shade);
    this.contours.forEach((pieces) => segments(context, pieces, colors.text, 0.6));
    segments(context, this.border, colors.text, 2.5);
    this.drawHeights(context, colors);
    this.shown.forEach((valley, k) => this.drawValley(context, colors, valley, k));
    stroke(context, this.path.map((z) => plane.at(z)), colors.vermillion, 3);
    const [x, y] = plane.at(this.model.get("z"));
    dot2(context, x, y, 8, colors.vermillion, colors.ground);
    const beside = x > SIZE - 25 ? -20 : 11;
    text(context, "z", x + beside, y + 5, colors.vermillion, { size: 16, weight: "bold", halo: colors.ground });
    plane.axes(context, colors, [[-2, "−2"], 0, 2]);
  }

  drawHeights(context, colors) {
    // The numbers of the contour lines, where they cross the way from the lowest point to the plane's lower edge.
    const [lowest] = [...this.survey.valleys].sort((a, b) => a.energy - b.energy);
    let [x, last] = plane.at(lowest.z);
    LEVELS.forEach((height) => {
      let i = lowest.cell;
      while (i < CELLS * (CELLS - 1) && this.energies[i] - lowest.energy < height) i += CELLS;
      const [, y] = plane.at(grid.points[i]);
      if (y > SIZE - 24 || y < last + 14) return;
      last = y;
      const style = { size: 12, align: "center", halo: colors.ground };
      text(context, height > 1 ? `${height} nats` : "1", x, y + 4, colors.text, style);
    });
  }

  drawValley(context, colors, valley, k) {
    // The picture at a valley's lowest point, with its share, above the valley, the left one to the left.
    const left = isLeft(valley, this.shown[1 - k]);
    const x = left ? 28 : SIZE - 28 - THUMB;
    segments(context, [[[x + THUMB / 2, 10 + THUMB], plane.at(valley.z)]], colors.text, 1);
    drawImage(context, this.network.decode(valley.z), x, 10, THUMB);
    text(context, percent(valley.share), left ? x + THUMB + 6 : x - 6, 30, colors.text,
      { size: 18, weight: "bold", align: left ? "left" : "right", halo: colors.ground });
  }

  drawErrors(context, colors) {
    const { lowest, here: { pixels, prior }, survey: { area } } = this;
    text(context, "x, the rows seen", 0, 14, colors.text);
    drawImage(context, this.model.get("picture"), 0, 22, 140, this.seen.length);
    text(context, "f(z), the decoder's picture", 300, 14, colors.vermillion, { align: "right" });
    drawImage(context, this.network.decode(this.model.get("z")), 160, 22, 140);
    const edge = 22 + 5 * this.model.get("rows");
    segments(context, [[[0, edge], [140, edge]], [[160, edge], [300, edge]]], colors.vermillion, 2);
    const wide = 300 / (20 + 2 * lowest); // of a nat; the same wherever z is
    const end = (nats) => Math.min(300, nats * wide);
    const errorBar = (words, y, first, second) => {
      const sum = first + second;
      text(context, words, 0, y, colors.text);
      text(context, `${sum.toFixed(1)} nats`, 300, y, colors.text, { align: "right", weight: "bold" });
      bar(context, 0, y + 7, end(first), 14, colors.green);
      bar(context, end(first), y + 7, end(sum) - end(first), 14, colors.yellow);
      if (sum * wide > 300) text(context, "»", 297, y + 19, colors.ground, { align: "right", size: 16 }); // and on
    };
    errorBar("pixel error  ½ |x − f(z)|² / σ²", 190, pixels, 0);
    errorBar("latent error  ½ |z|²", 234, 0, prior);
    errorBar("energy, their sum", 278, pixels, prior);
    segments(context, [[[lowest * wide, 281], [lowest * wide, 303]]], colors.text, 2);
    text(context, `lowest ${lowest.toFixed(1)}`, Math.max(0, lowest * wide - 30), 316, colors.text);
    text(context, `thick line: 95 % of the posterior, area ${decimals(area)}`, 0, 348, colors.text);
  }
}

const decimals = (area) => area.toFixed(area < 1 ? 2 : 1);
const isLeft = (valley, other) => valley.z[0] < (other ? other.z[0] : 0);

export default {
  render(widget) {
    return new LandscapeOfEnergy(widget).cleanup();
  },
};

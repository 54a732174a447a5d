// The energy landscape of a half-seen garment: two errors at a latent that a reader moves, and the posterior's valleys.

import { Decoder, unpackHalves } from "./core.js";
import { Explorable, dot2, drawImage, heatMap, percent, text } from "./page.js";

const SIZE = 360; // of the plane's drawing
const REACH = 3.5; // the plane is shown, and summed over, from -REACH to REACH
const CELLS = 71; // of the grid, a side
const ROWS = 28;
const SILL = 0.5; // nats: a dent from which the way out is lower than this is no valley
const LEVELS = [1, 4, 16, 64, 256]; // contour lines, in nats above the lowest point
const THUMB = 62; // the side of a valley's picture

const spacing = (2 * REACH) / (CELLS - 1);
const toX = (z) => ((z + REACH) / (2 * REACH)) * SIZE;
const toY = (z) => SIZE - toX(z);
const pointOf = (i) => [(i % CELLS) * spacing - REACH, REACH - Math.floor(i / CELLS) * spacing];
const neighbors = Array.from({ length: CELLS * CELLS }, (_, i) => {
  const across = [i - 1, i, i + 1].filter((k) => k >= 0 && Math.abs((k % CELLS) - (i % CELLS)) < 2);
  return across.flatMap((k) => [k - CELLS, k, k + CELLS]).filter((k) => k !== i && k >= 0 && k < CELLS * CELLS);
});
const clip = (value) => Math.max(-REACH, Math.min(REACH, value));
const halfSquare = (values) => values.reduce((sum, value) => sum + value * value, 0) / 2;

export function errorsAt(network, z, seen) {
  // The two terms of the energy, with sigma = 1; the constant (D + d) / 2 log 2 pi is left out.
  const pixels = halfSquare(network.decode(z, seen.length).map((mean, i) => seen[i] - mean));
  const prior = halfSquare(z);
  return { pixels, prior, energy: pixels + prior };
}

export class EnergyGrid {
  // The energy of a picture's first rows, at each point of the grid, row by row from the top of the plane.
  // The hidden layers do not know of rows: they are evaluated once, and each row of pixels once, when it is needed.
  constructor(network, picture) {
    const { inputs, matrix, bias } = network.layers[network.layers.length - 1];
    Object.assign(this, { picture, width: inputs, matrix, bias });
    this.hidden = new Float64Array(CELLS * CELLS * inputs);
    this.known = [new Float64Array(CELLS * CELLS)]; // energies with 0, 1, 2, ... rows; the first is the prior's
    for (let i = 0; i < CELLS * CELLS; i++) {
      this.hidden.set(network.forward(pointOf(i), 0).inputs.at(-1), i * inputs);
      this.known[0][i] = halfSquare(pointOf(i));
    }
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
  const area = (n + (0.95 * total - sum) / weights[order[n]]) * spacing ** 2;
  const owner = flood(energies, order);
  const shares = new Map();
  owner.forEach((valley, i) => shares.set(valley, (shares.get(valley) ?? 0) + weights[i] / total));
  const valleys = [...shares].map(([cell, share]) => ({ cell, share, z: pointOf(cell), energy: energies[cell] }));
  return { lowest, area, level: energies[order[n]], owner, valleys: valleys.sort((a, b) => b.share - a.share) };
}

function flood(energies, order) {
  // For each cell the lowest cell of its valley. Water rises: a cell joins the valley of its lowest neighbor under
  // water. Where two valleys meet, the shallower one is merged into the other unless it is SILL deep.
  const parent = new Int32Array(energies.length).fill(-1); // -1: dry
  const root = (i) => (parent[i] === i ? i : root(parent[i]));
  for (const i of order) {
    const wet = neighbors[i].filter((next) => parent[next] >= 0).sort((a, b) => energies[a] - energies[b]);
    parent[i] = wet.length ? root(wet[0]) : i;
    const [deepest, ...others] = [...new Set(wet.map(root))].sort((a, b) => energies[a] - energies[b]);
    others.filter((valley) => energies[i] - energies[valley] < SILL).forEach((valley) => (parent[valley] = deepest));
  }
  return parent.map((_, i) => root(i));
}

export function descend(network, z, seen) {
  // The way down the energy from z: steps against its gradient, no longer than .1, shorter where one would climb.
  const path = [z];
  let now = network.logJointAndScore(z, seen, 1);
  for (let i = 0, rate = 0.05; i < 150 && rate > 1e-5; i++) {
    const size = Math.min(rate, 0.1 / Math.hypot(...now.score));
    const there = z.map((value, k) => clip(value + size * now.score[k]));
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

export function contour(energies, level) {
  // Pieces of the line where the energy is `level`: pairs of points in the drawing, one pair a triangle of the grid.
  const pieces = [];
  const corner = (i) => ({ x: toX(pointOf(i)[0]), y: toY(pointOf(i)[1]), height: energies[i] - level });
  for (let i = 0; i < CELLS * (CELLS - 1); i++) {
    if (i % CELLS === CELLS - 1) continue;
    const square = [i, i + 1, i + CELLS, i + CELLS + 1];
    if (square.every((k) => energies[k] > level) || square.every((k) => energies[k] <= level)) continue;
    const [a, b, c, d] = square.map(corner);
    for (const triangle of [[a, b, c], [b, c, d]]) {
      const ends = [];
      triangle.forEach((from, k) => {
        const to = triangle[(k + 1) % 3];
        if (from.height > 0 === to.height > 0) return;
        const share = from.height / (from.height - to.height);
        ends.push([from.x + share * (to.x - from.x), from.y + share * (to.y - from.y)]);
      });
      if (ends.length) pieces.push(ends);
    }
  }
  return pieces;
}

class LandscapeOfEnergy extends Explorable {
  constructor(widget) {
    super(widget);
    const { sizes, weights } = this.model.get("decoder");
    this.network = new Decoder(sizes, unpackHalves(weights));
    this.grid = new EnergyGrid(this.network, this.model.get("picture"));
    const move = (z) => this.set("z", z.map(clip));
    this.plane = this.canvas({
      label: "The latent plane: the energy as shading and contour lines, the valleys with their share of the posterior "
        + "and their picture, and a handle that the arrow keys move.",
      width: SIZE, height: SIZE,
      draw: (context, colors) => this.drawPlane(context, colors),
      keys: (dx, dy, far) => move(this.model.get("z").map((value, k) => value + (far ? 0.5 : 0.1) * [dx, dy][k])),
    });
    this.drag(this.plane, (x, y) => move([(x / SIZE) * 2 * REACH - REACH, REACH - (y / SIZE) * 2 * REACH]));
    this.errors = this.canvas({
      label: "The rows seen beside the picture decoded at the handle, and the energy there as the sum of two errors.",
      width: 300, height: SIZE,
      draw: (context, colors) => this.drawErrors(context, colors),
    });
    this.slider("rows", { label: "rows seen", min: 0, max: ROWS, change: () => this.look() });
    this.watch("z", () => this.show());
    this.button("Roll downhill", () => this.roll());
    this.priorArea = survey(this.grid.energies(0)).area;
    this.look();
    this.prepare();
  }

  prepare() {
    // The rows not asked for yet, one at a time, so that the slider finds them ready.
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
    const { lowest, level } = this.survey;
    this.contours = LEVELS.map((height) => contour(this.energies, lowest + height));
    this.border = contour(this.energies, level); // of the 95 %
    this.shown = this.survey.valleys.slice(0, 2).filter((valley) => valley.share > 0.02);
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
    this.plane.redraw();
    this.errors.redraw();
  }

  finding() {
    const { area, owner } = this.survey;
    const rows = this.model.get("rows");
    if (rows === 0) {
      return "Nothing is seen, so the energy is the latent error alone: one round bowl. The posterior is the prior: "
        + `95 % of it fills an area of ${decimals(area)}, and every garment is still possible.`;
    }
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
    const mine = owner[cellAt(this.model.get("z"))];
    const why = !this.shown.some(({ cell }) => cell === mine) ? "in another valley that has next to no posterior"
      : this.here.pixels > this.here.prior ? "mostly because its picture misses what is seen"
      : "mostly because the prior finds it unlikely";
    return `${law} Your z is ${above.toFixed(1)} nats above the lowest point, ${why}.`;
  }

  drawPlane(context, colors) {
    const { energies, survey: { lowest } } = this;
    const shade = (energy) => Math.max(0, 0.9 * (1 - Math.log2(1 + energy - lowest) / 7));
    heatMap(context, energies, CELLS, 0, 0, SIZE, SIZE, colors.blue, shade);
    this.contours.forEach((pieces) => drawLine(context, pieces, colors.text, 0.6));
    drawLine(context, this.border, colors.text, 2.5);
    this.drawHeights(context, colors);
    this.shown.forEach((valley, k) => this.drawValley(context, colors, valley, k));
    const way = this.path.map((z) => [toX(z[0]), toY(z[1])]);
    drawLine(context, way.slice(1).map((to, i) => [way[i], to]), colors.vermillion, 3);
    const [x, y] = [toX(this.model.get("z")[0]), toY(this.model.get("z")[1])];
    dot2(context, x, y, 8, colors.vermillion, colors.ground);
    const beside = x > SIZE - 25 ? -20 : 11;
    text(context, "z", x + beside, y + 5, colors.vermillion, { size: 16, weight: "bold", halo: colors.ground });
    context.strokeStyle = colors.line;
    context.lineWidth = 1;
    context.strokeRect(0.5, 0.5, SIZE - 1, SIZE - 1);
    for (const [tick, words] of [[-2, "−2"], [0, "0"], [2, "2"]]) {
      text(context, words, toX(tick), SIZE - 6, colors.text, { align: "center" });
      text(context, words, 5, toY(tick) + 4, colors.text);
    }
    text(context, "z₁", SIZE - 22, SIZE - 6, colors.text);
    text(context, "z₂", 5, 18, colors.text);
  }

  drawHeights(context, colors) {
    // The numbers of the contour lines, where they cross the way from the lowest point to the plane's lower edge.
    const [lowest] = [...this.survey.valleys].sort((a, b) => a.energy - b.energy);
    let last = toY(lowest.z[1]);
    LEVELS.forEach((height) => {
      let i = lowest.cell;
      while (i < CELLS * (CELLS - 1) && this.energies[i] - lowest.energy < height) i += CELLS;
      const y = toY(pointOf(i)[1]);
      if (y > SIZE - 24 || y < last + 14) return;
      last = y;
      text(context, height > 1 ? `${height} nats` : "1", toX(lowest.z[0]), y + 4, colors.text,
        { size: 12, align: "center", halo: colors.ground });
    });
  }

  drawValley(context, colors, valley, k) {
    // The picture at a valley's lowest point, with its share, above the valley, the left one to the left.
    const left = isLeft(valley, this.shown[1 - k]);
    const x = left ? 28 : SIZE - 28 - THUMB;
    drawLine(context, [[[x + THUMB / 2, 10 + THUMB], [toX(valley.z[0]), toY(valley.z[1])]]], colors.text, 1);
    drawImage(context, this.network.decode(valley.z), x, 10, THUMB);
    text(context, percent(valley.share), left ? x + THUMB + 6 : x - 6, 30, colors.text,
      { size: 18, weight: "bold", align: left ? "left" : "right", halo: colors.ground });
  }

  drawErrors(context, colors) {
    const { lowest, here, survey: { area } } = this;
    text(context, "x, the rows seen", 0, 14, colors.text);
    drawImage(context, this.model.get("picture"), 0, 22, 140, this.seen.length);
    text(context, "f(z), the decoder's picture", 300, 14, colors.vermillion, { align: "right" });
    drawImage(context, this.network.decode(this.model.get("z")), 160, 22, 140);
    const edge = 22 + 5 * this.model.get("rows");
    drawLine(context, [[[0, edge], [140, edge]], [[160, edge], [300, edge]]], colors.vermillion, 2);
    const wide = 300 / (20 + 2 * lowest); // of a nat; the same wherever z is
    const bar = (words, y, ...parts) => {
      const sum = parts.reduce((total, [value]) => total + value, 0);
      text(context, words, 0, y, colors.text);
      text(context, `${sum.toFixed(1)} nats`, 300, y, colors.text, { align: "right", weight: "bold" });
      let from = 0;
      for (const [value, color] of parts) {
        const to = Math.min(300, from + value * wide);
        context.fillStyle = color;
        context.fillRect(from, y + 7, to - from, 14);
        from = to;
      }
      if (sum * wide > 300) text(context, "»", 297, y + 19, colors.ground, { align: "right", size: 16 }); // and on
    };
    const [pixels, prior] = [[here.pixels, colors.green], [here.prior, colors.yellow]];
    bar("pixel error  ½ |x − f(z)|² / σ²", 190, pixels);
    bar("latent error  ½ |z|²", 234, prior);
    bar("energy, their sum", 278, pixels, prior);
    drawLine(context, [[[lowest * wide, 281], [lowest * wide, 303]]], colors.text, 2);
    text(context, `lowest ${lowest.toFixed(1)}`, Math.max(0, lowest * wide - 30), 316, colors.text);
    text(context, `thick line: 95 % of the posterior, area ${decimals(area)}`, 0, 348, colors.text);
  }
}

const decimals = (area) => area.toFixed(area < 1 ? 2 : 1);
const isLeft = (valley, other) => valley.z[0] < (other ? other.z[0] : 0);
const cellAt = (z) => Math.round((REACH - z[1]) / spacing) * CELLS + Math.round((z[0] + REACH) / spacing);

function drawLine(context, pieces, color, width) {
  context.beginPath();
  pieces.forEach(([from, to]) => (context.moveTo(...from), context.lineTo(...to)));
  context.strokeStyle = color;
  context.lineWidth = width;
  context.lineCap = "round";
  context.stroke();
}

export default {
  render(widget) {
    return new LandscapeOfEnergy(widget).cleanup();
  },
};

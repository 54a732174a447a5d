// What several explorables draw: a plane of latents, values on its grid, shapes, bars, and charts with axes.

import { stroke, text } from "./page.js";

export const clamp = (low, value, high) => Math.max(low, Math.min(high, value));
export const scale = (low, high, from, to) => (value) => from + ((value - low) / (high - low)) * (to - from);

export function logScale(low, high, from, to) {
  const linear = scale(Math.log(low), Math.log(high), from, to);
  return (value) => linear(Math.log(value));
}

export class Plane {
  // A square drawing of the points within `reach` of `middle`, the second latent upward.
  constructor(size, reach, middle = [0, 0]) {
    Object.assign(this, { size, reach, middle, unit: size / (2 * reach) });
  }

  at([a, b]) {
    // Where a point lies in the drawing.
    const { size, reach, middle } = this;
    return [(size / 2) * (1 + (a - middle[0]) / reach), (size / 2) * (1 - (b - middle[1]) / reach)];
  }

  under(x, y) {
    // The point that lies there in the drawing.
    const { size, reach, middle } = this;
    return [middle[0] + reach * ((2 * x) / size - 1), middle[1] + reach * (1 - (2 * y) / size)];
  }

  clip(z) {
    return z.map((value, k) => clamp(this.middle[k] - this.reach, value, this.middle[k] + this.reach));
  }

  axes(context, colors, ticks) {
    // A frame, ticks along two edges, and the latents' names.
    const { size } = this;
    frame(context, 0.5, 0.5, size - 1, size - 1, colors.line);
    for (const [value, words] of ticks.map(told)) {
      const [x, y] = this.at([value, value]);
      text(context, words, x, size - 6, colors.text, { align: "center" });
      text(context, words, 5, y + 4, colors.text);
    }
    text(context, "z₁", size - 22, size - 6, colors.text);
    text(context, "z₂", 5, 18, colors.text);
  }
}

// --- Values on a square grid of the plane, row by row from the top. ---

export class Grid {
  // So many points a side, from -reach to reach.
  constructor(reach, side) {
    Object.assign(this, { reach, side, spacing: (2 * reach) / (side - 1) });
    this.points = Array.from({ length: side ** 2 }, (_, i) => [
      (i % side) * this.spacing - reach, reach - Math.floor(i / side) * this.spacing,
    ]);
    const near = (cell) => [cell - 1, cell, cell + 1].filter((next) => next >= 0 && next < side);
    this.around = this.points.map((_, i) => // up to eight neighbors each
      near(Math.floor(i / side)).flatMap((row) => near(i % side).map((column) => row * side + column))
        .filter((next) => next !== i));
  }

  cellAt([a, b]) {
    // The nearest point's index.
    const cell = (value) => clamp(0, Math.round((value + this.reach) / this.spacing), this.side - 1);
    return cell(-b) * this.side + cell(a);
  }

  valleys(energies, sill = 0) {
    // For each point the lowest one of its valley. Water rises: a point joins the valley of its lowest neighbor under
    // water. Where two valleys meet, the shallower one is merged into the other unless it is `sill` deep.
    const parent = new Int32Array(energies.length).fill(-1); // -1: dry
    const root = (i) => (parent[i] === i ? i : root(parent[i]));
    const byEnergy = (i, k) => energies[i] - energies[k];
    for (const i of [...energies.keys()].sort(byEnergy)) {
      const wet = this.around[i].filter((next) => parent[next] >= 0).sort(byEnergy);
      parent[i] = wet.length ? root(wet[0]) : i;
      const [deepest, ...others] = [...new Set(wet.map(root))].sort(byEnergy);
      others.filter((valley) => energies[i] - energies[valley] < sill).forEach((valley) => (parent[valley] = deepest));
    }
    return parent.map((_, i) => root(i));
  }

  contour(values, level) {
    // Pieces of the line where the value is `level`: pairs of points, one pair a triangle of the grid.
    const { side, points } = this;
    const pieces = [];
    const corner = (i) => ({ z: points[i], height: values[i] - level });
    for (let i = 0; i < side * (side - 1); i++) {
      if (i % side === side - 1) continue;
      const square = [i, i + 1, i + side, i + side + 1];
      if (square.every((k) => values[k] > level) || square.every((k) => values[k] <= level)) continue;
      const [a, b, c, d] = square.map(corner);
      for (const triangle of [[a, b, c], [b, c, d]]) {
        const ends = triangle.flatMap((from, k) => {
          const to = triangle[(k + 1) % 3];
          if (from.height > 0 === to.height > 0) return [];
          const share = from.height / (from.height - to.height);
          return [from.z.map((value, axis) => value + share * (to.z[axis] - value))];
        });
        if (ends.length) pieces.push(ends);
      }
    }
    return pieces;
  }
}

// --- Shapes. ---

export function ink(context, { fill, shade = 1, line, opacity = 1, width = 1, dash = [] }) {
  // Fills and outlines the path at hand; `shade` is the opacity of its area, `opacity` that of its outline.
  context.save();
  if (fill) {
    [context.fillStyle, context.globalAlpha] = [fill, shade];
    context.fill();
  }
  if (line) {
    [context.strokeStyle, context.globalAlpha, context.lineWidth] = [line, opacity, width];
    context.setLineDash(dash);
    context.stroke();
  }
  context.restore();
}

export function ellipse(context, [x, y], [long, thin], angle, style) {
  context.beginPath();
  context.ellipse(x, y, long, thin, angle, 0, 2 * Math.PI);
  ink(context, style);
}

export const circle = (context, center, radius, style) => ellipse(context, center, [radius, radius], 0, style);

export function polygon(context, points, style) {
  context.beginPath();
  points.forEach((point) => context.lineTo(...point));
  ink(context, style);
}

export function segments(context, pieces, color, width) {
  // Lines from one point to another, each of its own.
  context.beginPath();
  pieces.forEach(([from, to]) => (context.moveTo(...from), context.lineTo(...to)));
  context.lineCap = "round";
  ink(context, { line: color, width });
  context.lineCap = "butt";
}

export function bar(context, x, y, width, height, color, opacity = 1) {
  [context.fillStyle, context.globalAlpha] = [color, opacity];
  context.fillRect(x, y, width, height);
  context.globalAlpha = 1;
}

export function frame(context, x, y, width, height, color, line = 1) {
  [context.strokeStyle, context.lineWidth] = [color, line];
  context.strokeRect(x, y, width, height);
}

export function within(context, [left, top, right, bottom], paint) {
  // What `paint` draws outside of the box is cut off.
  context.save();
  context.beginPath();
  context.rect(left, top, right - left, bottom - top);
  context.clip();
  paint();
  context.restore();
}

// --- Axes. A tick is a number, or a number and the words for it. ---

const told = (tick) => (Array.isArray(tick) ? tick : [tick, String(tick)]);

export function xTicks(context, ticks, toX, y, color, align = "center") {
  for (const [value, words] of ticks.map(told)) text(context, words, toX(value), y, color, { size: 12, align });
}

export function yTicks(context, ticks, toY, [left, right], colors, { color = colors.muted, width = 0.5 } = {}) {
  // To the left of a chart, each with a line across it.
  for (const [value, words] of ticks.map(told)) {
    text(context, words, left - 6, toY(value) + 4, color, { size: 12, align: "right" });
    stroke(context, [[left, toY(value)], [right, toY(value)]], colors.line, width);
  }
}

export function chart(context, colors, { title, name, box, toX, toY, x, y }, paint) {
  // A title, ticks on both axes and the name of the x axis; what `paint` draws stays in the box.
  const [left, top, right, bottom] = box;
  text(context, title, 0, top - 14, colors.text, { weight: "bold" });
  text(context, name, (left + right) / 2, bottom + 34, colors.text, { align: "center" });
  xTicks(context, x, toX, bottom + 16, colors.muted);
  yTicks(context, y, toY, [left, right], colors);
  within(context, [left, top, right + 5, bottom], paint);
}

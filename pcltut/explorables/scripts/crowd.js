// A crowd of Langevin walkers on the posterior of a half-seen garment: the measured law beside the exact one.

import { Noise, langevinStep, logSumExp, unpackDecoder } from "./core.js";
import { Explorable, dot2, drawImage, heatMap, percent, stroke, text } from "./page.js";
import { Grid, Plane, bar, frame } from "./charts.js";

const SIZE = 360; // of the plane's drawing
const REACH = 3.5; // the plane is shown, and summed over, from -REACH to REACH
const CELLS = 71; // of the grid, a side
const LOST = 50; // a walker this far away will not come back
const TRAIL = 150;
const FORGOTTEN = 1; // in units of Langevin time, steps times step size, of which the prior's width forgets e^-1

const grid = new Grid(REACH, CELLS);
const plane = new Plane(SIZE, REACH);

export class Posterior {
  // log p(rows seen, z) on the grid, and the valleys of the energy.
  constructor(decoder, seen) {
    this.values = Float64Array.from(grid.points, (z) => heightAt(decoder, z, seen));
    this.top = this.values.reduce((a, b) => Math.max(a, b));
    this.valley = grid.valleys(this.values.map((value) => -value));
  }

  law(temperature) {
    // Mass of each cell under p^(1 / temperature), and the height above the valley's floor that it has on average.
    const scaled = this.values.map((value) => value / Math.max(temperature, 1e-3));
    const total = logSumExp(scaled);
    const mass = scaled.map((value) => Math.exp(value - total));
    return { mass, height: mass.reduce((sum, share, i) => sum + share * (this.top - this.values[i]), 0) };
  }
}

class CrowdOnPosterior extends Explorable {
  constructor(widget) {
    super(widget);
    this.network = unpackDecoder(this.model.get("decoder"));
    this.plane = this.canvas({
      label: "The latent plane: the exact law as shading, walkers as dots, one walker's path as a line. "
        + "Arrow keys put the whole crowd somewhere else.",
      width: SIZE, height: SIZE,
      draw: (context, colors) => this.drawPlane(context, colors),
      keys: (dx, dy) => this.gather(this.home.map((value, k) => value + 0.25 * [dx, dy][k])),
    });
    this.drag(this.plane, (x, y) => this.gather(plane.under(x, y)));
    this.canvas({
      label: "What one walker sees, and the share of the crowd and of the exact law in each valley.",
      width: 300, height: SIZE,
      draw: (context, colors) => this.drawPictures(context, colors),
    });
    const fresh = () => this.show();
    this.slider("step_size", { label: "step γ", min: 0.001, max: 0.2, step: 0.02, logarithmic: true,
      format: (value) => value.toPrecision(2), change: fresh });
    this.slider("temperature", { label: "temperature τ", min: 0, max: 4, step: 0.1,
      format: (value) => value.toFixed(1), change: fresh });
    this.slider("rows", { label: "rows seen", min: 1, max: 14, change: () => this.restart() });
    this.watch("seed", () => this.restart());
    this.restart();
    this.loop(() => (this.step(), this.show()));
    this.button("10 steps", () => this.advance(10));
    this.button("Start again", () => this.restart());
    this.figure.addEventListener("advance", (event) => this.advance(event.detail)); // for tests
  }

  restart() {
    const model = this.model;
    this.seen = model.get("picture").slice(0, 28 * model.get("rows"));
    this.posterior = new Posterior(this.network, this.seen);
    this.noise = new Noise(model.get("seed"));
    this.gather();
  }

  gather(point) {
    // All walkers to one point, or to draws from the prior.
    this.home = point ?? [0, 0];
    const start = () => (point ? plane.clip(point) : [...this.noise.normals(2)]);
    this.z = Array.from({ length: this.model.get("walkers") }, start);
    this.trail = [this.z[0]];
    this.time = 0;
    this.show();
  }

  advance(steps) {
    for (let i = 0; i < steps; i++) this.step();
    this.show();
  }

  step() {
    const [stepSize, temperature] = [this.model.get("step_size"), this.model.get("temperature")];
    this.z = this.z.map((z) => {
      const noise = this.noise.normals(2);
      if (isLost(z)) return z;
      return langevinStep(z, this.network.logJointAndScore(z, this.seen, 1).score, stepSize, temperature, noise);
    });
    this.trail = [...this.trail.slice(-TRAIL), this.z[0]];
    this.time += 1;
  }

  show() {
    const { posterior } = this;
    const temperature = this.model.get("temperature");
    this.law = posterior.law(temperature);
    const there = this.z.filter((z) => !isLost(z));
    const cells = there.map((z) => grid.cellAt(z));
    const shares = new Map();
    const add = (valley, kind, share) => {
      const entry = shares.get(valley) ?? { valley, exact: 0, crowd: 0 };
      entry[kind] += share;
      shares.set(valley, entry);
    };
    this.law.mass.forEach((mass, i) => add(posterior.valley[i], "exact", mass));
    cells.forEach((cell) => add(posterior.valley[cell], "crowd", 1 / there.length));
    const ranked = [...shares.values()].sort((a, b) => b.exact - a.exact);
    this.valleys = ranked.filter((entry) => entry.exact > 0.03 || entry.crowd > 0.03).slice(0, 3);
    const heights = there.map((z) => posterior.top - heightAt(this.network, z, this.seen));
    const height = heights.reduce((sum, value) => sum + value, 0) / there.length;
    this.tell(height, this.z.length - there.length);
    this.redraw();
  }

  tell(height, lost) {
    const [step, temperature] = [this.model.get("step_size"), this.model.get("temperature")];
    const [first] = this.valleys;
    const chance = Math.sqrt((first.exact * (1 - first.exact)) / this.z.length + 1e-9);
    const off = Math.abs(first.crowd - first.exact) / chance;
    const fact = `After ${this.time} steps ${percent(first.crowd)} of the walkers are in the first valley, where the `
      + `law has ${percent(first.exact)}.`;
    let finding;
    if (lost) {
      finding = `The step is beyond the edge of stability: ${lost} of ${this.z.length} walkers are gone for good.`;
    } else if (temperature === 0) {
      finding = "Without noise each walker climbs to the top of its valley and stays there.";
    } else if (this.time * step < FORGOTTEN) {
      finding = "The crowd has not forgotten its start yet.";
    } else if (height > 1.5 * this.law.height) {
      finding = "The step is too large for a law this narrow: the crowd settles, and settles wrongly.";
    } else if (off > 3) {
      finding = "The wall between the valleys is high: it takes long until as many cross it as should.";
    } else {
      finding = "Crowd and law agree, up to the chance of a hundred walkers.";
    }
    if (temperature > 1 && !lost) {
      finding += " Above temperature 1 the law is flatter than the posterior, and walls are lower.";
    }
    this.say(`${fact} ${finding}`, {
      time: this.time, lost, height, exactHeight: this.law.height, crowd: first.crowd, exact: first.exact,
      first: this.z[0],
    });
  }

  drawPlane(context, colors) {
    const peak = this.law.mass.reduce((a, b) => Math.max(a, b));
    heatMap(context, this.law.mass, CELLS, 0, 0, SIZE, SIZE, colors.blue, (mass) => 0.85 * Math.sqrt(mass / peak));
    frame(context, 0.5, 0.5, SIZE - 1, SIZE - 1, colors.line);
    this.z.forEach((z) => dot2(context, ...plane.at(z), 2.5, colors.text, colors.ground));
    stroke(context, this.trail.map((z) => plane.at(z)), colors.vermillion, 1.5);
    dot2(context, ...plane.at(this.z[0]), 6, colors.vermillion, colors.ground);
    this.valleys.forEach(({ valley }, k) => {
      const [x, y] = plane.at(grid.points[valley]);
      text(context, String(k + 1), x + 8, y - 8, colors.text, { size: 18, weight: "bold", halo: colors.ground });
    });
    text(context, "z₁", SIZE - 22, SIZE - 8, colors.text);
    text(context, "z₂", 8, 18, colors.text);
  }

  drawPictures(context, colors) {
    const walker = isLost(this.z[0]) ? [0, 0] : this.z[0];
    const seenPicture = this.model.get("picture");
    text(context, "seen", 0, 14, colors.text);
    drawImage(context, seenPicture, 0, 22, 140, this.seen.length);
    text(context, "the marked walker's answer", 300, 14, colors.vermillion, { align: "right" });
    drawImage(context, [...this.seen, ...this.network.decode(walker).slice(this.seen.length)], 160, 22, 140);
    this.valleys.forEach(({ valley, exact, crowd }, k) => {
      const y = 180 + 60 * k;
      text(context, String(k + 1), 0, y + 32, colors.text, { size: 18, weight: "bold" });
      drawImage(context, this.network.decode(grid.points[valley]), 18, y, 50);
      [[exact, colors.blue, "law"], [crowd, colors.vermillion, "crowd"]].forEach(([share, color, words], j) => {
        bar(context, 78, y + 4 + 23 * j, 100 * share, 18, color);
        text(context, `${words} ${percent(share)}`, 84 + 100 * share, y + 18 + 23 * j, color);
      });
    });
  }
}

const isLost = (z) => !(Math.hypot(...z) < LOST);

function heightAt(network, z, seen) {
  // log p(seen, z) up to a constant, with sigma = 1.
  let square = z[0] ** 2 + z[1] ** 2;
  network.decode(z, seen.length).forEach((mean, j) => (square += (seen[j] - mean) ** 2));
  return -square / 2;
}

export default {
  render(widget) {
    return new CrowdOnPosterior(widget).cleanup();
  },
};

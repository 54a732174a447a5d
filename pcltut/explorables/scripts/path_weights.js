// Langevin paths from the prior to the posterior and back: their log-weights close in on the evidence from both sides.

import { Noise, normalLogDensity } from "./core.js";
import { Explorable, dot2, stroke, text } from "./page.js";
import { bar, clamp, frame, polygon, scale } from "./charts.js";

const LOADING = Math.sqrt(8); // x = LOADING z + e: chapter 4's toy along the one direction that x tells about
const [PATHS, DRAWN] = [400, 24]; // paths each way, and how many of these are drawn; fewer where they are long
const [LONGEST, FARTHEST] = [256, 5]; // a path, in steps, and a datum, from 0
const [REACH, TOP, BOTTOM] = [3.1, 34, 312]; // the latents shown, -REACH to REACH, and where in the drawing
const [START, END] = [48, 282]; // where steps 0 and T are
const [ABOVE, BELOW, BIN] = [4.5, 16.5, 0.5]; // nats: shown above and below the evidence, and a bar of the histograms
const [AXIS, MIDDLE, RIM] = [34, 96, 158]; // the two histograms stand back to back in the middle

export const precision = (share) => 1 + share * LOADING ** 2; // of a bridge; share 1 is the posterior
export const meanOf = (x, share) => (share * LOADING * x) / precision(share);
export const logEvidence = (x) => normalLogDensity(x, 0, Math.sqrt(1 + LOADING ** 2));

export function ulaSteps(x, stepSize, numSteps, annealed) {
  // The t-th step, t = 1 .. T, goes to shrink[t] z + push[t] + sqrt(2 gamma) noise: it follows its bridge's score.
  const shares = Array.from({ length: numSteps + 1 }, (_, t) => (annealed ? t / numSteps : 1));
  const shrink = shares.map((share) => 1 - stepSize * precision(share));
  return { x, stepSize, numSteps, shrink, push: shares.map((share) => stepSize * share * LOADING * x) };
}

export function walkPath({ x, stepSize, numSteps, shrink, push }, noise, back = false) {
  // z_0 .. z_T, walked from the prior, or back from an exact draw of the posterior by the same steps in reverse order.
  // noise(0) gives the beginning, noise(i) moves the i-th step that is taken.
  const path = new Float64Array(numSteps + 1);
  const spread = Math.sqrt(2 * stepSize);
  path[back ? numSteps : 0] = back ? meanOf(x, 1) + noise(0) / Math.sqrt(precision(1)) : noise(0);
  for (let i = 1; i <= numSteps; i++) {
    const from = back ? numSteps + 1 - i : i - 1;
    const t = back ? from : i;
    path[back ? from - 1 : i] = shrink[t] * path[from] + push[t] + spread * noise(i);
  }
  return path;
}

export function logWeight({ x, stepSize, numSteps, shrink, push }, path) {
  // Of a path, whichever way it was walked: its density backward from p(x, z_T), over that forward from the prior.
  const last = path[numSteps];
  let total = normalLogDensity(x, LOADING * last, 1) + normalLogDensity(last, 0, 1) - normalLogDensity(path[0], 0, 1);
  for (let t = 1; t <= numSteps; t++) {
    const there = path[t] - shrink[t] * path[t - 1] - push[t];
    const back = path[t - 1] - shrink[t] * path[t] - push[t];
    total += (there ** 2 - back ** 2) / (4 * stepSize);
  }
  return total;
}

export function expectedBounds(steps) {
  // E[log w] over paths there and over paths back, exactly: log w is quadratic, and each z_t is normal.
  const { x, stepSize, numSteps, shrink, push } = steps;
  const last = (m, v) => normalLogDensity(x, LOADING * m, 1) + normalLogDensity(m, 0, 1) - (v * precision(1)) / 2;
  const first = (m, v) => normalLogDensity(m, 0, 1) - v / 2;
  const bound = (sign, order, m, v, value, end) => {
    for (const t of order) {
      // How far the step's end would have to jump to fall back on its beginning: its mean and variance.
      const [a, c] = [shrink[t], push[t]];
      const square = ((1 - a * a) * m - (1 + a) * c) ** 2 + (1 - a * a) ** 2 * v + 2 * stepSize * a * a;
      value += sign * (0.5 - square / (4 * stepSize));
      [m, v] = [a * m + c, a * a * v + 2 * stepSize];
    }
    return value + sign * end(m, v);
  };
  const upward = Array.from({ length: numSteps }, (_, i) => i + 1);
  const [mean, variance] = [meanOf(x, 1), 1 / precision(1)];
  return {
    lower: bound(1, upward, 0, 1, -first(0, 1), last),
    upper: bound(-1, upward.reverse(), mean, variance, last(mean, variance), first),
  };
}

export function bestStepSize(x, numSteps, annealed) {
  // Of some from .005 to .2, the one whose bounds are closest to each other, and how close.
  const tried = Array.from({ length: 17 }, (_, i) => {
    const stepSize = 0.005 * 40 ** (i / 16);
    const { lower, upper } = expectedBounds(ulaSteps(x, stepSize, numSteps, annealed));
    return { stepSize, gap: upper - lower };
  });
  return tried.reduce((best, next) => (next.gap < best.gap ? next : best));
}

const atLatent = scale(-REACH, REACH, BOTTOM, TOP);
const inSight = (z) => clamp(TOP - 8, atLatent(z), BOTTOM + 6);
const minus = (value, digits) => value.toFixed(digits).replace("-", "−");

class PathsThereAndBack extends Explorable {
  constructor(widget) {
    super(widget);
    this.paths = this.canvas({
      label: "Paths of latents against the step: those from the prior to the posterior in blue, those from the "
        + "posterior back in orange. Arrow keys up and down move the datum x.",
      width: 360, height: 340,
      draw: (context, colors) => this.drawPaths(context, colors),
      keys: (_, dy) => dy && this.moveDatum(this.model.get("x") + 0.25 * dy),
    });
    const answerTo = scale(BOTTOM, TOP, -REACH, REACH); // the latent, which then is the datum's posterior mean
    this.drag(this.paths, (_, y) => this.moveDatum((answerTo(y) * precision(1)) / LOADING));
    this.canvas({
      label: "Histograms of the log-weights of both kinds of paths, back to back, with their means, a lower and an "
        + "upper bound, and the exact log-evidence as a line between.",
      width: 300, height: 340,
      draw: (context, colors) => this.drawWeights(context, colors),
    });
    const change = () => this.compute();
    this.choice("schedule", { label: "each step follows", change,
      options: [["annealed", "its bridge (annealed)"], ["plain", "the posterior (plain)"]] });
    const logarithmic = true;
    this.slider("num_steps", { label: "steps T", min: 1, max: LONGEST + 1, step: Math.log10(2), logarithmic, change });
    this.slider("step_size", { label: "step size γ", min: 0.005, max: 0.2, step: Math.log10(40) / 32, logarithmic,
      format: (value) => value.toPrecision(2), change });
    this.button("Draw again", () => this.set("seed", this.model.get("seed") + 1));
    this.watch("x", change);
    this.watch("seed", () => this.restart());
    this.restart();
  }

  moveDatum(x) {
    this.set("x", Math.round(20 * clamp(-FARTHEST, x, FARTHEST)) / 20);
  }

  restart() {
    this.source = new Noise(this.model.get("seed"));
    this.noise = []; // one row a step, the start's first; made when a path first gets that long, and then kept
    this.compute();
  }

  compute() {
    const [x, stepSize, T] = [this.model.get("x"), this.model.get("step_size"), this.model.get("num_steps")];
    this.annealed = this.model.get("schedule") === "annealed";
    while (this.noise.length <= T) this.noise.push(this.source.normals(2 * PATHS));
    const steps = ulaSteps(x, stepSize, T, this.annealed);
    [this.there, this.back] = [false, true].map((back) => {
      const offset = back ? PATHS : 0;
      const paths = Array.from({ length: PATHS }, (_, i) => walkPath(steps, (t) => this.noise[t][i + offset], back));
      const logWeights = paths.map((path) => logWeight(steps, path));
      return { paths, logWeights, bound: logWeights.reduce((sum, value) => sum + value, 0) / PATHS };
    });
    this.evidence = logEvidence(x);
    this.tell(steps, expectedBounds(steps), bestStepSize(x, T, this.annealed));
    this.redraw();
  }

  tell(steps, expected, best) {
    const [lower, upper, evidence] = [this.there.bound, this.back.bound, this.evidence];
    const [gap, excess] = [upper - lower, (expected.upper - expected.lower) / best.gap];
    const fact = `The two means hold log p(x) between ${minus(lower, 2)} and ${minus(upper, 2)}, `
      + `${gap.toFixed(1)} nats apart.`;
    this.say(`${fact} ${this.finding(steps, gap, excess, best)}`, { lower, upper, evidence, gap,
      expectedLower: expected.lower, expectedUpper: expected.upper, bestStepSize: best.stepSize });
  }

  finding({ x, stepSize, numSteps }, gap, excess, best) {
    if (numSteps === 1) return "A single step goes straight for the posterior, hardly ever from there to the prior.";
    if (!this.annealed) {
      const { lower, upper } = expectedBounds(ulaSteps(x, stepSize, LONGEST, false));
      return "Every step leads to the posterior, so a path that starts there does not find back to the prior: "
        + `even ${LONGEST} steps leave about ${(upper - lower).toFixed(1)} nats.`;
    }
    const [small, large] = [false, true].map((side) => excess > 1.6 && stepSize > best.stepSize === side);
    if (small) return `These steps are too small: with ${numSteps} of them a path cannot keep up with its bridges.`;
    if (large) return "These steps are too large: they blur the bridges, and none of them is likely to be taken back.";
    if (gap > 1.2) return "There and back, the paths go nearly the same way; more steps would bring the bounds closer.";
    return "You can hardly tell by a path which way it was walked, and that is what pins the evidence down.";
  }

  drawPaths(context, colors) {
    const [x, T] = [this.model.get("x"), this.model.get("num_steps")];
    const { blue, vermillion, ground, text: ink } = colors;
    const at = scale(0, T, START, END);
    // The bridge that each step follows, two standard deviations wide.
    for (let t = 1; t <= T; t++) {
      const share = this.annealed ? t / T : 1;
      const [mean, width] = [meanOf(x, share), 2 / Math.sqrt(precision(share))];
      const [left, top] = [at(t - 1), atLatent(mean + width)];
      bar(context, left, top, at(t) - left + 0.3, atLatent(mean - width) - top, ink, 0.13);
    }
    drawBell(context, START - 8, -34, 0, 1, blue);
    drawBell(context, END + 8, 34, meanOf(x, 1), 1 / Math.sqrt(precision(1)), vermillion);
    const ways = [[this.there.paths, blue, 0], [this.back.paths, vermillion, T]];
    for (let i = 0; i < DRAWN * Math.min(1, 4 / Math.sqrt(T)); i++) {
      for (const [paths, color] of ways) {
        polygon(context, Array.from(paths[i], (z, t) => [at(t), inSight(z)]), { line: color, opacity: 0.6 });
      }
    }
    ways.forEach(([paths, color, begin]) => paths.slice(0, DRAWN).forEach((path) => {
      dot2(context, at(begin), inSight(path[begin]), 2.5, color);
    }));
    const [bold, right, halo] = [{ weight: "bold" }, { align: "right" }, { halo: ground }];
    const y = atLatent(meanOf(x, 1));
    dot2(context, END + 8, y, 7, vermillion, ground);
    for (const z of [-2, 0, 2]) text(context, minus(z, 0), 36, atLatent(z) + 5, ink, right);
    [["z ↑", 6, 18, ink], ["prior", 6, 334, blue], ["posterior", END + 12, 334, vermillion],
      ["way there →", START, 18, blue, bold], ["← way back", END, 18, vermillion, { ...bold, ...right }],
      ["step 0", START, 334, ink], [`step ${T}`, END, 334, ink, right], ["↕ drag", END + 20, y - 10, ink, halo],
      [`x = ${minus(x, 1)}`, END + 20, y + 20, ink, halo]].forEach((words) => text(context, ...words));
  }

  drawWeights(context, colors) {
    const { there, back, evidence } = this;
    const top = evidence + ABOVE;
    const at = (value) => clamp(TOP, scale(top, evidence - BELOW, TOP, BOTTOM)(value), BOTTOM);
    bar(context, AXIS, at(back.bound), RIM - AXIS, at(there.bound) - at(back.bound), colors.yellow, 0.2); // the doubt
    for (const [{ logWeights }, side, color] of [[there, -1, colors.blue], [back, 1, colors.vermillion]]) {
      const counts = new Array((ABOVE + BELOW) / BIN + 1).fill(0); // the last one of all that lie lower
      for (const value of logWeights) counts[clamp(0, Math.floor((top - value) / BIN), counts.length - 1)] += 1;
      const [lower, most] = [counts.pop(), Math.max(...counts, PATHS / 8)];
      counts.forEach((count, bin) => {
        const length = (58 * count) / most;
        bar(context, MIDDLE - (side < 0 ? length : 0), at(top - bin * BIN) + 0.5, length, 5.6, color);
      });
      if (lower) text(context, `${lower} lie lower ↓`, MIDDLE + 8, side < 0 ? BOTTOM : BOTTOM - 17, color);
    }
    frame(context, AXIS, TOP, 0, BOTTOM - TOP, colors.text);
    for (let tick = 5 * Math.ceil((evidence - BELOW) / 5); tick < top; tick += 5) {
      frame(context, AXIS - 4, at(tick), 4, 0, colors.text);
      text(context, minus(tick, 0), AXIS - 8, at(tick) + 4, colors.text, { align: "right" });
    }
    // The bounds and the evidence, with room between their labels.
    const level = (words, value, apart, color, { weight = "", dash } = {}) => {
      const [y, middle] = [at(value), at(evidence)];
      const labelAt = apart < 0 ? Math.min(y, middle + apart) : Math.max(y, middle + apart);
      stroke(context, [[AXIS, y], [RIM, y], [RIM + 5, labelAt]], color, 2, dash);
      text(context, `${words} ${minus(value, 2)}`, RIM + 8, labelAt + 4, color, { weight });
    };
    level("upper bound", back.bound, -18, colors.vermillion);
    level("lower bound", there.bound, 18, colors.blue);
    level("log p(x) =", evidence, 0, colors.text, { weight: "bold", dash: [5, 3] });
    text(context, "log w, in nats", 4, 18, colors.text);
    text(context, "way there", MIDDLE - 6, 334, colors.blue, { align: "right", weight: "bold" });
    text(context, "way back", MIDDLE + 6, 334, colors.vermillion, { weight: "bold" });
  }
}

function drawBell(context, edge, width, mean, spread, color) {
  // A density on its side, to the left of the edge where its width is negative.
  const latents = Array.from({ length: 125 }, (_, i) => -REACH + 0.05 * i);
  const outline = latents.map((z) => [edge + width * Math.exp(-0.5 * ((z - mean) / spread) ** 2), atLatent(z)]);
  polygon(context, outline, { fill: color, shade: 0.35 });
}

export default {
  render(widget) {
    return new PathsThereAndBack(widget).cleanup();
  },
};

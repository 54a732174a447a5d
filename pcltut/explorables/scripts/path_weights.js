// Langevin paths from the prior to the posterior and back: their log-weights close in on the evidence from both sides.

import { Noise, normalLogDensity } from "./core.js";
import { Explorable, dot2, text } from "./page.js";

const LOADING = Math.sqrt(8); // x = LOADING z + e: chapter 4's toy along the one direction that x tells about
const PATHS = 400; // weighted, each way
const DRAWN = 24; // of these, each way; fewer where they are long
const LONGEST = 256;
const FARTHEST = 5; // of the datum from 0
const [REACH, TOP, BOTTOM] = [3.1, 34, 312]; // the latents shown, -REACH to REACH, and where in the drawing
const [START, END] = [48, 282]; // where steps 0 and T are
const [ABOVE, BELOW] = [4.5, 16.5]; // nats that are shown above and below the evidence
const BIN = 0.5; // nats, of the histograms
const [AXIS, MIDDLE, RIM] = [34, 96, 158]; // the two histograms stand back to back in the middle

// --- The mathematics. ---

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

// --- The page. ---

const atLatent = (z) => TOP + ((REACH - z) / (2 * REACH)) * (BOTTOM - TOP);
const inSight = (z) => Math.max(TOP - 8, Math.min(BOTTOM + 6, atLatent(z)));
const average = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
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
    this.drag(this.paths, (_, y) => {
      const z = REACH - ((y - TOP) / (BOTTOM - TOP)) * 2 * REACH;
      this.moveDatum((z * precision(1)) / LOADING); // the datum whose posterior mean is there
    });
    this.weights = this.canvas({
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
    this.set("x", Math.round(20 * Math.max(-FARTHEST, Math.min(FARTHEST, x))) / 20);
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
      return { paths, logWeights, bound: average(logWeights) };
    });
    this.evidence = logEvidence(x);
    this.tell(steps, expectedBounds(steps), bestStepSize(x, T, this.annealed));
    this.paths.redraw();
    this.weights.redraw();
  }

  tell({ x, stepSize, numSteps }, expected, best) {
    const { there, back, evidence } = this;
    const gap = back.bound - there.bound;
    const ratio = (expected.upper - expected.lower) / best.gap;
    let words = `The two means hold log p(x) between ${minus(there.bound, 2)} and ${minus(back.bound, 2)}, `
      + `${gap.toFixed(1)} nats apart. `;
    if (numSteps === 1) words += "A single step goes straight for the posterior, hardly ever from there to the prior.";
    else if (!this.annealed) {
      const { lower, upper } = expectedBounds(ulaSteps(x, stepSize, LONGEST, false));
      words += "Every step leads to the posterior, so a path that starts there does not find back to the prior: "
        + `even ${LONGEST} steps leave about ${(upper - lower).toFixed(1)} nats.`;
    } else if (ratio > 1.6 && stepSize > best.stepSize) {
      words += "These steps are too large: they blur the bridges, and none of them is likely to be taken back.";
    } else if (ratio > 1.6) {
      words += `These steps are too small: with ${numSteps} of them a path cannot keep up with its bridges.`;
    } else if (gap > 1.2) {
      words += "There and back, the paths go nearly the same way; more steps would bring the bounds closer.";
    } else words += "You can hardly tell by a path which way it was walked, and that is what pins the evidence down.";
    this.say(words, {
      lower: there.bound, upper: back.bound, evidence, gap,
      expectedLower: expected.lower, expectedUpper: expected.upper, bestStepSize: best.stepSize,
    });
  }

  drawPaths(context, colors) {
    const [x, T] = [this.model.get("x"), this.model.get("num_steps")];
    const at = (t) => START + (t / T) * (END - START);
    // The bridge that each step follows, two standard deviations wide.
    context.fillStyle = colors.text;
    context.globalAlpha = 0.13;
    for (let t = 1; t <= T; t++) {
      const share = this.annealed ? t / T : 1;
      const [mean, width] = [meanOf(x, share), 2 / Math.sqrt(precision(share))];
      const [left, top] = [at(t - 1), atLatent(mean + width)];
      context.fillRect(left, top, at(t) - left + 0.3, atLatent(mean - width) - top);
    }
    context.globalAlpha = 1;
    this.drawBell(context, START - 8, -34, 0, 1, colors.blue);
    this.drawBell(context, END + 8, 34, meanOf(x, 1), 1 / Math.sqrt(precision(1)), colors.vermillion);
    context.lineWidth = 1;
    const ways = [[this.there.paths, colors.blue, 0], [this.back.paths, colors.vermillion, T]];
    context.globalAlpha = 0.6;
    for (let i = 0; i < DRAWN * Math.min(1, 4 / Math.sqrt(T)); i++) {
      for (const [paths, color] of ways) {
        context.strokeStyle = color;
        context.beginPath();
        paths[i].forEach((z, t) => context.lineTo(at(t), inSight(z)));
        context.stroke();
      }
    }
    context.globalAlpha = 1;
    for (const [paths, color, begin] of ways) {
      paths.slice(0, DRAWN).forEach((path) => dot2(context, at(begin), inSight(path[begin]), 2.5, color));
    }
    const [bold, right] = [{ weight: "bold" }, { align: "right" }];
    text(context, "z ↑", 6, 18, colors.text);
    text(context, "way there →", START, 18, colors.blue, bold);
    text(context, "← way back", END, 18, colors.vermillion, { ...bold, ...right });
    for (const z of [-2, 0, 2]) text(context, minus(z, 0), 36, atLatent(z) + 5, colors.text, right);
    text(context, "prior", 6, 334, colors.blue);
    text(context, "step 0", START, 334, colors.text);
    text(context, `step ${T}`, END, 334, colors.text, right);
    text(context, "posterior", END + 12, 334, colors.vermillion);
    const y = atLatent(meanOf(x, 1));
    dot2(context, END + 8, y, 7, colors.vermillion, colors.ground);
    text(context, "↕ drag", END + 20, y - 10, colors.text, { halo: colors.ground });
    text(context, `x = ${minus(x, 1)}`, END + 20, y + 20, colors.text, { halo: colors.ground });
  }

  drawBell(context, edge, width, mean, spread, color) {
    // A density on its side, to the left of the edge where its width is negative.
    context.beginPath();
    for (let z = -REACH; z <= REACH; z += 0.05) {
      context.lineTo(edge + width * Math.exp(-0.5 * ((z - mean) / spread) ** 2), atLatent(z));
    }
    context.fillStyle = color;
    context.globalAlpha = 0.35;
    context.fill();
    context.globalAlpha = 1;
  }

  drawWeights(context, colors) {
    const { there, back, evidence } = this;
    const top = evidence + ABOVE;
    const at = (value) => Math.max(TOP, Math.min(BOTTOM, TOP + ((top - value) / (ABOVE + BELOW)) * (BOTTOM - TOP)));
    context.fillStyle = colors.yellow; // what is left of doubt
    context.globalAlpha = 0.2;
    context.fillRect(AXIS, at(back.bound), RIM - AXIS, at(there.bound) - at(back.bound));
    context.globalAlpha = 1;
    for (const [{ logWeights }, side, color] of [[there, -1, colors.blue], [back, 1, colors.vermillion]]) {
      const counts = new Array((ABOVE + BELOW) / BIN + 1).fill(0); // the last one of all that lie lower
      for (const value of logWeights) {
        counts[Math.max(0, Math.min(counts.length - 1, Math.floor((top - value) / BIN)))] += 1;
      }
      const lower = counts.pop();
      const most = Math.max(...counts, PATHS / 8);
      context.fillStyle = color;
      counts.forEach((count, bin) => {
        const length = (58 * count) / most;
        context.fillRect(MIDDLE - (side < 0 ? length : 0), at(top - bin * BIN) + 0.5, length, 5.6);
      });
      if (lower) text(context, `${lower} lie lower ↓`, MIDDLE + 8, side < 0 ? BOTTOM : BOTTOM - 17, color);
    }
    context.strokeStyle = colors.text;
    context.lineWidth = 1;
    context.strokeRect(AXIS, TOP, 0, BOTTOM - TOP);
    for (let tick = 5 * Math.ceil((evidence - BELOW) / 5); tick < top; tick += 5) {
      context.strokeRect(AXIS - 4, at(tick), 4, 0);
      text(context, minus(tick, 0), AXIS - 8, at(tick) + 4, colors.text, { align: "right" });
    }
    // The bounds and the evidence, with room between their labels.
    const middle = at(evidence);
    this.drawLevel(context, `upper bound ${minus(back.bound, 2)}`, at(back.bound), -18, colors.vermillion, middle);
    this.drawLevel(context, `lower bound ${minus(there.bound, 2)}`, at(there.bound), 18, colors.blue, middle);
    context.setLineDash([5, 3]);
    this.drawLevel(context, `log p(x) = ${minus(evidence, 2)}`, middle, 0, colors.text, middle);
    context.setLineDash([]);
    text(context, "log w, in nats", 4, 18, colors.text);
    text(context, "way there", MIDDLE - 6, 334, colors.blue, { align: "right", weight: "bold" });
    text(context, "way back", MIDDLE + 6, 334, colors.vermillion, { weight: "bold" });
  }

  drawLevel(context, words, y, apart, color, middle) {
    const labelAt = apart < 0 ? Math.min(y, middle + apart) : Math.max(y, middle + apart);
    context.beginPath();
    context.moveTo(AXIS, y);
    context.lineTo(RIM, y);
    context.lineTo(RIM + 5, labelAt);
    context.strokeStyle = color;
    context.lineWidth = 2;
    context.stroke();
    text(context, words, RIM + 8, labelAt + 4, color, { weight: apart ? "" : "bold" });
  }
}

export default {
  render(widget) {
    return new PathsThereAndBack(widget).cleanup();
  },
};

// A stretched Gaussian posterior and a crowd of preconditioned Langevin walkers: one step size for two directions.

import { eigen2 } from "./core.js";
import { START, StretchedCrowd, longRun, settled } from "./stretched.core.js";
import { Explorable, dot2, reducedMotion, text } from "./page.js";
import { bar, clamp, ellipse, polygon } from "./charts.js";

const [WRONG, SLEEP] = [1.25, 150]; // a variance and a number of steps that the sentences call too large

const [PLANE, TALL] = [420, 340]; // the drawing of the plane, and its height
const UNIT = 80; // pixels
const MIDDLE = [PLANE / 2 + 10, TALL / 2];
const place = (z) => [MIDDLE[0] + UNIT * z[0], MIDDLE[1] - UNIT * z[1]];
const times = (ratio) => (ratio < 10 ? ratio.toFixed(2) : ratio < 1000 ? ratio.toFixed(0) : "over 1,000");
const plural = (steps) => (Math.round(steps) === 1 ? "1 step" : `${whole(steps)} steps`);
const whole = (number) => Math.round(number).toLocaleString("en-US");
const short = (number) => String(Number(number.toPrecision(2)));

class StretchedPosterior extends Explorable {
  constructor(widget) {
    super(widget);
    this.plane = this.canvas({
      label: "The latent plane: the posterior as two blue ellipses, walkers as dots, their measured ellipse dashed. "
        + "Arrow keys down or right squeeze the posterior, up or left widen it.",
      width: PLANE, height: TALL,
      draw: (context, colors) => this.drawPlane(context, colors),
      keys: (dx, dy, shift) => this.squeeze(this.model.get("ratio") * 1.25 ** ((dx - dy) * (shift ? 4 : 1))),
    });
    this.plane.node.style.cursor = "ns-resize";
    this.drag(this.plane, (x, y) => this.squeeze(4 / (Math.abs(y - MIDDLE[1]) / UNIT) ** 2));
    this.canvas({
      label: "Bars: measured over true variance, stiff and soft direction, and the steps until the start is forgotten.",
      width: 260, height: TALL,
      draw: (context, colors) => this.drawBars(context, colors),
    });
    const again = () => this.restart();
    this.choice("preconditioner", { label: "M", change: again, options: [["none", "none"],
      ["batch", "shared by the crowd"], ["datum", "each walker its own"], ["frozen", "shared, then frozen"]] });
    this.slider("step_size", { label: "step γ", min: 0.001, max: 1, step: 0.05, logarithmic: true,
      format: (value) => value.toPrecision(2), change: again });
    this.choice("decay", { label: "memory of M", change: again, options: [[0.5, "2 steps (b = 0.5)"],
      [0.9, "10 steps (b = 0.9)"], [0.99, "100 steps (b = 0.99)"], [0.999, "1,000 steps (b = 0.999)"]] });
    this.memoryControl = this.controls.lastElementChild;
    for (const trait of ["ratio", "seed", "walkers", "freeze_after"]) this.watch(trait, again);
    this.undo.push(() => clearTimeout(this.later));
    this.restart();
    this.loop(() => this.advance(3));
    this.button("100 steps", () => this.advance(100));
    this.button("Start again", again);
    this.figure.addEventListener("advance", (event) => this.advance(event.detail)); // for tests
  }

  squeeze(ratio) {
    this.set("ratio", clamp(1, Number(ratio.toPrecision(3)), 400));
  }

  restart() {
    const names = ["ratio", "preconditioner", "decay", "walkers", "seed"];
    const options = Object.fromEntries(names.map((name) => [name, this.model.get(name)]));
    const [stepSize, freezeAfter] = ["step_size", "freeze_after"].map((name) => this.model.get(name));
    this.crowd = new StretchedCrowd({ ...options, stepSize, freezeAfter });
    this.method = options.preconditioner;
    this.memoryControl.style.display = this.method === "none" ? "none" : "";
    this.advance(0);
    clearTimeout(this.later); // who wants no motion sees where it leads, once the reader's hand rests
    if (reducedMotion()) this.later = setTimeout(() => this.advance(400), 150);
  }

  advance(steps) {
    const { crowd } = this;
    for (let i = 0; i < steps; i++) crowd.step();
    const scale = crowd.scale();
    this.own = scale.map((value) => value * crowd.stepSize); // each direction's step
    const constant = this.method === "none" || (this.method === "frozen" && crowd.frozen);
    const form = (curvature, k) => (constant ? settled(crowd.stepSize, curvature, scale[k]) : undefined);
    this.closed = crowd.curvature.map(form);
    this.ratios = crowd.ratios();
    const [soft, stiff] = this.ratios;
    this.say(this.finding(), {
      time: crowd.time, soft, stiff, predicted: this.closed.map((form) => form?.ratio), forgot: crowd.forgot, scale,
      exploded: crowd.exploded, covariance: crowd.covariance, first: crowd.z[0],
    });
    this.redraw();
  }

  finding() {
    const { crowd, closed, own, method } = this;
    const [soft, stiff] = this.ratios.map(times);
    const [arrived, now] = [crowd.time >= 3 * (crowd.forgot ?? Infinity), `this is step ${whole(crowd.time)}.`];
    if (method === "none") return this.withoutScale();
    if (method === "frozen") {
      if (!crowd.frozen) return "The crowd learns one M together and freezes it after step "
        + `${crowd.memory.freezeAfter}; ${now}`;
      if (closed[1].ratio === Infinity) return "Once frozen, M no longer shrinks where scores grow: "
        + `γ = ${short(crowd.stepSize)} is too large for it, and the crowd explodes.`;
      return `Since step ${crowd.memory.freezeAfter} M is a constant, and the closed form holds again: it promises `
        + `${times(closed[1].ratio)} times the true variance across the valley and ${times(closed[0].ratio)} along it; `
        + `the crowd, ${arrived ? "long arrived" : "still on its way"}, has ${stiff} and ${soft}.`;
    }
    const who = method === "datum" ? "Each walker learns an M of its own" : "The crowd learns one M together";
    if (!arrived) return `${who} on the way along the valley; ${now}`;
    if (settled(crowd.stepSize, crowd.curvature[1], 1 / Math.sqrt(crowd.curvature[1])).ratio > WRONG) {
      return `This γ is large for any M that is learned like this: the stiff variance is ${stiff} times the true one. `
        + "But M shrinks where scores grow, so the crowd is too wide and does not explode.";
    }
    if (method === "datum") return this.bias(soft, stiff);
    if (crowd.forgot > 400) {
      return `With a shared M the variances are ${stiff} (stiff) and ${soft} (soft) times the true ones, but at this `
        + `small γ the start was forgotten only after ${plural(crowd.forgot)}. Now one larger γ can quicken both.`;
    }
    return `M, shared by the crowd, gives each direction a step of its own: γM is ${short(own[1])} across the valley `
      + `and ${short(own[0])} along it. One γ now serves both, with variances ${stiff} and ${soft} times the true ones `
      + `and the start forgotten after ${plural(crowd.forgot)}.`;
  }

  withoutScale() {
    // One step for both directions: by the closed form alone.
    const { stepSize, curvature: [, ratio] } = this.crowd;
    const [stiff, needs] = [settled(stepSize, ratio, 1).ratio, 1 / stepSize];
    const easy = settled(1 / SLEEP, ratio, 1).ratio <= WRONG; // then the step that takes SLEEP steps serves both
    const [gamma, unequal] = [`γ = ${short(stepSize)}`, `curvatures of ${short(ratio)} to 1`];
    if (stiff === Infinity) {
      return `Without M, ${gamma} is beyond the ${short(2 / ratio)} that the stiff direction bears, and the crowd `
        + `explodes across the valley. Along it the same step would be fine: it forgets its start in ${plural(needs)}.`;
    }
    if (needs > SLEEP) {
      return `Without M, ${gamma} spares the stiff direction, and the soft one is asleep: it needs ${plural(needs)} to `
        + "forget its start. "
        + (easy ? `With ${unequal} a larger γ serves both.`
          : `With a shared M, about ${plural(needs / Math.sqrt(ratio))} would do at the same error.`);
    }
    if (stiff > WRONG) {
      return `Without M one step must serve both directions: at ${gamma} the stiff variance settles at ${times(stiff)} `
        + `times the true one, and the soft direction still needs ${plural(needs)}. `
        + (easy ? `With ${unequal} a smaller γ serves both.`
          : "A larger γ blows up the one, a smaller γ puts the other to sleep.");
    }
    return `With ${unequal}, one γ serves both directions without M: the stiff variance settles within `
      + `${Math.round(100 * stiff - 100)} % of the true one, and the start is forgotten in ${plural(needs)}. `
      + "Squeeze the ellipse until no γ does.";
  }

  bias(soft, stiff) {
    // What an M of each walker's own does.
    if (Math.max(...this.ratios) < 1.15) {
      return `A memory of ${plural(1 / (1 - this.crowd.memory.decay))} is long against a walker's way, so its M hardly `
        + `knows where it is: variances ${stiff} (stiff) and ${soft} (soft) times the true ones. `
        + "Shorten the memory, and the crowd swells.";
    }
    return "Each walker's M comes from its own scores, so it knows where it is: long steps lead it out of the middle, "
      + `short ones keep it in the tails. The crowd stays too wide, with ${stiff} (stiff) and ${soft} (soft) times the `
      + "true variance, however long it runs.";
  }

  drawPlane(context, colors) {
    const { crowd } = this;
    const truth = [[1, 0], [0, 1 / crowd.curvature[1]]];
    const area = { fill: colors.blue, shade: 0.16, line: colors.blue, width: 1.5 };
    for (const radius of [1, 2]) drawGaussian(context, [0, 0], truth, radius, area);
    context.globalAlpha = 0.55;
    for (const z of crowd.z) if (Math.abs(z[1]) < 5) dot2(context, ...place(z), 1.6, colors.text);
    context.globalAlpha = 1;
    const wide = crowd.exploded[1] ? Infinity : 2 * Math.sqrt(crowd.covariance[1][1]);
    const measured = { line: colors.vermillion, width: 2.5, dash: [7, 4] };
    if (wide < 50) drawGaussian(context, crowd.mean, crowd.covariance, 2, measured);
    const font = { size: 14, halo: colors.ground };
    const inside = wide < 2.1;
    const edge = place([0, 2 / Math.sqrt(crowd.curvature[1])]);
    const top = inside ? MIDDLE[1] - UNIT * wide : 30;
    const words = inside ? "crowd, 2 std" : "the crowd leaves the picture";
    const above = Math.max(18, Math.min(top, edge[1]) - 10);
    text(context, words, edge[0] - 14, above, colors.vermillion, { align: "right", ...font });
    const low = Math.max(MIDDLE[1] - edge[1], wide < 1 ? UNIT * wide : 0);
    const under = Math.min(TALL - 26, MIDDLE[1] + low + 22);
    text(context, "posterior, 1 and 2 std", edge[0] + 14, under, colors.blue, font);
    const start = place(START);
    text(context, "+", ...[start[0], start[1] + 6], colors.text, { size: 20, align: "center", halo: colors.ground });
    text(context, "start", start[0], start[1] - 14, colors.text, { align: "center", ...font });
    dot2(context, ...edge, 8, colors.blue, colors.ground);
    const ratio = `↕ curvatures ${short(crowd.curvature[1])} : 1`;
    text(context, ratio, edge[0] + 14, Math.max(24, edge[1] - 10), colors.blue, { weight: "bold", ...font });
    text(context, `step ${whole(crowd.time)}`, PLANE - 6, 18, colors.text, { align: "right", ...font });
    text(context, "z₁, soft →", PLANE - 6, TALL - 8, colors.muted, { align: "right", ...font });
    text(context, "↑ z₂, stiff", 4, TALL - 8, colors.muted, font);
  }

  drawBars(context, colors) {
    text(context, "variance, measured ÷ true", 0, 16, colors.text, { weight: "bold" });
    [["stiff", 1, 24], ["soft", 0, 110]].forEach(([name, k, y]) => {
      const ratio = this.ratios[k];
      const beyond = ratio > 3;
      text(context, `${name}, in steps of γM = ${short(this.own[k])}`, 0, y + 16, colors.text);
      const words = ratio === Infinity ? "exploded →" : beyond ? `${times(ratio)} →` : times(ratio);
      this.drawBar(context, colors, y + 24, RATIO * Math.min(3, ratio), words, beyond);
      bar(context, RATIO - 1, y + 20, 2, 30, colors.text);
      const mark = this.mark(k);
      if (mark) this.drawMark(context, colors, y + 48, RATIO * Math.min(3, mark.ratio), mark.words);
    });
    text(context, "1 = as the posterior", RATIO, 196, colors.text, { align: "center" });
    text(context, "steps until soft forgets its start", 0, 246, colors.text, { weight: "bold" });
    const [{ forgot, time }, { steps } = {}] = [this.crowd, this.closed[0]];
    const words = forgot === undefined ? `${whole(time)}, not yet` : whole(forgot);
    this.drawBar(context, colors, 256, logLength(forgot ?? time), words, (forgot ?? time) > 400);
    if (this.method === "none") this.drawMark(context, colors, 280, logLength(steps), `closed form ${whole(steps)}`);
    for (const tick of [10, 100, 1000]) {
      text(context, whole(tick), logLength(tick), 328, colors.muted, { size: 12, align: "center" });
      bar(context, logLength(tick) - 1, 312, 1, 4, colors.muted);
    }
  }

  mark(k) {
    // What theory or the chapter's table says of a direction's ratio, and its name.
    const { crowd, closed } = this;
    if (closed[k]) {
      const { ratio } = closed[k];
      return { ratio, words: ratio < Infinity ? `closed form ${times(ratio)}` : "closed form: none" };
    }
    const known = this.method === "datum" ? longRun(crowd.stepSize, crowd.curvature[k], crowd.memory.decay) : undefined;
    return known && { ratio: known, words: `in the table ${known}` };
  }

  drawBar(context, colors, y, length, words, inside) {
    bar(context, 0, y, length, 22, colors.vermillion);
    text(context, words, inside ? length - 6 : length + 6, y + 16, inside ? colors.ground : colors.vermillion,
      { align: inside ? "right" : "left", weight: "bold", halo: inside ? undefined : colors.ground });
  }

  drawMark(context, colors, y, x, words) {
    // A small triangle under a bar, and its name.
    polygon(context, [[x, y], [x - 6, y + 9], [x + 6, y + 9]], { fill: colors.blue });
    const right = x > 130;
    text(context, words, right ? x - 10 : x + 10, y + 12, colors.blue, { align: right ? "right" : "left" });
  }
}

const RATIO = 80; // pixels
const logLength = (steps) => (256 * Math.min(4, Math.log10(Math.max(1, steps)))) / 4;

function drawGaussian(context, mean, covariance, radius, style) {
  // The contour of a Gaussian at `radius` standard deviations.
  const { values, vectors } = eigen2(covariance);
  const axes = values.map((value) => UNIT * radius * Math.sqrt(Math.max(0, value)));
  ellipse(context, place(mean), axes, -Math.atan2(vectors[0][1], vectors[0][0]), style);
}

export default {
  render(widget) {
    return new StretchedPosterior(widget).cleanup();
  },
};

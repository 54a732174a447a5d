// Inference by steps of gradient ascent on a valley of two latents, and a weight that learns from where it ends.

import { LEARNER, TOY, Valley, learn, pointForce, spreadForce, varianceOf } from "./settling.core.js";
import { Explorable, dot2, percent, stroke, text } from "./page.js";
import { Plane, bar, chart, clamp, ellipse, logScale, scale } from "./charts.js";

const [STEPS, LONG] = [60, 2000]; // of the path: that are drawn, and in which it may come near the answer

const [SIDE, NARROW] = [360, 300]; // of the drawings: height of both and width of the left one, width of the right one
const REACH = 2.2; // the plane is shown this far around the answer
const TIME = [42, SIDE - 12]; // where learning begins and ends on the page
const signed = (value) => value.toFixed(2).replace("-", "−");

function factorBars(context, colors, bars) {
  // Bars of |1 - gamma lambda| against the edge at 1.
  const edge = 225;
  text(context, "what one step leaves, 1 − γλ", 0, 14, colors.text, { weight: "bold" });
  bars.forEach(([name, factor, color], k) => {
    text(context, `${name}  ${signed(factor)}`, 0, 40 + 44 * k, color);
    bar(context, 0, 46 + 44 * k, edge * Math.abs(factor), 16, color);
  });
  stroke(context, [[edge, 28], [edge, 26 + 44 * bars.length]], colors.text, 2, [5, 4]);
  text(context, "edge", edge + 6, 38, colors.text);
}

class SettlingDown extends Explorable {
  constructor(widget) {
    super(widget);
    this.valley = new Valley(TOY);
    this.progress = 1; // of the path, or of learning on its logarithmic axis; from 0 to 1
    const add = (width, draw, label, keys) => this.canvas({ label, width, height: SIDE, draw: draw.bind(this), keys });
    const plane = add(SIDE, this.drawPlane, "The valley of the energy over two latents, and the path of inference "
      + "from its start to the answer. Arrow keys move the start.",
      (dx, dy) => this.begin(this.model.get("start").map((z, k) => z + 0.1 * [dx, dy][k])));
    const speed = add(NARROW, this.drawSpeed, "Bars of what one step leaves of the stiff and of the soft distance, "
      + "and the distances against the step.");
    const growth = add(SIDE, this.drawGrowth, "Variance of the model against updates of its weight, learned from "
      + "settled points and from the posterior, with edge and data. Arrow keys move through learning.",
      (dx, dy) => this.goTo(this.progress + 0.01 * (dx + dy)));
    const chains = add(NARROW, this.drawChains, "A bar of what one step leaves with the weight learned so far, and "
      + "the latent of one image settling from nine starts.");
    this.views = { settle: [plane, speed], learn: [growth, chains] };
    this.plane = new Plane(SIDE, REACH, this.valley.answer);
    this.drag(plane, (x, y) => this.begin(this.plane.under(x, y)));
    this.drag(growth, (x) => this.goTo(scale(...TIME, 0, 1)(x)));
    const change = () => this.show();
    this.choice("view", { label: "show", change: () => this.goTo(1),
      options: [["settle", "settling"], ["learn", "learning from settled points"]] });
    this.slider("step_size", { label: "step γ", min: 0.02, max: 0.105, step: 0.001,
      format: (value) => value.toFixed(3), change });
    this.slider("variance", { label: "variance l of the data", min: 0.5, max: 8, step: 0.05, logarithmic: true,
      format: (value) => value.toPrecision(2), change });
    this.watch("start", change);
    this.run = this.loop(() => this.advance(), { start: false });
    this.show();
  }

  begin(start) {
    this.set("start", this.plane.clip(start));
  }

  goTo(progress) {
    this.progress = clamp(0, progress, 1);
    this.show();
  }

  advance() {
    // A frame of motion; after the end it begins anew, and stops when it is there again.
    this.goTo(this.progress < 1 ? this.progress + 1 / 480 : 0);
    if (this.progress === 1) this.run(false);
  }

  show() {
    const view = this.model.get("view");
    for (const [name, canvases] of Object.entries(this.views)) {
      for (const { node } of canvases) node.style.display = name === view ? "" : "none";
    }
    const variance = this.controls.querySelector("[data-trait=variance]").parentElement;
    variance.style.display = view === "learn" ? "" : "none";
    view === "learn" ? this.showLearning() : this.showSettling();
    this.redraw();
  }

  // --- The view "settle". ---

  showSettling() {
    const stepSize = this.model.get("step_size");
    this.path = this.valley.path(this.model.get("start"), stepSize, LONG);
    this.away = this.path.map((z) => this.valley.distances(z));
    this.factors = this.valley.factors(stepSize);
    const steps = this.away.findIndex((each) => each[2] <= 0.01 * this.away[0][2]);
    const distance = this.away[STEPS][2];
    this.say(sayHow(...this.factors, steps), { factors: this.factors, steps, distance, last: this.path[STEPS] });
  }

  drawPlane(context, colors) {
    const { valley: { answer, eigen: { values, vectors } }, plane } = this;
    const [x, y] = plane.at(answer);
    const angle = Math.atan2(-vectors[1][1], vectors[1][0]); // of the soft direction, on a page whose y points down
    const level = { fill: colors.blue, shade: 0.04, line: colors.blue, opacity: 0.4 };
    for (let radius = 35; radius < 700; radius += 35) {
      ellipse(context, [x, y], [radius, radius * Math.sqrt(values[1] / values[0])], angle, level);
    }
    [colors.vermillion, colors.green].forEach((color, k) => {
      const along = (length) => [x + length * vectors[k][0], y - length * vectors[k][1]];
      stroke(context, [along(-400), along(400)], color, 1.5, [6, 5]);
    });
    const halo = colors.ground;
    const points = this.path.slice(0, 1 + Math.floor(STEPS * this.progress)).map((z) => plane.at(z));
    stroke(context, points, colors.text, 1.5);
    points.forEach((point) => dot2(context, ...point, 3, colors.text));
    dot2(context, ...points[points.length - 1], 5, colors.text, halo);
    dot2(context, ...points[0], 9, colors.text, halo);
    text(context, `stiff, λ = ${values[0].toFixed(1)}`, SIDE - 8, y - 34, colors.vermillion, { align: "right", halo });
    text(context, `soft, λ = ${values[1].toFixed(1)}`, x + 30, SIDE - 10, colors.green, { halo });
    text(context, "answer", x + 8, y + 20, colors.text, { halo });
    const [[left, top]] = points;
    const align = left < SIDE / 2 ? "left" : "right";
    text(context, "start, drag me", left, top + (top < 40 ? 26 : -15), colors.text, { align, weight: "bold", halo });
    text(context, "z₁", SIDE - 20, SIDE - 8, colors.text, { halo });
    text(context, "z₂", 8, 16, colors.text, { halo });
  }

  drawSpeed(context, colors) {
    const kinds = ["stiff", "soft"].map((name, k) => [name, this.factors[k], [colors.vermillion, colors.green][k]]);
    factorBars(context, colors, kinds);
    const box = [38, 158, NARROW - 42, SIDE - 38];
    const [toX, toY] = [scale(0, STEPS, box[0], box[2]), scale(2, -6, box[1], box[3])];
    const shown = this.away.slice(0, 1 + Math.floor(STEPS * this.progress));
    const line = (k) => shown.map((each, t) => [toX(t), toY(Math.max(-20, Math.log10(each[k])))]);
    chart(context, colors, { title: "distance to the answer", name: "step t", box, toX, toY, x: [0, 20, 40, 60],
      y: [[2, "100"], [0, "1"], [-2, "0.01"], [-4, "10⁻⁴"], [-6, "10⁻⁶"]] }, () => {
      stroke(context, line(2), colors.text, 5);
      kinds.forEach(([, , color], k) => stroke(context, line(k), color, 2));
    });
    const halo = colors.ground;
    text(context, "whole", toX(1), line(2)[0][1] - 9, colors.text, { halo });
    // A line's name stands where it ends, or leaves the box; to its left where the other's name is there already.
    const inside = ([, y]) => y >= box[1] && y <= box[3];
    const ends = kinds.map((_, k) => line(k).findLast(inside) ?? [box[0], box[1]]);
    const taken = Math.hypot(ends[0][0] - ends[1][0], ends[0][1] - ends[1][1]) < 40;
    kinds.forEach(([name, , color], k) => {
      const [[x, y], left] = [ends[k], taken && k === 0];
      const style = { halo, align: left ? "right" : "left" };
      text(context, name, x + (left ? -9 : 7), Math.min(y + 4, box[3] - 5), color, style);
    });
  }

  // --- The view "learn". ---

  showLearning() {
    const [stepSize, l] = [this.model.get("step_size"), this.model.get("variance")];
    if (this.learned !== `${stepSize} ${l}`) {
      this.learned = `${stepSize} ${l}`;
      this.byPoint = learn((w) => pointForce(w, stepSize, l));
      this.bySpread = learn((w) => spreadForce(w, l));
    }
    const update = Math.round(LEARNER.updates ** this.progress);
    const weight = (this.weight = this.byPoint[update]);
    const [variance, exact] = [varianceOf(weight), varianceOf(this.bySpread[update])];
    const edge = (this.edge = (2 * LEARNER.scale ** 2) / stepSize);
    const factor = (this.factor = 1 - (2 * variance) / edge);
    this.say(sayWhere(update, variance, l, edge), { update, weight, variance, exact, edge, factor });
  }

  drawGrowth(context, colors) {
    const [data, halo] = [this.model.get("variance"), colors.ground];
    const box = [TIME[0], 30, TIME[1], SIDE - 38];
    const [toX, toY] = [logScale(1, LEARNER.updates, ...TIME), logScale(0.25, 40, box[3], box[1])];
    const level = (value, color, dash) => stroke(context, [[box[0], toY(value)], [box[2], toY(value)]], color, 2, dash);
    const times = Array.from({ length: 201 }, (_, k) => Math.round(LEARNER.updates ** (k / 200)));
    const curves = [[this.bySpread, colors.green], [this.byPoint, colors.vermillion]];
    chart(context, colors, { title: "variance of the model, w² + σ²", name: "updates of the weight", box, toX, toY,
      x: [1, 10, 100, [1000, "1,000"], [10000, "10,000"]], y: [0.25, 0.5, 1, 2, 5, 10, 20, 40] }, () => {
      level(this.edge, colors.text, [6, 5]);
      level(data, colors.green, [2, 4]);
      curves.forEach(([weights, color]) => {
        stroke(context, times.map((n) => [toX(n), toY(varianceOf(weights[n]))]), color, 3);
      });
    });
    // Words keep clear of the other line.
    const lower = data < this.edge;
    const say = (words, x, y, color, align) => text(context, words, x, y, color, { align, halo });
    const edge = `edge of stability, 2σ²/γ = ${this.edge.toFixed(1)}`;
    say(edge, TIME[0] + 6, toY(this.edge) + (lower ? -7 : 18), colors.text);
    say(`data, l = ${data.toPrecision(2)}`, TIME[0] + 6, toY(data) + (lower ? 18 : -7), colors.green);
    const [spread, point] = curves.map(([weights]) => toY(varianceOf(weights[LEARNER.updates])));
    say("posterior", TIME[1] - 14, spread + (spread > point ? 18 : -8), colors.green, "right");
    const squeezed = spread > point && spread - point < 26;
    say("settled points", TIME[1] - 14, squeezed ? toY(this.edge) - 7 : point + 20, colors.vermillion, "right");
    const x = scale(0, 1, ...TIME)(this.progress);
    stroke(context, [[x, box[1]], [x, box[3]]], colors.text, 1);
    dot2(context, x, toY(varianceOf(this.weight)), 9, colors.vermillion, halo);
  }

  drawChains(context, colors) {
    factorBars(context, colors, [["with this weight", this.factor, colors.vermillion]]);
    const [box, last] = [[30, 124, NARROW - 12, SIDE - 38], LEARNER.states - 1];
    const [toX, toY] = [scale(0, last, box[0], box[2]), scale(-3.7, 3.7, box[3], box[1])];
    // An image that lies one standard deviation from the mean.
    const answer = (this.weight * Math.sqrt(this.model.get("variance"))) / varianceOf(this.weight);
    chart(context, colors, { title: "inference: z from nine starts", name: "step t", box, toX, toY,
      x: [0, 5, 10, 15, 19], y: [[-2, "−2"], 0, 2] }, () => {
      stroke(context, [[box[0], toY(answer)], [box[2], toY(answer)]], colors.text, 2, [5, 4]);
      for (let start = -2; start <= 2; start += 0.5) {
        const chain = Array.from({ length: last + 1 }, (_, t) => answer + this.factor ** t * (start - answer));
        stroke(context, chain.map((z, t) => [toX(t), toY(z)]), colors.vermillion, 1.2);
        dot2(context, toX(last), toY(chain[last]), 4, colors.vermillion);
      }
    });
    text(context, "answer", box[2], toY(answer) - 10, colors.text, { align: "right", halo: colors.ground });
  }
}

function sayHow(stiff, soft, steps) {
  const time = `A hundredth of the distance is left after ${steps} steps.`;
  if (stiff < -1) return `Beyond the edge each step multiplies the stiff distance by ${signed(stiff)}: z is thrown `
    + "out, ever farther, although the soft direction settles.";
  if (stiff < -0.97) return `Almost at the edge, z jumps from wall to wall and hardly comes nearer. ${time}`;
  if (stiff < -soft - 0.02) return "Each step leaps across the valley, and the leaps are now what lasts longest. "
    + `${time} A smaller step would be faster.`;
  if (stiff < -soft + 0.02) return `Both bars are equally long: in the long run no other step is faster here. ${time}`;
  if (stiff < -0.05) {
    return `The leaps across the valley soon die out, while along it each step leaves ${percent(soft)} of the way. `
      + `${time} A larger step would be faster.`;
  }
  if (stiff < 0.05) {
    return "The stiff direction is done in a single step; from there z walks along the valley, where each step "
      + `leaves ${percent(soft)} of the way. ${time}`;
  }
  return `The step is small, and z creeps: along the valley each step leaves ${percent(soft)} of the way. ${time}`;
}

function sayWhere(update, variance, l, edge) {
  const state = `After ${update.toLocaleString("en-US")} updates the variance of the model is ${variance.toFixed(1)}, `
    + `that of the data ${l.toPrecision(2)}.`;
  if (variance > 0.875 * edge) {
    return `${state} Inference rings, and only what is left of its start still holds the weight, near the edge at `
      + `${edge.toFixed(1)}: the step γ sets it, not the data.`;
  }
  if (variance <= l) return `${state} On the way up both rules agree that the weight should grow.`;
  return `${state} The posterior's spread would stop the weight at the data; a settled point has no spread, `
    + "and the weight grows on.";
}

export default {
  render(widget) {
    return new SettlingDown(widget).cleanup();
  },
};

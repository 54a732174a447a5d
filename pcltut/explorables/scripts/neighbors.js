// Real and fake points in the plane, with the balls that density, coverage, precision and recall count.

import { Noise } from "./core.js";
import { Explorable, dot2, percent, text } from "./page.js";
import { Grid, Plane, bar, circle, frame } from "./charts.js";
import { covered, distance, perfectCoverage, radii } from "./neighbors.core.js";

const SIDE = 380; // of the plane's drawing
const EDGE = 2.8; // the plane is shown from -EDGE to EDGE
const [REAL, FAKE] = [40, 12]; // points
const CROWDS = [{ center: [-1.3, 0.9], spread: 0.45 }, { center: [0.9, -0.6], spread: 0.75 }];
const HUDDLE = 0.22; // radius of a huddle, where the balls allow it

const plane = new Plane(SIDE, EDGE);
const number = (flags) => flags.filter(Boolean).length;
const sum = (values) => values.reduce((a, b) => a + b, 0);

export function crowdPoints(noise, size) {
  // Draws of the real law: two crowds of equal weight, a tight one and a loose one.
  return Array.from({ length: size }, () => {
    const { center, spread } = CROWDS[+(noise.uniform() > 0.5)];
    return center.map((value) => value + spread * noise.normal());
  });
}

export function measures(real, fake, k) {
  // As pcltut.evaluation.density_coverage and precision_recall: a point on the rim of a ball is outside.
  const [realRadii, fakeRadii] = [radii(real, k), radii(fake, k)];
  const hits = fake.map((y) => number(real.map((x, i) => distance(x, y) < realRadii[i]))); // balls that a fake lies in
  const found = covered(real, realRadii, fake);
  const recalled = real.map((x) => fake.some((y, j) => distance(x, y) < fakeRadii[j]));
  const [n, m] = [real.length, fake.length];
  return {
    density: sum(hits) / (k * m), coverage: number(found) / n, precision: number(hits) / m,
    recall: number(recalled) / n, perfectCoverage: perfectCoverage(n, m, k), hits, covered: found, recalled, realRadii, fakeRadii,
  };
}

export function huddled(real, k) {
  // All fakes close around the spot, on a grid, that lies in the most balls; of several such spots, the deepest.
  const balls = radii(real, k);
  let best = { hits: 0, depth: 0 };
  for (const spot of new Grid(EDGE, 113).points) {
    const depths = real.map((x, i) => balls[i] - distance(x, spot)).filter((depth) => depth > 0);
    const [hits, depth] = [depths.length, Math.min(...depths)];
    if (hits > best.hits || (hits === best.hits && depth > best.depth)) best = { hits, depth, spot };
  }
  const reach = Math.min(HUDDLE, 0.9 * best.depth);
  return Array.from({ length: FAKE }, (_, j) => {
    const [radius, angle] = [reach * Math.sqrt(j / FAKE), 2.4 * j]; // like the seeds of a sunflower
    return [best.spot[0] + radius * Math.cos(angle), best.spot[1] + radius * Math.sin(angle)];
  });
}

export function spreadOut(real, k) {
  // One fake after the other goes beside the real point where it fills the most empty balls; if equal, far from others.
  const balls = radii(real, k);
  const spots = real.map(([a, b]) => [a + 0.08, b + 0.08]);
  const open = new Set(real.keys());
  const fills = (spot) => [...open].filter((i) => distance(real[i], spot) < balls[i]);
  const fake = [];
  while (fake.length < FAKE) {
    const worth = spots.map((spot) => fills(spot).length + Math.min(0.99, ...fake.map((y) => distance(spot, y) / 10)));
    fake.push(spots[worth.indexOf(Math.max(...worth))]);
    fills(fake[fake.length - 1]).forEach((i) => open.delete(i));
  }
  return fake;
}

function neededBalls(real, fake, { fakeRadii, recalled }) {
  // Some of the fakes' balls that hold all real points which any of them holds: the largest catch first.
  const open = new Set([...real.keys()].filter((i) => recalled[i]));
  const caught = (j) => [...open].filter((i) => distance(real[i], fake[j]) < fakeRadii[j]);
  const chosen = [];
  while (open.size) {
    const catches = fake.map((_, j) => caught(j).length);
    chosen.push(catches.indexOf(Math.max(...catches)));
    caught(chosen[chosen.length - 1]).forEach((i) => open.delete(i));
  }
  return chosen;
}

class CountedNeighbors extends Explorable {
  constructor(widget) {
    super(widget);
    this.selected = 0;
    this.plane = this.canvas({
      label: "Real points as dots, each in a ball that reaches to its k-th nearest real neighbor: solid where a fake "
        + "point lies in it, dashed where none does. Fake points are squares with the number of balls they lie in. "
        + "The space bar selects the next fake point, arrow keys move it.",
      width: SIDE, height: SIDE,
      draw: (context, colors) => this.drawPlane(context, colors),
      keys: (dx, dy, far) => this.place(this.fake[this.selected].map((v, a) => v + [dx, dy][a] * (far ? 0.5 : 0.1))),
    });
    this.plane.node.addEventListener("keydown", (event) => {
      if (event.key !== " ") return;
      event.preventDefault();
      this.selected = (this.selected + 1) % this.fake.length;
      this.show();
    });
    this.plane.node.addEventListener("pointerdown", (event) => this.grab(this.plane.place(event)));
    this.drag(this.plane, (x, y) => this.grabbed && this.place(plane.under(x, y)));
    this.canvas({
      label: "Density, coverage, precision and recall as bars, each with the count that it is made of.",
      width: 300, height: SIDE,
      draw: (context, colors) => this.drawMeasures(context, colors),
    });
    this.slider("num_neighbors", { label: "neighbors k", min: 1, max: 5, change: () => this.show() });
    this.watch("fake", () => this.show());
    this.watch("seed", () => this.restart());
    this.restart();
    const put = (make) => () => this.set("fake", make(this.real, this.model.get("num_neighbors")));
    this.button("Huddle", put(huddled));
    this.button("Spread out", put(spreadOut));
    this.button("Draw from the real law", put(() => crowdPoints(this.noise, FAKE)));
  }

  restart() {
    this.noise = new Noise(this.model.get("seed"));
    this.real = crowdPoints(this.noise, REAL);
    this.first = crowdPoints(this.noise, FAKE);
    this.show();
  }

  get fake() {
    // Draws of the real law, until the reader or Python puts others.
    const given = this.model.get("fake");
    return given.length ? given : this.first;
  }

  grab(at) {
    const gaps = this.fake.map((y) => distance(plane.at(y), at));
    const nearest = gaps.indexOf(Math.min(...gaps));
    this.grabbed = gaps[nearest] < 28;
    if (this.grabbed) this.selected = nearest;
  }

  place(at) {
    this.set("fake", this.fake.map((y, j) => (j === this.selected ? plane.clip(at) : y)));
  }

  show() {
    this.selected = Math.min(this.selected, this.fake.length - 1);
    this.measured = measures(this.real, this.fake, this.model.get("num_neighbors"));
    const { density, coverage, precision, recall, perfectCoverage, hits } = this.measured;
    const { real, fake } = this;
    this.say(finding(this.measured), { density, coverage, precision, recall, perfectCoverage, hits, real, fake });
    this.redraw();
  }

  drawPlane(context, colors) {
    const { real, fake, measured, selected } = this;
    const { blue, vermillion, ground } = colors;
    frame(context, 0.5, 0.5, SIDE - 1, SIDE - 1, colors.line);
    dot2(context, SIDE - 178, 18, 3.5, blue, blue);
    text(context, "real, in its ball", SIDE - 166, 22, blue);
    square(context, [SIDE - 178, 38], false, colors);
    text(context, "fake, in so many balls", SIDE - 166, 42, vermillion);
    const ball = (center, radius, style) => circle(context, plane.at(center), radius * plane.unit, style);
    real.forEach((x, i) => {
      const radius = measured.realRadii[i];
      const width = distance(x, fake[selected]) < radius ? 2.5 : 1; // the balls that the selected fake lies in
      const rim = measured.covered[i] ? { opacity: 0.75 } : { opacity: 0.45, dash: [3, 4] };
      ball(x, radius, { fill: blue, shade: 0.07, line: blue, width, ...rim }); // many balls at a place are darker
    });
    const dotted = { line: vermillion, opacity: 0.8, width: 1.5, dash: [1.5, 4] };
    neededBalls(real, fake, measured).forEach((j) => ball(fake[j], measured.fakeRadii[j], dotted));
    real.forEach((x, i) => dot2(context, ...plane.at(x), 3.5, measured.recalled[i] ? blue : ground, blue));
    const topFirst = [...fake.keys()].sort((a, b) => (b === selected) - (a === selected));
    const groups = []; // of squares that lie on one another: they share a label
    topFirst.forEach((j) => {
      const group = groups.find(([first]) => distance(plane.at(fake[first]), plane.at(fake[j])) < 20);
      if (group) group.push(j);
      else groups.push([j]);
    });
    topFirst.reverse().forEach((j) => square(context, plane.at(fake[j]), j === selected, colors));
    groups.forEach((group) => {
      const balls = [...new Set(group.map((j) => measured.hits[j]))].sort();
      const many = group.length > 1 && balls.length === 1 ? `${group.length} × ` : "";
      const [x, y] = plane.at(fake[group[0]]);
      text(context, many + balls.join(", "), Math.min(x + 9, SIDE - 18 - 8 * many.length), Math.max(y - 8, 16),
        colors.text, { size: 14, weight: "bold", halo: colors.ground });
    });
  }

  drawMeasures(context, colors) {
    const { density, coverage, precision, recall, perfectCoverage, hits, covered, recalled } = this.measured;
    const [n, m, k] = [covered.length, hits.length, this.model.get("num_neighbors")];
    const mean = (sum(hits) / m).toFixed(1);
    const unit = Math.min(110, 298 / density); // length of a bar of 1
    const rows = [
      ["density", density, colors.vermillion, `${mean} balls a fake on average, divided by k = ${k}`, 1],
      ["coverage", coverage, colors.blue, `${number(covered)} of ${n} balls hold a fake (solid rim)`, perfectCoverage],
      ["precision", precision, colors.vermillion, `${number(hits)} of ${m} fakes lie in some ball`],
      ["recall", recall, colors.blue, `${number(recalled)} of ${n} real points in a dotted ball (filled)`],
    ];
    rows.forEach(([name, value, color, words, perfect], row) => {
      const y = 20 + 95 * row;
      text(context, name, 0, y, colors.text, { size: 16 });
      text(context, value.toFixed(2), 84, y, colors.text, { size: 16, weight: "bold" });
      frame(context, 0.5, y + 10.5, unit, 15, colors.line);
      bar(context, 0, y + 10, unit * value, 16, color);
      text(context, words, 0, y + 46, colors.muted);
      if (!perfect) return;
      bar(context, unit * perfect - 1, y + 6, 3, 24, colors.text);
      const label = `perfect samples: ${perfect.toFixed(2)}`;
      text(context, label, 300, y, colors.text, { align: "right" });
      bar(context, 292 - context.measureText(label).width, y - 11, 3, 14, colors.text);
    });
  }
}

function finding({ density, coverage, precision, recall, perfectCoverage, hits }) {
  const both = `density ${density.toFixed(2)}, coverage ${percent(coverage)}`;
  if (precision < 0.8) {
    return `${hits.length - number(hits)} of ${hits.length} fakes lie in no ball, so precision and density fall`
      + (recall > 0.5 ? "; recall is fooled, since the balls of fakes far apart are large." : ".");
  }
  if (density > 1.3 && coverage < 0.8 * perfectCoverage) {
    return `Density rewards huddling: it is ${density.toFixed(2)}, where perfect samples get 1 on average. Precision `
      + `sees no fault either. But ${percent(1 - coverage)} of the balls are empty, and coverage says so.`;
  }
  if (coverage > perfectCoverage + 0.15) {
    return `Coverage rewards spreading: these fakes reach ${percent(coverage)} of the balls, perfect samples `
      + `${percent(perfectCoverage)} on average. Density, at ${density.toFixed(2)}, would rather have them huddle.`;
  }
  if (coverage < 0.7 * perfectCoverage) return `Much of the data has no fake nearby, and coverage sees it: ${both}.`;
  if (density - 1 > 0.3) return `The fakes keep to places where the balls are many: ${both}.`;
  if (1 - density > 0.3) return `The fakes keep to places where the balls are few: ${both}.`;
  return `Perfect samples may look like this: ${both}. Draws from the real law itself leave some balls empty by `
    + `chance; on average they get density 1 and coverage ${percent(perfectCoverage)}.`;
}

function square(context, [x, y], selected, colors) {
  const half = selected ? 6 : 5;
  const box = [x - half, y - half, 2 * half, 2 * half];
  bar(context, ...box, colors.vermillion);
  frame(context, ...box, ...(selected ? [colors.text, 3] : [colors.ground, 1.5]));
}

export default {
  render(widget) {
    return new CountedNeighbors(widget).cleanup();
  },
};

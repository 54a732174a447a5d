// Four starts race to one correlated posterior: the exact law of each Langevin chain, and its distance step by step.

import { CENTER, LONGEST, THERE, VARIANCE, race, turned } from "./first_there.core.js";
import { Explorable, dot2, stroke, text } from "./page.js";
import { Plane, clamp, ellipse, frame, logScale, within, xTicks, yTicks } from "./charts.js";

const WIDEST = 0.97; // correlation

const LOOKS = {
  reverse: { name: "reverse KL", color: "blue", dash: [7, 4] },
  jeffreys: { name: "Jeffreys", color: "green", dash: [8, 3, 2, 3] },
  forward: { name: "forward KL", color: "vermillion", dash: [] },
  prior: { name: "prior", color: "muted", dash: [2, 3] },
};

export function finding({ curvature, end, runners }, steps, stepSize) {
  // Who leads after so many steps (nobody where that says nothing), and the sentences for it.
  const at = ({ distance }) => distance[steps];
  const [prior, ...encoders] = [runners[3], ...runners.slice(0, 3).sort((a, b) => at(a) - at(b))];
  const [leader, second, third] = encoders;
  const steepness = stepSize * curvature[1];
  const time = steps === 0 ? "Before the first step" : steps === 1 ? "After one step" : `After ${steps} steps`;
  const begun = Math.min(...encoders.map(({ distance }) => distance[0]));
  if (steepness >= 2) {
    return { words: `This step is beyond the edge of stability (γλ = ${steepness.toPrecision(3)} across the ridge): `
      + "every chain is thrown further out with each step, wherever it began." };
  }
  if (end > begun + THERE && steps > 0) {
    return { words: `With this step every chain ends ${size(end)} nats from the posterior, and the best encoder begins `
      + `only ${size(begun)} away. Steps so close to the edge of stability make a good start worse.` };
  }
  if (encoders.every(({ distance }) => distance[0] < 2 * THERE)) {
    return { words: "Almost without correlation the three losses ask for almost the same variances, and each is right: "
      + "there is nothing to choose between the encoders." };
  }
  if (at(third) - at(leader) < THERE) {
    const rest = at(prior) > at(third) + THERE ? "; only the chain from the prior is still on its way" : "";
    const where = size(at(leader)).replace("<", "less than");
    const why = steps > 0 && Math.abs(at(leader) - end) < THERE
      ? "Where they began is forgotten; what is left is the step’s own bias."
      : "Not a hundredth of a nat lies between them.";
    return { words: `${time} the three encoders’ chains are level, at ${where} nats${rest}. ${why}` };
  }
  const fact = `${time} the chain from ${possessive(leader)} encoder is nearest: ${size(at(leader))} nats, against `
    + `${size(at(second))} from ${possessive(second)} and ${size(at(third))} from ${possessive(third)}.`;
  const reasons = {
    reverse: steps === 0 ? "No wonder: this very distance is what reverse KL made as small as it could."
      : "The other two began too wide across the ridge, and have not forgotten it yet.",
    jeffreys: "It began longer along the ridge than reverse KL’s, and with less width to lose across it than "
      + "forward KL’s.",
    forward: "It began too wide across the ridge, where a chain forgets fast, and nearest to the right length along "
      + "it, where a chain is slow.",
  };
  return { leader: leader.key, words: `${fact} ${reasons[leader.key]}` };
}

const possessive = ({ key }) => (key === "jeffreys" ? "Jeffreys’" : `${LOOKS[key].name}’s`);
function size(nats) {
  if (nats >= 1e4 || nats < 5e-4) return nats < 1 ? "< 0.001" : "> 9999";
  return nats.toFixed(nats >= 9.995 ? 0 : nats >= 0.0995 ? 2 : 3);
}

// --- The drawing: a panel for each start on the left, the race on the right. ---

const PANEL = 156; // a side
const ROW = 202; // from a row of panels to the next
const [WIDE, HIGH] = [344, 2 * ROW - 6]; // of the race
const BOX = [46, 26, WIDE - 8, HIGH - 40]; // left, top, right, bottom
const [LEAST, MOST] = [1e-3, 300]; // nats

const afterStep = logScale(1, LONGEST + 1, BOX[0], BOX[2]);
const toTime = (t) => afterStep(1 + t);
const fromTime = (x) => Math.round((LONGEST + 1) ** ((x - BOX[0]) / (BOX[2] - BOX[0])) - 1);
const toHeight = (nats) => logScale(LEAST, MOST, BOX[3], BOX[1])(clamp(LEAST, nats, MOST));
const [NEAR, FAR] = [new Plane(PANEL, 0.95, CENTER), new Plane(PANEL, 2.4, [0.25, 0.25])]; // what panels show
const PANELS = ["reverse", "jeffreys", "forward", "prior"].map((key, i) => ({
  key, x: 4 + (i % 2) * (PANEL + 16), y: 22 + Math.floor(i / 2) * ROW, plane: key === "prior" ? FAR : NEAR,
}));

function drawLaw(context, { x, y, plane }, { error, variance }, style) {
  // Two standard deviations of a law whose axes are the ridge and its perpendicular.
  const [a, b] = plane.at(turned(error).map((value, k) => CENTER[k] + value));
  ellipse(context, [x + a, y + b], variance.map((value) => 2 * Math.sqrt(value) * plane.unit), -Math.PI / 4, style);
}

class FourStarts extends Explorable {
  constructor(widget) {
    super(widget);
    const trait = (name) => this.model.get(name);
    this.panels = this.canvas({
      label: "Four panels, one a start: the posterior as a shaded ridge, the start's law dashed, the law of its chain "
        + "after T steps as a line. Arrow keys change the correlation.",
      width: 2 * PANEL + 24, height: HIGH,
      draw: (context, colors) => PANELS.forEach((panel) => this.drawPanel(context, colors, panel)),
      keys: (dx, dy) => this.move("correlation", trait("correlation") + 0.01 * (dx + dy), WIDEST),
    });
    this.panels.node.addEventListener("pointerdown", (event) => {
      const [x, y] = this.panels.place(event); // the panel that is pressed stays the one that is dragged
      this.held = PANELS[(x > PANEL + 12) + 2 * (y > ROW)];
    });
    this.drag(this.panels, (x, y) => {
      const across = (x - this.held.x + y - this.held.y - PANEL) / (Math.SQRT2 * this.held.plane.unit);
      this.move("correlation", 1 - (across / 2) ** 2 / VARIANCE, WIDEST); // the handle is two deviations away
    });
    this.chart = this.canvas({
      label: "The distance of each start's chain from the posterior, in nats, against the steps made, on logarithmic "
        + "axes; a marker stands at T. Arrow keys move it.",
      width: WIDE, height: HIGH,
      draw: (context, colors) => this.drawRace(context, colors),
      keys: (dx, dy) => this.move("steps", trait("steps") + dx + dy, LONGEST),
    });
    this.drag(this.chart, (x) => this.move("steps", fromTime(x), LONGEST));
    this.slider("correlation", { label: "correlation", min: 0, max: WIDEST, step: 0.01,
      format: (value) => value.toFixed(2), change: () => this.prepare() });
    this.slider("steps", { label: "steps T", min: 0, max: LONGEST, change: () => this.show() });
    this.slider("step_size", { label: "step γ", min: 0.0005, max: 0.02, step: 0.02, logarithmic: true,
      format: (value) => value.toPrecision(2), change: () => this.prepare() });
    const toggle = this.loop(() => this.run() || toggle(false), { start: false });
    this.prepare();
  }

  move(trait, value, most) {
    this.set(trait, clamp(0, Math.round(100 * value) / 100, most));
  }

  run() {
    // The marker crosses the race at an even pace on its logarithmic axis, and starts anew from its end.
    const steps = this.model.get("steps");
    if (this.ahead === undefined || fromTime(this.ahead) !== steps) this.ahead = toTime(steps % LONGEST);
    this.ahead += 1;
    this.move("steps", fromTime(this.ahead), LONGEST);
    return fromTime(this.ahead) < LONGEST;
  }

  prepare() {
    this.state = race(this.model.get("correlation"), this.model.get("step_size"));
    this.show();
  }

  show() {
    const steps = this.model.get("steps");
    const { leader, words } = finding(this.state, steps, this.model.get("step_size"));
    this.leader = leader;
    const values = { leader, end: this.state.end };
    this.state.runners.forEach(({ key, start, distance, arrival }) => {
      values[key] = { variance: start.variance, distance: distance[steps], arrival };
    });
    this.say(words, values);
    this.redraw();
  }

  drawPanel(context, colors, panel) {
    const { key, x, y } = panel;
    const steps = this.model.get("steps");
    const { laws: all, distance, arrival } = this.state.runners.find((runner) => runner.key === key);
    const [color, first] = [colors[LOOKS[key].color], key === this.leader];
    const small = { size: 12, halo: colors.ground };
    const variance = this.state.curvature.map((lambda) => 1 / lambda);
    within(context, [x, y, x + PANEL, y + PANEL], () => {
      drawLaw(context, panel, { error: [0, 0], variance }, { line: colors.line, fill: colors.text, shade: 0.22 });
      drawLaw(context, panel, all[0], { line: color, width: 1.5, dash: [4, 4] });
      drawLaw(context, panel, all[steps], { line: color, width: 3 });
    });
    if (key === "prior") text(context, "seen from afar", x + 6, y + PANEL - 8, colors.text, small);
    else {
      const [a, b] = panel.plane.at([-1, 1].map((sign, k) => CENTER[k] + sign * Math.sqrt(2 * variance[1])));
      dot2(context, x + a, y + b, 6, colors.text, colors.ground);
    }
    frame(context, x + 0.5, y + 0.5, PANEL - 1, PANEL - 1, first ? color : colors.line, first ? 3 : 1);
    const bold = { ...small, align: "right", weight: "bold" };
    if (first) text(context, "nearest now", x + PANEL - 8, y + PANEL - 9, color, bold);
    text(context, LOOKS[key].name, x, y - 7, color, { weight: "bold" });
    const nats = size(distance[steps]);
    text(context, nats.length > 5 ? nats : `${nats} nats`, x + PANEL, y - 7, colors.text, { align: "right" });
    const when = arrival === Infinity ? "never there" : `there in ${arrival} step${arrival === 1 ? "" : "s"}`;
    text(context, arrival === 0 ? "there from the start" : when, x, y + PANEL + 16, colors.text, small);
  }

  drawRace(context, colors) {
    const steps = this.model.get("steps");
    const { runners } = this.state;
    this.drawAxes(context, colors);
    runners.forEach(({ key, distance }) => {
      const points = Array.from({ length: LONGEST + 1 }, (_, t) => [toTime(t), toHeight(distance[t])]);
      stroke(context, points, colors[LOOKS[key].color], key === this.leader ? 3.5 : 2, LOOKS[key].dash);
    });
    // The labels stand beside the marker in the order of the race, pushed apart where they would touch.
    const x = toTime(steps);
    const [side, align] = x < 0.6 * WIDE ? [12, "left"] : [-12, "right"];
    const rows = runners.map(({ key, distance }) => ({ key, nats: distance[steps] })).sort((a, b) => b.nats - a.nats);
    const places = rows.map(({ nats }) => toHeight(nats));
    for (let i = 1; i < 4; i++) places[i] = Math.max(places[i], places[i - 1] + 17);
    for (let i = 3; i >= 0; i--) places[i] = Math.min(places[i], (places[i + 1] ?? BOX[3] + 10) - 17);
    rows.forEach(({ key, nats }, i) => {
      const color = colors[LOOKS[key].color];
      dot2(context, x, toHeight(nats), 5, color, colors.ground);
      text(context, `${LOOKS[key].name} ${size(nats)}`, x + side, places[i] + 2, color,
        { align, weight: key === this.leader ? "bold" : "", halo: colors.ground });
    });
  }

  drawAxes(context, colors) {
    const [left, top, right, bottom] = BOX;
    const grid = { color: colors.text, width: 0.5 };
    yTicks(context, [0.001, 0.01, 0.1, 1, 10, 100], toHeight, [left, right], colors, grid);
    xTicks(context, [0, 1, 2, 5, 10, 20, 50], toTime, bottom + 17, colors.text);
    xTicks(context, [LONGEST], toTime, bottom + 17, colors.text, "right");
    text(context, "distance from the posterior, KL (nats)", 0, 13, colors.text);
    text(context, "steps made", right, HIGH - 6, colors.text, { align: "right" });
    const { end } = this.state;
    if (LEAST < end && end < MOST) {
      const y = toHeight(end);
      stroke(context, [[left, y], [right, y]], colors.text, 2, [1, 4]);
      const look = { size: 12, halo: colors.ground };
      text(context, `ULA ends at ${size(end)}`, left + 4, y + (y > bottom - 20 ? -7 : 15), colors.text, look);
    }
    const x = toTime(this.model.get("steps"));
    stroke(context, [[x, top - 4], [x, bottom]], colors.text, 1.5);
  }
}

export default {
  render(widget) {
    return new FourStarts(widget).cleanup();
  },
};

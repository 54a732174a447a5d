// Each method against the baseline, by one measure and one sampler at a time, with 95 % intervals.

import { Explorable, dot2, text } from "./page.js";

const [WIDE, ROW, LEFT, RIGHT] = [400, 46, 30, 370]; // of the drawing; the axis runs from LEFT to RIGHT

export function verdictOf({ difference, wide, up }) {
  // "ahead" or "behind" outside the interval, else "undecided".
  if (Math.abs(difference) <= wide) return "undecided";
  return difference > 0 === up ? "ahead" : "behind";
}

const digits = (value) => (Math.abs(value) < 10 ? value.toFixed(3) : value.toFixed(1)).replace("-", "\u2212");

class VerdictsOfResults extends Explorable {
  constructor(widget) {
    super(widget);
    const titles = this.model.get("titles");
    const change = () => this.show();
    const budgets = this.model.get("budgets");
    if (budgets.length > 1) {
      this.choice("budget", { label: "budget", options: budgets.map((words) => [words, words]), change });
    }
    this.choice("measure", { label: "measure", options: Object.entries(titles.measures), change });
    this.choice("sampler", { label: "samples from", options: Object.entries(titles.samplers), change });
    this.plot = this.canvas({
      label: "Differences from the baseline, one row a method, with 95 percent intervals; better is to the right.",
      width: WIDE, height: ROW * (this.rows().length + 0.6),
      draw: (context, colors) => this.draw(context, colors),
    });
    this.show();
  }

  rows() {
    const measure = this.model.get("measure");
    const sampler = measure === "log_evidence" ? "" : this.model.get("sampler");
    return this.model.get("results")[this.model.get("budget")][measure + sampler];
  }

  show() {
    const [titles, measure] = [this.model.get("titles"), this.model.get("measure")];
    const others = this.rows().filter(({ base }) => !base);
    const named = (verdict) => others.filter((row) => verdictOf(row) === verdict);
    const [ahead, behind] = [named("ahead"), named("behind")];
    const list = (rows) => rows.map(({ name }) => name).join("; ");
    const from = measure === "log_evidence" ? "" : `, judged on ${titles.samplers[this.model.get("sampler")]},`;
    const better = ahead.length
      ? `these are ahead of the ${this.model.get("baseline")}: ${list(ahead)}.`
      : `no method is ahead of the ${this.model.get("baseline")}.`;
    const worse = behind.length ? ` Behind it: ${list(behind)}.` : " None is behind it.";
    this.say(`In ${titles.measures[measure]}${from} ${better}${worse}`, {
      ahead: ahead.length, behind: behind.length, rows: this.rows().map(({ name, mean }) => [name, mean]),
    });
    this.plot.redraw();
  }

  draw(context, colors) {
    // Every difference is drawn so that better is to the right.
    const rows = this.rows();
    const sign = rows[0].up ? 1 : -1;
    const ends = rows.flatMap(({ difference, wide }) => [sign * difference - wide, sign * difference + wide]);
    const [low, high] = [Math.min(0, ...ends), Math.max(0, ...ends)];
    const toX = (value) => LEFT + ((value - low) / (high - low)) * (RIGHT - LEFT);
    context.strokeStyle = colors.line;
    context.beginPath();
    context.moveTo(toX(0), 0);
    context.lineTo(toX(0), ROW * (rows.length + 0.2));
    context.stroke();
    rows.forEach((row, i) => {
      const [y, verdict] = [ROW * (i + 0.7), verdictOf(row)];
      const color = row.base ? colors.muted : { ahead: colors.blue, behind: colors.vermillion }[verdict] ?? colors.text;
      const words = `${row.name}: ${digits(row.mean)}${row.base ? "" : `, ${verdict}`}`;
      text(context, words, 0, y - 10, color, { size: 14, halo: colors.ground });
      if (row.base) return;
      context.strokeStyle = color;
      context.lineWidth = 2.5;
      context.beginPath();
      context.moveTo(toX(sign * row.difference - row.wide), y);
      context.lineTo(toX(sign * row.difference + row.wide), y);
      context.stroke();
      dot2(context, toX(sign * row.difference), y, verdict === "undecided" ? 4 : 6, color, colors.ground);
    });
    text(context, "worse", LEFT, ROW * (rows.length + 0.45), colors.vermillion);
    text(context, "better", RIGHT, ROW * (rows.length + 0.45), colors.blue, { align: "right" });
  }
}

export default {
  render(widget) {
    return new VerdictsOfResults(widget).cleanup();
  },
};

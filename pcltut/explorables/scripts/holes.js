// Latents of real images in the plane, the law that samples are drawn from, and what the decoder makes of the draws.

import { Decoder, Noise, logSumExp } from "./core.js";
import { covered, perfectCoverage, radii } from "./neighbors.core.js";
import { Explorable, dot2, drawImage, heatMap, percent, stroke, text } from "./page.js";

const [SIZE, REACH, CELLS] = [360, 5, 101]; // of the plane's drawing
const [DRAWS, NEIGHBORS, RARE] = [200, 5, 0.05]; // RARE: share of the images' own latents that lie in holes

// Without charts.js: the page has another explorable, and 60 kB for the scripts of both.
const toX = (a) => (SIZE * (a / REACH + 1)) / 2;
const toY = (b) => SIZE - toX(b);
const clip = (value) => Math.max(-REACH, Math.min(REACH, value));
const center = (cell) => -REACH + (2 * REACH * cell) / (CELLS - 1);

export function decoderOf({ sizes, steps, weights }) {
  // Each matrix and bias is in bytes, which count steps of its own.
  const bytes = Int8Array.from(atob(weights), (letter) => letter.charCodeAt(0));
  const counts = sizes.slice(1).flatMap((outputs, i) => [sizes[i] * outputs, outputs]);
  const scales = counts.flatMap((n, i) => Array(n).fill(steps[i]));
  return new Decoder(sizes, Float64Array.from(scales, (step, at) => step * bytes[at]));
}

export function logDensity(parts, [a, b]) {
  // Of a mixture of Gaussians. A part is its weight, its mean and its Cholesky factor: w, m1, m2, l11, l21, l22.
  return logSumExp(parts.map(([weight, m1, m2, l11, l21, l22]) => {
    const u = (a - m1) / l11;
    const v = (b - m2 - l21 * u) / l22;
    return Math.log(weight / (2 * Math.PI * l11 * l22)) - (u * u + v * v) / 2;
  }));
}

export function drawFitted(parts, noise) {
  let left = noise.uniform();
  const [, m1, m2, l11, l21, l22] = parts.find(([weight]) => (left -= weight) <= 0) ?? parts[parts.length - 1];
  const [u, v] = noise.normals(2);
  return [m1 + l11 * u, m2 + l21 * u + l22 * v];
}

export function quantile(values, share) {
  const sorted = Float64Array.from(values).sort();
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low] + (at - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}

class PriorAndPosteriors extends Explorable {
  constructor(widget) {
    super(widget);
    this.network = decoderOf(this.model.get("decoder"));
    [this.latents, this.parts] = [this.model.get("latents"), this.model.get("density")];
    this.edge = quantile(this.latents.map((z) => logDensity(this.parts, z)), RARE);
    this.radii = radii(this.latents, NEIGHBORS);
    this.perfect = perfectCoverage(this.latents.length, DRAWS, NEIGHBORS);
    this.home = Array.from({ length: CELLS ** 2 }, (_, i) =>
      logDensity(this.parts, [center(i % CELLS), -center(Math.floor(i / CELLS))]) - this.edge);
    this.plane = this.canvas({
      label: "The plane of two latents: a small dot for each real image, shaded where they are dense. Draws are larger "
        + "dots, crosses in holes. Arrow keys move the ring, a place to decode.",
      width: SIZE, height: SIZE,
      draw: (context, colors) => this.drawPlane(context, colors),
      keys: (dx, dy, far) => this.move(this.model.get("place").map((v, k) => v + [dx, dy][k] * (far ? 1 : 0.2))),
    });
    this.drag(this.plane, (x, y) => this.move([REACH * ((2 * x) / SIZE - 1), REACH * (1 - (2 * y) / SIZE)]));
    this.pictures = this.canvas({
      label: "The decoder's pictures at the ring and of ten draws, dashed in holes; below them as bars the share of "
        + "draws in holes and of images reached.",
      width: 300, height: SIZE,
      draw: (context, colors) => this.drawPictures(context, colors),
    });
    this.slider("stretch", { label: "stretch s", min: 0.25, max: 3, step: 0.05, format: (s) => s.toFixed(2),
      change: () => (this.set("source", "prior"), this.show()) });
    this.choice("source", { label: "samples from",
      options: [["prior", "N(0, s² I)"], ["fitted", "the fitted density"]], change: () => this.show() });
    this.button("Draw again", () => this.set("seed", this.model.get("seed") + 1));
    ["seed", "place"].forEach((trait) => this.watch(trait, () => this.show()));
    this.show();
  }

  move(place) {
    this.set("place", place.map(clip));
  }

  show() {
    const noise = new Noise(this.model.get("seed"));
    this.fitted = this.model.get("source") === "fitted";
    const stretch = this.model.get("stretch");
    const draw = () => (this.fitted ? drawFitted(this.parts, noise) : [...noise.normals(2)].map((v) => stretch * v));
    this.draws = Array.from({ length: DRAWS }, draw);
    const isHole = (z) => logDensity(this.parts, z) < this.edge;
    this.lost = this.draws.map(isHole);
    this.placeLost = isHole(this.model.get("place"));
    this.holes = this.lost.filter(Boolean).length / DRAWS;
    this.reached = covered(this.latents, this.radii, this.draws).filter(Boolean).length / this.latents.length;
    this.tell();
    [this.plane, this.pictures].forEach((canvas) => canvas.redraw());
  }

  tell() {
    const { holes, reached, perfect } = this;
    const [lost, near, best] = [holes, reached, perfect].map(percent);
    let finding;
    if (this.fitted) {
      finding = `The fitted density asks the decoder where it was taught: ${lost} of its draws fall into holes, about `
        + `as few as of the images themselves, and they reach ${near} of the images, where perfect draws reach ${best}.`;
    } else if (holes > 3 * RARE) {
      finding = `So wide, the prior reaches ${near} of the images, and ${lost} of its draws fall into holes, where `
        + "hardly any image has its latent: the dashed pictures are inventions.";
    } else if (reached < 0.85 * perfect) {
      finding = `The draws huddle in the middle: ${lost} fall into holes, and they reach only ${near} of the images, `
        + `where perfect draws reach ${best}.`;
    } else {
      finding = `In between: ${lost} of the draws fall into holes, and they reach ${near} of the images, where perfect `
        + `draws reach ${best}.`;
    }
    const ring = this.placeLost ? " The ring lies in a hole." : " The ring lies where images are.";
    this.say(finding + ring, { holes, reached, perfect, edge: this.edge, draws: this.draws.slice(0, 10) });
  }

  drawPlane(context, colors) {
    heatMap(context, this.home, CELLS, 0, 0, SIZE, SIZE, colors.blue, (height) => (height > 0 ? 0.22 : 0));
    stroke(context, [[0, 0], [SIZE, 0], [SIZE, SIZE], [0, SIZE], [0, 0]], colors.line);
    this.latents.forEach(([a, b]) => dot2(context, toX(a), toY(b), 1.6, colors.blue));
    this.draws.forEach((z, i) => {
      const [x, y] = [toX(clip(z[0])), toY(clip(z[1]))];
      if (!this.lost[i]) return dot2(context, x, y, 3, colors.vermillion);
      [3.5, -3.5].forEach((r) => stroke(context, [[x - r, y - 3.5], [x + r, y + 3.5]], colors.vermillion, 1.5));
    });
    const [a, b] = this.model.get("place");
    context.beginPath();
    context.arc(toX(a), toY(b), 8, 0, 2 * Math.PI);
    [context.strokeStyle, context.lineWidth] = [colors.text, 2.5];
    context.stroke();
    text(context, "images (shaded: 95 % of them)", 8, 18, colors.blue, { halo: colors.ground });
    text(context, "draws, × in holes", 8, 36, colors.vermillion, { halo: colors.ground });
  }

  drawPictures(context, colors) {
    const picture = (z, lost, x, y, size) => {
      drawImage(context, this.network.decode(z), x, y, size);
      const rim = [[x, y], [x + size, y], [x + size, y + size], [x, y + size], [x, y]];
      if (lost) stroke(context, rim, colors.vermillion, 3, [5, 4]);
    };
    picture(this.model.get("place"), this.placeLost, 2, 4, 84);
    text(context, "at the ring:", 98, 40, colors.text);
    text(context, this.placeLost ? "a hole" : "images are here", 98, 60, colors.text, { weight: "bold" });
    text(context, "ten draws", 2, 114, colors.vermillion);
    this.draws.slice(0, 10).forEach((z, i) => picture(z, this.lost[i], 2 + 60 * (i % 5), i < 5 ? 124 : 184, 54));
    const rows = [["draws in holes", this.holes, RARE, "images", colors.vermillion],
      ["images reached", this.reached, this.perfect, "perfect", colors.blue]];
    rows.forEach(([words, share, mark, by, color], row) => {
      const y = 268 + 50 * row;
      text(context, `${words}: ${percent(share)}`, 2, y, colors.text, { weight: "bold" });
      text(context, `| ${by}: ${percent(mark)}`, 298, y, colors.text, { align: "right" });
      context.fillStyle = color;
      context.fillRect(2, y + 8, 296 * share, 14);
      stroke(context, [[2, y + 22], [298, y + 22]], colors.line, 1);
      context.fillStyle = colors.text;
      context.fillRect(1 + 296 * mark, y + 4, 3, 22);
    });
  }
}

export default {
  render(widget) {
    return new PriorAndPosteriors(widget).cleanup();
  },
};

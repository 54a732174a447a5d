// A crowd of preconditioned Langevin walkers on a stretched Gaussian, what it measures, and what theory says of it.

import { Noise, langevinStep, meanAndCovariance } from "./core.js";

export const START = [-2, 0.5]; // where an encoder that knows little would put the crowd: soft, stiff
const SPREAD = 0.15;
const AWAY = 1e6; // a coordinate this far out stays there; the directions do not feel each other
const RECENT = 600; // steps over which the crowd's covariance is averaged, at most

const isAway = (value) => !(Math.abs(value) < AWAY);

export class RunningScale {
  // The diagonal of M from a running mean of squared scores, as pcltut.samplers.RMSPreconditioner: v takes in the
  // current score before it is used, and after `freezeAfter` updates it stays. One row for all walkers, or one each.
  constructor({ walkers, shared, decay, freezeAfter = Infinity, eps = 1e-8 }) {
    Object.assign(this, { shared, decay, freezeAfter, eps, updates: 0 });
    this.moment = Array.from({ length: shared ? 1 : walkers }, () => [0, 0]);
  }

  update(scores) {
    if (this.updates < this.freezeAfter) {
      const squares = scores.map((score) => score.map((value) => value ** 2));
      const mean = (k) => squares.reduce((sum, square) => sum + square[k], 0) / squares.length;
      const seen = this.shared ? [[mean(0), mean(1)]] : squares;
      const { decay } = this;
      this.moment = this.moment.map((row, i) => row.map((v, k) => decay * v + (1 - decay) * seen[i][k]));
      this.updates += 1;
    }
    const correction = 1 - this.decay ** this.updates; // for the start at zero
    this.rows = this.moment.map((row) => row.map((v) => 1 / (this.eps + Math.sqrt(v / correction))));
    return this.rows;
  }
}

export class StretchedCrowd {
  // Walkers on the Gaussian of curvatures [1, ratio] around 0, latent 1 soft and latent 2 stiff, and what they measure.
  constructor({ ratio, stepSize, preconditioner, decay, freezeAfter, walkers, seed }) {
    this.curvature = [1, ratio];
    this.stepSize = stepSize;
    this.noise = new Noise(seed);
    const shared = preconditioner !== "datum";
    const options = { walkers, shared, decay, freezeAfter: preconditioner === "frozen" ? freezeAfter : Infinity };
    this.memory = preconditioner === "none" ? undefined : new RunningScale(options);
    this.z = Array.from({ length: walkers }, () => START.map((start) => start + SPREAD * this.noise.normal()));
    this.time = 0;
    this.measure();
  }

  step() {
    const scores = this.z.map((z) => z.map((value, k) => -this.curvature[k] * value));
    const rows = this.memory?.update(scores);
    this.z = this.z.map((z, i) => {
      const noise = this.noise.normals(2);
      const moved = langevinStep(z, scores[i], this.stepSize, 1, noise, rows?.[rows.length === 1 ? 0 : i]);
      return z.map((value, k) => (isAway(value) ? value : moved[k]));
    });
    this.time += 1;
    this.measure();
  }

  measure() {
    // The crowd's mean and covariance, averaged over steps: over about the last third of them, 600 at most.
    const now = meanAndCovariance(this.z);
    const rate = Math.max(3 / (this.time + 3), 1 / RECENT);
    const average = (old, next) => old + rate * (next - old);
    this.mean = now.mean.map((value, k) => average(this.mean?.[k] ?? 0, value));
    this.covariance = now.covariance.map((row, i) => row.map((v, j) => average(this.covariance?.[i][j] ?? 0, v)));
    if (this.forgot === undefined && Math.abs(now.mean[0]) < Math.abs(START[0]) / Math.E) this.forgot = this.time;
    this.exploded = [0, 1].map((k) => this.z.some((z) => isAway(z[k])));
  }

  get frozen() {
    return this.memory?.updates === this.memory?.freezeAfter;
  }

  scale() {
    // The diagonal of M now; of many, the median of each entry.
    const rows = this.memory?.rows ?? [[1, 1]];
    return [0, 1].map((k) => rows.map((row) => row[k]).sort((a, b) => a - b)[Math.floor(rows.length / 2)]);
  }

  ratios() {
    // Measured variance over true, soft and stiff.
    return this.curvature.map((curvature, k) => (this.exploded[k] ? Infinity : curvature * this.covariance[k][k]));
  }
}

export function settled(stepSize, curvature, scale) {
  // With a constant M: the chain's variance over the posterior's, and the steps in which it forgets its start by e.
  const k = stepSize * scale * curvature;
  return { ratio: k < 2 ? 2 / (2 - k) : Infinity, steps: 1 / k };
}

// E z^2 of the standard normal with steps of 0.01 and an M for each walker, by decay, as RMSPreconditioner tells it.
export const OWN_SCALE = { 0.9: 1.78, 0.99: 1.328, 0.999: 1.051 };

export function longRun(stepSize, curvature, decay) {
  // That table in units where the direction is a standard normal; undefined where it has no entry.
  return Math.abs(stepSize * Math.sqrt(curvature) - 0.01) < 1e-6 ? OWN_SCALE[decay] : undefined;
}

// The race of four starts, exactly: the law of each Langevin chain, and its distance from the posterior step by step.

import { inverse } from "./core.js";

export const CENTER = [0.8, 0.8]; // the posterior's mean
export const VARIANCE = 0.1; // of each latent under the posterior
export const LONGEST = 100; // steps drawn
export const THERE = 0.01; // nats above where ULA ends: there
const PATIENCE = 8; // how many times the slowest direction's memory to wait for an arrival

export function posterior(correlation) {
  // Covariance, precision, and the curvatures along the ridge (1, 1) and across it (1, -1).
  const covariance = [[VARIANCE, correlation * VARIANCE], [correlation * VARIANCE, VARIANCE]];
  const precision = inverse(covariance);
  return { covariance, precision, curvature: [1 + correlation, 1 - correlation].map((size) => 1 / (VARIANCE * size)) };
}

export function starts({ covariance, precision }) {
  // Mean and variance, the same for both latents, of the three encoders at their losses' optima and of the prior.
  const [inner, outer] = [1 / precision[0][0], covariance[0][0]];
  return {
    reverse: { mean: CENTER, variance: inner },
    jeffreys: { mean: CENTER, variance: Math.sqrt(inner * outer) },
    forward: { mean: CENTER, variance: outer },
    prior: { mean: [0, 0], variance: 1 },
  };
}

export const turned = ([a, b]) => [(a + b) / Math.SQRT2, (a - b) / Math.SQRT2]; // to the ridge and across it, and back

export function laws({ mean, variance }, curvature, stepSize, count) {
  // The chain's law after 0, 1, ..., count steps. Start and posterior have the same axes, along the ridge and across,
  // so that in these the covariance recursion P <- A P A + 2 gamma I is one number an axis; so is the mean's error.
  const kept = curvature.map((lambda) => 1 - stepSize * lambda);
  const all = [{ error: turned(mean.map((value, k) => value - CENTER[k])), variance: [variance, variance] }];
  for (let t = 0; t < count; t++) {
    all.push({
      error: all[t].error.map((value, k) => kept[k] * value),
      variance: all[t].variance.map((value, k) => kept[k] ** 2 * value + 2 * stepSize),
    });
  }
  return all;
}

function distanceTo(curvature, { error, variance }) {
  // KL(law || posterior), the sum of a part along the ridge and one across it.
  return curvature.reduce((sum, lambda, k) => {
    const ratio = lambda * variance[k];
    return sum + (ratio - 1 - Math.log(ratio) + lambda * error[k] ** 2) / 2;
  }, 0);
}

function floor(curvature, stepSize) {
  // KL of converged ULA from the posterior; infinite beyond the edge of stability.
  if (stepSize * curvature[1] >= 2) return Infinity;
  return distanceTo(curvature, { error: [0, 0], variance: curvature.map((k) => 2 / (k * (2 - stepSize * k))) });
}

export function race(correlation, stepSize) {
  // For each start its laws, its distance after each step, and the step from which it stays within THERE of the floor.
  const target = posterior(correlation);
  const end = floor(target.curvature, stepSize);
  const memory = -1 / Math.log(Math.max(...target.curvature.map((lambda) => Math.abs(1 - stepSize * lambda))));
  const count = end < Infinity ? Math.min(1e4, Math.max(LONGEST, Math.ceil(PATIENCE * memory))) : LONGEST;
  const runners = Object.entries(starts(target)).map(([key, start]) => {
    const all = laws(start, target.curvature, stepSize, count);
    const distance = all.map((law) => distanceTo(target.curvature, law));
    const arrival = end < Infinity ? distance.findLastIndex((value) => value > end + THERE) + 1 : Infinity;
    return { key, start, laws: all, distance, arrival };
  });
  return { ...target, end, runners };
}

// Chapter 2's toy, on which inference settles, and a weight that learns from where it ends.

import { apply, combine, dot, eigen2, identity, langevinStep, multiply, solve, transpose } from "./core.js";

// --- Settling: the linear-Gaussian toy of chapter 2. ---

export const TOY = { weight: [[2, 0], [0, 0.5], [1, 0.5]], scale: 0.5, image: [0.6, 0.3, 0.5] };

export class Valley {
  // The energy of an image: curvature I + W^T W / sigma^2, and the answer, the posterior mean, at its bottom.
  constructor({ weight, scale, image }) {
    const turned = transpose(weight);
    this.curvature = combine(identity(2), multiply(turned, weight), 1 / scale ** 2);
    this.answer = solve(this.curvature, apply(turned, image).map((value) => value / scale ** 2));
    this.eigen = eigen2(this.curvature); // the stiff direction first
  }

  path(start, stepSize, steps) {
    // Predictive coding is a Langevin step without noise.
    const states = [start];
    for (let t = 0; t < steps; t++) {
      const score = apply(this.curvature, states[t].map((z, k) => this.answer[k] - z));
      states.push(langevinStep(states[t], score, stepSize, 0, [0, 0]));
    }
    return states;
  }

  factors(stepSize) {
    return this.eigen.values.map((value) => 1 - stepSize * value);
  }

  distances(z) {
    // From the answer: along the stiff direction, along the soft one, and in all.
    const away = z.map((value, k) => value - this.answer[k]);
    return [...this.eigen.vectors.map((vector) => Math.abs(dot(vector, away))), Math.hypot(...away)];
  }
}

// --- Learning: one latent, one pixel, x = w z + sigma noise, data of variance l. ---

export const LEARNER = { scale: 0.5, states: 20, rate: 0.005, start: 0.5, updates: 30000 };
export const varianceOf = (w) => w ** 2 + LEARNER.scale ** 2;

export function pointForce(w, stepSize, l) {
  // The mean gradient of log p(x, z) in w at the chain's last state, over data and starts from the prior.
  const [noise, s] = [LEARNER.scale ** 2, varianceOf(w)];
  const rest = (1 - (stepSize * s) / noise) ** (LEARNER.states - 1); // what is left of the start
  return (w / noise) * (((1 - rest) * l * (noise + rest * w ** 2)) / s ** 2 - rest ** 2);
}

export function spreadForce(w, l) {
  // The same under the exact posterior: the gradient of the log-evidence.
  return (w * (l - varianceOf(w))) / varianceOf(w) ** 2;
}

export function learn(force, updates = LEARNER.updates, start = LEARNER.start) {
  // The weight after 0, 1, ... updates of gradient ascent.
  const weights = new Float64Array(updates + 1).fill(start);
  for (let i = 0; i < updates; i++) weights[i + 1] = weights[i] + LEARNER.rate * force(weights[i]);
  return weights;
}

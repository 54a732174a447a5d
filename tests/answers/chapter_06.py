"""Exercises of chapter 6: right answers in any form, and likely mistakes with a part of their hints."""

import functools

import numpy as np
import torch


def condition_number(scale: list[float]) -> float:
    root = np.sqrt(np.array(scale))
    low, high = np.linalg.eigvalsh(root[:, None] * np.array([[16.0, 2.0], [2.0, 1.0]]) * root)
    return high / low


def moment_of_crowd(power: float, of_p: float) -> float:
    """E z^2 under |z|^power p^of_p, by the midpoint rule."""
    z = (np.arange(200_000) + 0.5) * 1e-4
    crowd = z**power * np.exp(-(z**2) / 2 * of_p)
    return (z**2 * crowd).sum() / crowd.sum()


def later_scale(*scores: float) -> float:
    """The scale after these scores, b = 0.9, from a running mean of 1."""
    v = 1.0
    for score in scores:
        v += 0.1 * (score**2 - v)
    return v**-0.5


# --- 6.7: a shared scale, frozen ---


def scales_in_closed_form(scores, decay, freeze_after):
    """The weights of all squares at once, in float64."""
    squares, scales = scores.double().square().mean(1), []
    for step in range(1, len(scores) + 1):
        t = min(step, freeze_after)
        weights = torch.tensor([decay ** (t - s) for s in range(1, t + 1)]).double()
        scales.append(((weights[:, None] * squares[:t]).sum(0) / weights.sum()).rsqrt())
    return scales


def scales(
    scores,
    decay,
    freeze_after,
    *,
    square=lambda score: score.square().mean(0),
    weigh=lambda decay: (decay, 1 - decay),
    correct=lambda decay, steps, updates: 1 - decay**updates,
    invert=lambda v: 1 / v.sqrt(),
):
    """A loop in which each part can be replaced by a wrong one."""
    v, updates, found = 0.0, 0, []
    for step, score in enumerate(scores, start=1):
        if updates < freeze_after:
            old, new = weigh(decay)
            v, updates = old * v + new * square(score), updates + 1
        found.append(invert(v / correct(decay, step, updates)))
    return torch.stack(found)


def later(steps: int):
    return lambda scores, decay, freeze_after: scales(scores, decay, freeze_after + steps)


# --- 6.8: a dense M ---


def dense(
    score,
    z,
    M,
    step_size,
    num_steps,
    generator,
    *,
    root=torch.linalg.cholesky,
    turn=lambda M, g: g @ M,
    noise_of=lambda z, generator: torch.randn(z.shape, generator=generator),
    spread=lambda step_size: (2 * step_size) ** 0.5,
):
    """Rows times a transposed root; each part can be replaced by a wrong one."""
    C = root(M)
    for _ in range(num_steps):
        z = z + step_size * turn(M, score(z)) + spread(step_size) * noise_of(z, generator) @ C.T
    return z


def symmetric_root(M):
    values, axes = torch.linalg.eigh(M)
    return axes * values.sqrt() @ axes.T


def one_chain_after_the_other(score, z, M, step_size, num_steps, generator):
    """Columns, and the symmetric root, in float64."""
    C, states = symmetric_root(M.double()), z.T.double()
    for _ in range(num_steps):
        noise = torch.randn(states.shape, generator=generator, dtype=torch.float64)
        states = states + step_size * M.double() @ score(states.T).T + (2 * step_size) ** 0.5 * C @ noise
    return states.T


def score_once(score, z, M, step_size, num_steps, generator):
    start = score(z)
    return dense(lambda z: start, z, M, step_size, num_steps, generator)


def noise_once(score, z, M, step_size, num_steps, generator):
    noise = torch.randn(z.shape, generator=generator)
    return dense(score, z, M, step_size, num_steps, generator, noise_of=lambda z, generator: noise)


# --- 6.10: the divergence ---


def metric_step(
    score,
    metric,
    z,
    step_size,
    temperature,
    noise,
    *,
    column=lambda M, i: M[:, i].sum(),
    term=lambda divergence, step_size, temperature: temperature * divergence,
    spread=lambda M, step_size, temperature: (2 * step_size * temperature * M).sqrt(),
    leave=torch.Tensor.detach,
):
    """One backward pass for each latent; each part can be replaced by a wrong one."""
    z = z.clone().requires_grad_()
    M, divergence = metric(z), torch.zeros_like(z)
    for i in range(z.shape[1]):
        divergence[:, i] = torch.autograd.grad(column(M, i), z, retain_graph=True)[0][:, i]
    drift = M * score(z) + term(divergence, step_size, temperature)
    return leave(z + step_size * drift + spread(M, step_size, temperature) * noise)


def metric_step_by_differences(score, metric, z, step_size, temperature, noise):
    """In float64, without autograd."""
    z, width = z.double(), 1e-5
    shifts = width * torch.eye(z.shape[1], dtype=z.dtype)
    divergence = torch.stack(
        [(metric(z + shift) - metric(z - shift))[:, i] / (2 * width) for i, shift in enumerate(shifts)], 1
    )
    M = metric(z)
    return z + step_size * (M * score(z) + temperature * divergence) + noise * (2 * step_size * temperature * M) ** 0.5


def right() -> dict[str, list]:
    best = min(condition_number([1.0, ratio]) for ratio in np.logspace(-2, 4, 601))
    return {
        "6.1": [1 / (1 - 0.99) ** 0.5, 10, torch.tensor([10.0])],
        "6.2": [[40 * (0.1 / 0.4) ** 2, 40 * (0.1 / 0.4)], np.array([2.5, 10])],
        "6.3": [1, 0.985, torch.tensor(1.01)],
        "6.4": [100, 100.0],
        "6.5": [condition_number([1 / 16, 1.0]), best, 3],
        "6.6": [[1.76, later_scale(2)], (1.72, 0.877), torch.tensor([1.78, (0.9 + 0.4) ** -0.5])],
        "6.7": [scales, scales_in_closed_form],
        "6.8": [dense, one_chain_after_the_other],
        "6.9": [moment_of_crowd(2, 2), 0.5 * (1 + 2), 1.5],
        "6.10": [metric_step, metric_step_by_differences],
    }


def wrong() -> list[tuple[str, object, str]]:
    with_parts = functools.partial
    return [
        ("6.1", 1 / (1 - 0.99), "M has its root"),
        ("6.1", (1 - 0.99) ** 0.5, "v is too small"),
        ("6.1", 1 - 0.99, "and M has the root"),
        ("6.1", 1, "not g^2"),
        ("6.1", 1 / 0.99**0.5, "its weight is 1 - b"),
        ("6.1", ((1 - 0.99**2) / (1 - 0.99)) ** 0.5, "off by one step"),
        ("6.1", 3, "What is v_1"),
        ("6.2", [10, 2.5], "in the other order"),
        ("6.2", [10, 20], "falls by four"),
        ("6.2", [2.5, 2.5], "shrinks as scores grow"),
        ("6.2", [2.5, 40], "the whole factor"),
        ("6.2", [640, 160], "Margins shrink"),
        ("6.2", [3, 4], "By which factor"),
        ("6.2", 2.5, "Give 2 numbers"),
        ("6.3", 0.01, "posterior's variance"),
        ("6.3", 0.1, "standard deviation, with"),
        ("6.3", 100, "temperature of the first latent"),
        ("6.3", 1e-4, "not too small"),
        ("6.3", 10, "root of the temperature"),
        ("6.3", 3, "which precision"),
        ("6.4", 10, "not as 1 / n^2"),
        ("6.4", 10_000, "not as its root"),
        ("6.4", 99, "One more"),
        ("6.4", 101, "One fewer"),
        ("6.4", 0.01, "number of chains"),
        ("6.4", 8, "Solve"),
        ("6.4", [1, 2], "one number"),
        ("6.5", condition_number([1.0, 1.0]), "without any"),
        ("6.5", 1, "correlation between the latents stays"),
        ("6.5", 1.5, "divide it by the smallest"),
        ("6.5", 1 / 3, "other way round"),
        ("6.5", 16, "once they are equal"),
        ("6.5", condition_number([1 / 4, 1.0]), "RMS scale"),
        ("6.5", condition_number([1 / 256, 1.0]), "without any"),
        ("6.5", 1.125 / 0.875, "2 / 16"),
        ("6.5", 7, "1 plus and minus"),
        ("6.6", [1.005, later_scale(2)], "unbiased chain"),
        ("6.6", [1.113, later_scale(2)], "rather than shared"),
        ("6.6", [1.328, later_scale(2)], "b = 0.99"),
        ("6.6", [2.6, later_scale(2)], "leave out the first"),
        ("6.6", [0.3, later_scale(2)], "Hand on the new scale"),
        ("6.6", [1.78, later_scale(2, 4)], "knows the second score already"),
        ("6.6", [1.78, later_scale()], "what the first has left"),
        ("6.6", [1.78, 1 / later_scale(2)], "That is the root of v"),
        ("6.6", [1.78, later_scale(2) ** 2], "one over the root of v."),
        ("6.6", 1.78, "Give 2 numbers"),
        ("6.7", with_parts(scales, invert=torch.sqrt), "M is one over it"),
        ("6.7", with_parts(scales, invert=torch.reciprocal), "The root is missing"),
        ("6.7", with_parts(scales, square=lambda score: score.square().sum(0)), "not the sum"),
        ("6.7", with_parts(scales, square=lambda score: score.mean(0).square()), "must not cancel"),
        ("6.7", with_parts(scales, square=torch.square), "an M of its own"),
        ("6.7", with_parts(scales, square=lambda score: score.square().mean()), "All latents share"),
        ("6.7", with_parts(scales, correct=lambda decay, steps, updates: 1), "correction is missing"),
        (
            "6.7",
            with_parts(scales, weigh=lambda decay: (1 - decay, decay), correct=lambda b, _, t: 1 - (1 - b) ** t),
            "You weigh the new score by b",
        ),
        ("6.7", with_parts(scales, correct=lambda decay, steps, updates: 1 - decay**steps), "its correction goes on"),
        ("6.7", later(9), "never freezes"),
        ("6.7", later(1), "one update late"),
        ("6.7", later(-1), "one update early"),
        ("6.7", with_parts(scales, square=lambda score: 3 * score.square().mean(0)), "line by line"),
        ("6.7", lambda scores, decay, freeze_after: scales(scores, decay, freeze_after)[-1], "with the M of each step"),
        ("6.7", lambda scores, decay, freeze_after: None, "with the M of each step"),
        ("6.8", with_parts(dense, noise_of=lambda z, generator: torch.randn(1, 2)), "All chains get the same noise"),
        ("6.8", with_parts(dense, root=lambda M: torch.linalg.cholesky(M).T), "noise @ C.T"),
        ("6.8", with_parts(dense, root=lambda M: M), "it should be C eps"),
        ("6.8", with_parts(dense, root=torch.sqrt), "no root of the matrix"),
        ("6.8", with_parts(dense, root=torch.ones_like), "In each step"),
        ("6.8", with_parts(dense, root=lambda M: torch.eye(2)), "does not know M yet"),
        ("6.8", with_parts(dense, root=lambda M: M.diagonal().sqrt().diag()), "must be correlated"),
        ("6.8", with_parts(dense, spread=lambda step_size: step_size**0.5), "Half of the variance"),
        ("6.8", with_parts(dense, spread=lambda step_size: 2 * step_size), "take the root"),
        ("6.8", noise_once, "draw its own noise"),
        ("6.8", with_parts(dense, turn=lambda M, g: g), "The drift lacks M"),
        ("6.8", with_parts(dense, turn=lambda M, g: g * M.diagonal()), "only the diagonal"),
        ("6.8", with_parts(dense, turn=lambda M, g: g @ torch.linalg.cholesky(M).T), "The drift has C"),
        ("6.8", with_parts(dense, turn=lambda M, g: g @ torch.linalg.cholesky(M)), "The drift has C"),
        ("6.8", with_parts(dense, turn=lambda M, g: -g @ M), "goes down the density"),
        ("6.8", score_once, "again at each step"),
        ("6.8", lambda score, z, *rest: z[0], "Return the last states"),
        ("6.9", moment_of_crowd(2, 1), "leaves out the temperature"),
        ("6.9", moment_of_crowd(0, 2), "without the weight"),
        ("6.9", moment_of_crowd(1, 2), "one over the root of v"),
        ("6.9", moment_of_crowd(4, 2), "Only p takes"),
        ("6.9", moment_of_crowd(2, 0.5), "not p^tau"),
        ("6.9", 0.5**2 * 3, "not to its square"),
        ("6.9", 7, "integrate by parts"),
        ("6.10", with_parts(metric_step, term=lambda divergence, *_: 0), "divergence is missing"),
        ("6.10", with_parts(metric_step, term=lambda divergence, *_: divergence), "has the factor tau"),
        ("6.10", with_parts(metric_step, term=lambda divergence, _, tau: -tau * divergence), "not subtracted"),
        ("6.10", with_parts(metric_step, column=lambda M, i: M.sum()), "the sum of all entries"),
        ("6.10", with_parts(metric_step, column=lambda M, i: M[:, i].mean()), "take the sum"),
        ("6.10", with_parts(metric_step, term=lambda divergence, step, tau: tau * divergence / step), "of the drift"),
        ("6.10", with_parts(metric_step, spread=lambda M, step, tau: (2 * step * M).sqrt()), "tau is missing"),
        ("6.10", with_parts(metric_step, spread=lambda M, step, tau: (2 * step * tau) ** 0.5 * M), "in the place of"),
        ("6.10", with_parts(metric_step, spread=lambda M, step, tau: (step * tau * M).sqrt()), "factor sqrt(2)"),
        ("6.10", with_parts(metric_step, spread=lambda M, step, tau: (2 * step * tau) ** 0.5), "does not know M"),
        ("6.10", with_parts(metric_step, leave=lambda z: z), "detach it"),
        ("6.10", with_parts(metric_step, term=lambda divergence, *_: 9 * divergence), "entry i of div M"),
        ("6.10", lambda score, metric, z, *rest: z[0], "Return the next states"),
    ]

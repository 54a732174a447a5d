"""Exercises of chapter 2: right answers in any form, and likely mistakes with a part of their hints."""

import math
from collections.abc import Callable

import torch
from oracles import seeded

from pcltut.models import HierarchicalGaussian, LinearGaussian
from pcltut.samplers import gradient_ascent, run, value_and_score_of

DATA, LATENTS = torch.tensor([[2.0]], dtype=torch.float64), torch.tensor([[0.5, -0.2, 0.3]], dtype=torch.float64)
EDGE_STD = math.sqrt(0.4 * 0.975)


def scalar(weight: float, scale: float) -> LinearGaussian:
    return LinearGaussian(torch.tensor([[weight]], dtype=torch.float64), scale=scale).requires_grad_(False)


def climb(model: LinearGaussian, x: float, z: float, step_size: float, num_steps: int) -> list[float]:
    """The states z_0 .. z_T of the chain."""
    data, start = torch.tensor([[x]], dtype=torch.float64), torch.tensor([[z]], dtype=torch.float64)
    kernel = gradient_ascent(value_and_score_of(lambda z: model.log_joint(data, z)), step_size)
    state, trace = run(kernel, kernel.init(start), num_steps, generator=seeded(0))
    return [*trace.z.flatten().tolist(), state.z.item()]


def three_layers(activation: str = "tanh") -> torch.Tensor:
    """The score of exercise 2.2 by autograd."""
    model = HierarchicalGaussian((1, 1, 1, 1), activation=activation, generator=seeded(0)).double()
    model.requires_grad_(False)
    for layer, weight in zip(model.layers, (2.0, 1.5, -1.0), strict=True):
        layer.weight.fill_(weight)
        layer.bias.zero_()
    return value_and_score_of(lambda z: model.log_joint(DATA, z))(LATENTS)[1][0]


def settler(
    *, power=2, own=-1.0, own_middle=True, own_top=True, slope=True, transpose=False, up=1.0, at_once=True, again=True
) -> Callable:
    """Inference in any hierarchy, or one of its likely mistakes."""

    def settle(x, latents, weights, scales, step_size, num_steps):
        def errors(latents):
            layers = zip([x, *latents[:-1]], latents, weights, scales, strict=True)
            return [*((value - z.tanh() @ w.T) / s**power for value, z, w, s in layers), latents[-1]]

        for _ in range(num_steps if again else 1):
            before = list(latents)
            for layer, (z, w) in enumerate(zip(before, weights, strict=True)):
                error = errors(before if at_once else latents)
                kept = own_top if layer == len(weights) - 1 else own_middle
                pushed = up * error[layer] @ (w.T if transpose else w) * (1 - z.tanh() ** 2 if slope else 1)
                new = z + step_size * (own * kept * error[layer + 1] + pushed)
                latents = [*latents[:layer], new, *latents[layer + 1 :]]
        return latents

    return settle


def settle_by_autograd(x, latents, weights, scales, step_size, num_steps) -> tuple:
    for _ in range(num_steps):
        latents = [z.detach().requires_grad_() for z in latents]
        total = torch.distributions.Normal(0.0, 1.0).log_prob(latents[-1]).sum()
        for value, z, w, s in zip([x, *latents], latents, weights, scales, strict=False):
            total = total + torch.distributions.Normal(z.tanh() @ w.T, s).log_prob(value).sum()
        scores = torch.autograd.grad(total, latents)
        latents = [z.detach() + step_size * score for z, score in zip(latents, scores, strict=True)]
    return tuple(latents)


def settle_without_tanh(x, latents, weights, scales, step_size, num_steps) -> list:
    """The prediction is made of z, and the slope is that of tanh."""
    for _ in range(num_steps):
        layers = zip([x, *latents[:-1]], latents, weights, scales, strict=True)
        errors = [*((value - z @ w.T) / s**2 for value, z, w, s in layers), latents[-1]]
        below = zip(latents, errors[1:], errors, weights, strict=False)
        latents = [z + step_size * (-own + (1 - z.tanh() ** 2) * (error @ w)) for z, own, error, w in below]
    return latents


def teacher(
    *, power=2, sign=1.0, total=False, bias_learns=True, activity=torch.tanh, sigma="log", expected=None, pixels="sum"
) -> Callable:
    """A lesson from errors, or one of its likely mistakes."""

    def lesson(x, z, weight, bias, scale, learning_rate):
        error = x - z.tanh() @ weight.T - bias
        share = 1 if total else 1 / len(x)
        weight = weight + sign * learning_rate * share * (error / scale**power).T @ activity(z)
        bias = bias + sign * learning_rate * share * (error / scale**power).sum(0) * bias_learns
        squares = (error / scale).square().sum(1).mean()
        surprise = squares - (x.shape[1] if expected is None else expected)
        surprise = surprise / (x.shape[1] if pixels == "mean" else 1)
        new = {
            "log": scale * math.exp(learning_rate * surprise),
            "added": scale + learning_rate * surprise,
            "plain": scale + learning_rate * surprise / scale,
            "summed": scale * math.exp(learning_rate * len(x) * surprise),
            "shrinks": scale * math.exp(-learning_rate * surprise),
            "not weighted": scale * math.exp(learning_rate * (squares / scale**2 - x.shape[1])),
            "fixed": scale,
        }
        return weight, bias, new[sigma]

    return lesson


def lesson_by_autograd(x, z, weight, bias, scale, learning_rate) -> list:
    weight, bias = weight.clone().requires_grad_(), bias.clone().requires_grad_()
    log_scale = torch.tensor(math.log(scale), dtype=x.dtype, requires_grad=True)
    likelihood = torch.distributions.Normal(z.tanh() @ weight.T + bias, log_scale.exp()).log_prob(x)
    steps = torch.autograd.grad(likelihood.sum() / len(x), [weight, bias, log_scale])
    old = (weight, bias, log_scale)
    weight, bias, log_scale = (value.detach() + learning_rate * step for value, step in zip(old, steps, strict=True))
    return [weight, bias, log_scale.exp()]


def learned_variance(variance: float, decay: float) -> float:
    """Where a weight rests that climbs from settled points, sigma = 0.5, and decays."""
    weight = 1.0
    for _ in range(20_000):
        weight += 0.02 * (weight * variance / (weight**2 + 0.25) ** 2 - decay * weight)
    return weight**2 + 0.25


def share_left() -> float:
    """Mean squared error of a pixel at the settled latents over sigma^2, from the covariance of the data."""
    weight = torch.zeros(5, 2, dtype=torch.float64)
    weight[0, 0], weight[3, 1] = 0.5 * 3**0.5, 0.5 * 9**0.5
    model = LinearGaussian(weight, scale=0.5).requires_grad_(False)
    torch.testing.assert_close(model.posterior_precision().diagonal().tolist(), [4.0, 10.0])
    left = torch.eye(5, dtype=torch.float64) - weight @ model.posterior(torch.eye(5, dtype=torch.float64))[0].T
    covariance = weight @ weight.T + 0.25 * torch.eye(5, dtype=torch.float64)
    return (left @ covariance @ left.T).trace().item() / 5 / 0.25


def right() -> dict[str, list]:
    steps = next(t for t, z in enumerate(climb(scalar(2.0, 0.5), 0.0, 0.001, 0.12, 400)) if abs(z) > 1)
    return {
        "2.1": [climb(scalar(3.0, 0.5), 1.0, 0.2, 0.05, 1)[-1], 0.43, torch.tensor(0.43)],
        "2.2": [three_layers(), three_layers().tolist(), [round(value, 3) for value in three_layers().tolist()]],
        "2.3": [steps, float(steps), torch.tensor(steps)],
        "2.4": [0.0006, 0.03 / 50],
        "2.5": [[10, EDGE_STD], (10.0, 0.624), torch.tensor([10.0, EDGE_STD])],
        "2.6": [settler(), settle_by_autograd],
        "2.7": [teacher(), lesson_by_autograd],
        "2.8": [[0.25, learned_variance(9.0, 0.25)], (1 / learned_variance(4.0, 0.25), 6)],
        "2.9": [share_left(), 0.67, 67 / 100],
    }


SLOPE = 1 - LATENTS[0].tanh().square()
TOP = torch.tensor([0.0, 0.0, 0.3], dtype=torch.float64)
WEIGHTS = torch.tensor([2.0, 1.5, -1.0], dtype=torch.float64)
OWN = torch.tensor([0.5 - 1.5 * math.tanh(-0.2), -0.2 + math.tanh(0.3), 0.3], dtype=torch.float64)  # e_1, e_2, e_3
ABOVE = torch.cat([OWN[1:], torch.zeros(1, dtype=torch.float64)])  # e_2, e_3 and nothing
BELOW = torch.tensor([2 - 2 * math.tanh(0.5), *OWN[:2]], dtype=torch.float64)  # e_0, e_1, e_2


def wrong() -> list[tuple[str, object, str]]:
    return [
        ("2.1", 0.2 + 0.05 * 4.8, "forgot the prior"),
        ("2.1", 0.2 - 0.05 * 5, "sign of the pixel error"),
        ("2.1", 0.2 - 0.05 * 4.6, "went down"),
        ("2.1", 0.2 + 0.05 * 5, "prior's sign"),
        ("2.1", 0.2 + 0.05 * 2.2, "not by sigma"),
        ("2.1", 0.2 + 0.05 * 1.0, "precise pixels"),
        ("2.1", 0.2 + 0.05 * 1.4, "multiply it by w"),
        ("2.1", 4.6, "That is the score"),
        ("2.1", 0.23, "That is the change"),
        ("2.1", 7.0, "both errors first"),
        ("2.2", three_layers() + TOP, "top layer has an error too"),
        ("2.2", (three_layers() + OWN) / SLOPE - OWN, "forgot the slope"),
        ("2.2", -three_layers(), "All signs"),
        ("2.2", three_layers() + 2 * OWN, "own error pulls the other way"),
        ("2.2", -three_layers() - 2 * OWN, "enters with a plus"),
        ("2.2", SLOPE * three_layers("linear") + (SLOPE - 1) * torch.tensor([0.8, 0.1, 0.3]), "not z itself"),
        ("2.2", SLOPE * WEIGHTS.roll(-1) * BELOW - OWN, "W_0 into z_1"),
        ("2.2", three_layers() + OWN, "left out the layers' own errors"),
        ("2.2", -OWN, "own errors alone"),
        ("2.2", SLOPE * WEIGHTS * ABOVE - OWN, "not the one above"),
        ("2.2", [1.0, 2.0, 3.0], "four errors"),
        ("2.2", 1.0, "3 numbers"),
        ("2.3", 176, "Whole steps"),
        ("2.3", math.log(1000) / math.log(1.04), "Whole steps"),
        ("2.3", 175, "then how often"),
        ("2.3", 0, "It does diverge"),
        ("2.3", math.log(1000) / math.log(2.04), "not by gamma lambda"),
        ("2.3", 999 / 0.04, "multiply up"),
        ("2.3", math.ceil(math.log(1000) / math.log(2.04)), "not by gamma lambda"),
        ("2.3", 3 / math.log(1.04), "same base"),
        ("2.3", 1.04, "factor of one step"),
        ("2.3", 2.04, "That is gamma lambda"),
        ("2.3", 50, "then how often"),
        ("2.4", 1.5, "other way round"),
        ("2.4", 0.03, "does change the chain"),
        ("2.4", 0.03 / 784, "not over their 784 pixels"),
        ("2.4", 0.03 / 784 / 50, "still summed"),
        ("2.4", 0.03 / math.sqrt(50), "root belongs to noise"),
        ("2.4", 1 / 50, "That is the factor"),
        ("2.4", 7, "gradient of a mean"),
        ("2.5", [4, 1], "maximum likelihood"),
        ("2.5", [9.75, EDGE_STD], "w^2 alone"),
        ("2.5", [40, 0.3], "forgot sigma^2"),
        ("2.5", [20, 0.3], "not sigma = 0.5"),
        ("2.5", [5, 0.8], "not 1"),
        ("2.5", [10, 0.39], "take its root"),
        ("2.5", [10, 1], "prior asks for 1"),
        ("2.5", [10, math.sqrt(0.4)], "factor 1 - gamma / 2"),
        ("2.5", [10, math.sqrt(0.025)], "posterior's width"),
        ("2.5", [10, 5], "w^2 l / s^2"),
        ("2.5", [3, 5], "Solve gamma"),
        ("2.5", 10, "2 numbers"),
        ("2.6", settler(own=0.0, up=-1.0), "go down the log-joint"),
        ("2.6", settler(own=1.0, up=-1.0), "go down the log-joint"),
        ("2.6", settler(power=1), "not by the standard deviation"),
        ("2.6", settler(power=0), "a precise layer weighs more"),
        ("2.6", settler(transpose=True), "the transpose of the weights"),
        ("2.6", settler(at_once=False), "before any layer moves"),
        ("2.6", settler(own=1.0), "pulls it back"),
        ("2.6", settler(again=False), "take one step"),
        ("2.6", settler(own_middle=False), "between two others"),
        ("2.6", settler(own_top=False), "top layer has an error too"),
        ("2.6", settler(slope=False), "slope of tanh is missing"),
        ("2.6", settle_without_tanh, "elsewhere not"),
        ("2.6", settler(up=3.0), "minus its own error"),
        ("2.6", lambda x, latents, *_: latents[0], "the list of all layers"),
        ("2.6", lambda *_: None, "the list of all layers"),
        ("2.7", teacher(total=True), "Your step grows with the number"),
        ("2.7", teacher(sign=-1.0), "run from the data"),
        ("2.7", teacher(power=1), "not by sigma."),
        ("2.7", teacher(power=0), "weighted by its precision"),
        ("2.7", teacher(bias_learns=False), "bias learns too"),
        ("2.7", teacher(activity=lambda z: z), "activity tanh(z), not z"),
        ("2.7", teacher(expected=0), "can only grow"),
        ("2.7", teacher(expected=1), "subtract D, not 1"),
        ("2.7", teacher(pixels="mean"), "Sum over the pixels"),
        ("2.7", teacher(sigma="summed"), "Sigma's step grows"),
        ("2.7", teacher(sigma="shrinks"), "your sigma shrinks"),
        ("2.7", teacher(sigma="plain"), "the gradient for sigma"),
        ("2.7", teacher(sigma="added"), "by its exponential"),
        ("2.7", teacher(sigma="not weighted"), "not e^2"),
        ("2.7", teacher(sigma="fixed"), "Sigma learns too"),
        ("2.7", teacher(expected=2), "error times activity. Bias"),
        ("2.7", lambda x, z, weight, *_: weight, "in this order"),
        ("2.7", lambda *_: None, "in this order"),
        ("2.8", [0.25, 9], "cannot suit both"),
        ("2.8", [0.25, 36], "take the root"),
        ("2.8", [0.25, 4], "does depend on the data's"),
        ("2.8", [0.25, 9 / 4], "For the second solve"),
        ("2.8", [4, 6], "That is 1 / alpha"),
        ("2.8", [1, 3], "s squared below the line"),
        ("2.8", [math.sqrt(3.75) / 4, 6], "cancels"),
        ("2.8", [0, 9], "with the posterior's spread"),
        ("2.8", [0.1, 9.5], "Set w l / s^2"),
        ("2.8", 0.25, "2 numbers"),
        ("2.9", 3 / 5, "(D - d) / D"),
        ("2.9", (5 - 2 - 0.35) / 5, "sign of the trace"),
        ("2.9", math.sqrt(0.67), "factor on sigma"),
        ("2.9", 0.33, "what is left"),
        ("2.9", 3.35, "sum over five"),
        ("2.9", 1, "with the posterior's spread"),
        ("2.9", 1 / 0.67, "other way round"),
        ("2.9", 0.8, "Part (b) divided"),
    ]

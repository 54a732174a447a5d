"""Exercises of chapter 2: right answers in any form, and likely mistakes with a part of their hints."""

import math

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


def right() -> dict[str, list]:
    steps = next(t for t, z in enumerate(climb(scalar(2.0, 0.5), 0.0, 0.001, 0.12, 400)) if abs(z) > 1)
    return {
        "2.1": [climb(scalar(3.0, 0.5), 1.0, 0.2, 0.05, 1)[-1], 0.43, torch.tensor(0.43)],
        "2.2": [three_layers(), three_layers().tolist(), [round(value, 3) for value in three_layers().tolist()]],
        "2.3": [steps, float(steps), torch.tensor(steps)],
        "2.4": [0.0006, 0.03 / 50],
        "2.5": [[10, EDGE_STD], (10.0, 0.624), torch.tensor([10.0, EDGE_STD])],
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
    ]

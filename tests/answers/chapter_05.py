"""Exercises of chapter 5: right answers in any form, and likely mistakes with a part of their hints."""

import math

import torch

COVARIANCE = torch.tensor([[0.1, 0.09], [0.09, 0.1]], dtype=torch.float64)


def fixed_point(num_steps: int, step_size: float, jeffreys: bool = False) -> float:
    """Where training rests, by running the covariance recursion again and again."""
    precision = torch.linalg.inv(COVARIANCE)
    transition = torch.eye(2).double() - step_size * precision
    variance = torch.full((2,), 0.05, dtype=torch.float64)
    for _ in range(400):
        covariance, total = variance.diag(), torch.zeros(2).double()
        for _ in range(num_steps):
            covariance = transition @ covariance @ transition + 2 * step_size * torch.eye(2).double()
            total += covariance.diagonal() / num_steps
        variance = (total / precision.diagonal()).sqrt() if jeffreys else total
    return variance[0].item()


def right() -> dict[str, list]:
    inverse = torch.linalg.inv(torch.tensor([[0.5, 0.4], [0.4, 0.5]]))
    narrow = 1 / inverse[0, 0]
    value = fixed_point(20, 0.001)
    return {
        "5.1": [[narrow, 0.5, (0.5 * narrow).sqrt()], (0.18, 0.5, 0.3), torch.tensor([0.18, 0.5, 0.3])],
        "5.2": [0.3125, torch.tensor(0.3125), [0.3125]],
        "5.3": [value, torch.tensor(value), round(value, 4)],
        "5.4": [[[0, 1, 2], [0], [1, 2, 3]], ((2, 1, 0), (0,), (3, 2, 1)), [range(3), [0], range(1, 4)]],
        "5.5": [[10, 11], (10.0, 11.0), torch.tensor([10, 11])],
    }


def wrong() -> list[tuple[str, object, str]]:
    precision = torch.linalg.inv(COVARIANCE)
    stationary = torch.linalg.inv(precision - 0.0005 * precision @ precision)[0, 0]
    return [
        ("5.1", [0.5, 0.18, 0.3], "exchanged"),
        ("5.1", [0.18**0.5, 0.5**0.5, 0.3**0.5], "standard deviations"),
        ("5.1", [5.5556, 0.5, 1.667], "a precision"),
        ("5.1", [0.5, 0.5, 0.5], "does not see S_ii"),
        ("5.1", [2.0, 0.5, 1.0], "invert the whole matrix"),
        ("5.1", [0.18, 0.5, 0.34], "geometric"),
        ("5.1", [0.18, 0.5, 0.09], "left out the root"),
        ("5.1", [0.1, 0.2, 0.3], "Invert the covariance"),
        ("5.2", 0.25, "it has a bias"),
        ("5.2", 0.559, "standard deviation"),
        ("5.2", 3.2, "precision"),
        ("5.2", 0.2, "noise of one step"),
        ("5.2", 0.1 / (1 - 0.36), "factor 2"),
        ("5.2", 7, "Solve D"),
        ("5.3", 0.019, "1 / Lambda_ii"),
        ("5.3", 0.1, "That is S_ii"),
        ("5.3", stationary, "stationary"),
        ("5.3", fixed_point(20, 0.01), "gamma = 0.01"),
        ("5.3", math.sqrt(fixed_point(20, 0.001)), "standard deviation"),
        ("5.3", fixed_point(20, 0.001, jeffreys=True), "Jeffreys"),
        ("5.3", 0.5, "Call fixed_point"),
        ("5.4", [[1, 2, 3], [0], [0, 1, 2]], "exchanged"),
        ("5.4", [[0, 1, 2, 3], [0], [1, 2, 3]], "fourth pass"),
        ("5.4", [[1, 2, 3], [0], [1, 2, 3]], "before each step"),
        ("5.4", [[0, 1, 2], [0, 1, 2], [1, 2, 3]], "own draw, and only"),
        ("5.4", [[0, 1, 2], [0], [0, 1, 2]], "teaches it nothing"),
        ("5.4", [[0, 1, 2], [0], [0, 1, 2, 3]], "Without z_0"),
        ("5.4", [[0, 1, 2], [0], [3]], "'last'"),
        ("5.4", [[0, 1, 2], [0], [2]], "Forward KL takes the states after each step"),
        ("5.4", [[0.7, 1.2, 2.3], [0], [1, 2, 3]], "before each step"),
        ("5.5", [11, 10], "The other order"),
        ("5.5", [10, 10], "out of date"),
        ("5.5", [10, 20], "not the whole chain"),
        ("5.5", [11, 11], "no pass of its own"),
        ("5.5", [11, 12], "byproduct when"),
        ("5.5", [11, 21], "z_10"),
        ("5.5", [1, 2], "Count the passes"),
    ]

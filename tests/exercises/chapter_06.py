"""Exercises of chapter 6: right answers in any form, and likely mistakes with a part of their hints."""

import numpy as np
import torch


def condition_number(scale: list[float]) -> float:
    root = np.sqrt(np.array(scale))
    low, high = np.linalg.eigvalsh(root[:, None] * np.array([[16.0, 2.0], [2.0, 1.0]]) * root)
    return high / low


def right() -> dict[str, list]:
    best = min(condition_number([1.0, ratio]) for ratio in np.logspace(-2, 4, 601))
    return {
        "6.1": [condition_number([1 / 16, 1.0]), best, 3],
        "6.2": [1 / (1 - 0.99) ** 0.5, 10, torch.tensor([10.0])],
        "6.3": [1.76, 1.72, torch.tensor(1.78)],
        "6.4": [100, 100.0],
        "6.5": [1, 0.985, torch.tensor(1.01)],
    }


def wrong() -> list[tuple[str, object, str]]:
    return [
        ("6.1", condition_number([1.0, 1.0]), "without any"),
        ("6.1", 1, "correlation between the latents stays"),
        ("6.1", 1.5, "divide it by the smallest"),
        ("6.1", 1 / 3, "other way round"),
        ("6.1", 16, "once they are equal"),
        ("6.1", condition_number([1 / 4, 1.0]), "RMS scale"),
        ("6.1", condition_number([1 / 256, 1.0]), "without any"),
        ("6.1", 1.125 / 0.875, "2 / 16"),
        ("6.1", 7, "1 plus and minus"),
        ("6.2", 1 / (1 - 0.99), "M has its root"),
        ("6.2", (1 - 0.99) ** 0.5, "v is too small"),
        ("6.2", 1 - 0.99, "and M has the root"),
        ("6.2", 1, "not g^2"),
        ("6.2", 1 / 0.99**0.5, "its weight is 1 - b"),
        ("6.2", ((1 - 0.99**2) / (1 - 0.99)) ** 0.5, "off by one step"),
        ("6.2", 3, "What is v_1"),
        ("6.3", 1.005, "unbiased chain"),
        ("6.3", 1.113, "rather than shared"),
        ("6.3", 1.328, "b = 0.99"),
        ("6.3", 2.6, "leave out the first"),
        ("6.3", 0.3, "Hand on the new scale"),
        ("6.4", 10, "not as 1 / n^2"),
        ("6.4", 10_000, "not as its root"),
        ("6.4", 99, "One more"),
        ("6.4", 101, "One fewer"),
        ("6.4", 0.01, "number of chains"),
        ("6.4", 8, "Solve"),
        ("6.4", [1, 2], "one number"),
        ("6.5", 0.01, "posterior's variance"),
        ("6.5", 0.1, "standard deviation, with"),
        ("6.5", 100, "temperature of the first latent"),
        ("6.5", 1e-4, "not too small"),
        ("6.5", 10, "root of the temperature"),
        ("6.5", 3, "which precision"),
    ]

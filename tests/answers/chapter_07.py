"""Exercises of chapter 7: right answers in any form, and likely mistakes with a part of their hints."""

import torch

from pcltut.data import load
from pcltut.models import mlp_decoder, mlp_encoder


def products(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters() if parameter.ndim == 2)


def costs() -> tuple[int, int]:
    """Multiplications of a pass forward and back through the chapter's decoder and encoder, for one image."""
    generator = torch.Generator().manual_seed(0)
    decoder = mlp_decoder(32, (1, 28, 28), hidden=(256, 256), generator=generator)
    encoder = mlp_encoder((1, 28, 28), 32, hidden=(256, 256), generator=generator)
    return 3 * products(decoder), 3 * products(encoder) - encoder.network[1].weight.numel()


def pixels() -> torch.Tensor:
    return load("fashion-mnist-mini", "train").as_float().flatten(1)


def right() -> dict[str, list]:
    decoder, encoder = costs()
    ratio = (20 * decoder + encoder) / (decoder + encoder)
    sigma = pixels().var(0, correction=0).mean().sqrt()
    return {
        "7.1": [0.7, 21 / 30, torch.tensor(0.7)],
        "7.2": [ratio, round(ratio, 2), torch.tensor(ratio)],
        "7.3": [sigma, sigma.item(), 0.59],
        "7.4": [100, 100.0, torch.tensor(100)],
        "7.5": [[0.48, 0.17], (0.5, 0.2), torch.tensor([0.45, 0.1])],
    }


def wrong() -> list[tuple[str, object, str]]:
    decoder, encoder = costs()
    forward = (encoder + 784 * 256) / 3
    train = pixels()
    return [
        ("7.1", 0.1, "still need the score"),
        ("7.1", 1, "nine of them skip"),
        ("7.1", 10 / 7, "The inverse"),
        ("7.1", 2 / 3, "a third product"),
        ("7.1", 0.4, "going back to the layer's input"),
        ("7.1", 25 / 30, "after-burn-in"),
        ("7.1", 21, "divide by the 30"),
        ("7.1", 0.5, "Count products"),
        ("7.2", 20, "paid once"),
        ("7.2", 4 * 3.2396, "not proportional"),
        ("7.2", 3.2396, "T = 5"),
        ("7.2", (20 * decoder + 3 * forward) / (decoder + 3 * forward), "no gradient for its input"),
        ("7.2", (20 * decoder * 2 / 3 + encoder) / (decoder * 2 / 3 + encoder), "three in all"),
        ("7.2", (20 * decoder + encoder) / (decoder + encoder) / 20, "divided by T"),
        ("7.2", (20 * decoder + forward) / (decoder + forward), "learns too"),
        ("7.2", 2, "Put 20"),
        ("7.3", train.var(0).mean(), "its root"),
        ("7.3", train.std(), "mean for each pixel"),
        ("7.3", train.square().mean().sqrt(), "measured from zero"),
        ("7.3", train.std(0).mean(), "mean of squares"),
        ("7.3", 5, "says nothing about x"),
        ("7.3", 0.3, "where does training take it"),
        ("7.4", 10, "not its standard deviation"),
        ("7.4", 0.01, "The other way round: the drift"),
        ("7.4", 0.1, "and temperature scales"),
        ("7.4", 1, "compares the two"),
        ("7.4", 200, "the two cancels"),
        ("7.4", 50, "Write the drift"),
        ("7.5", 0.5, "Give two numbers"),
        ("7.5", [0.5, 0.2, 0.1], "Give two numbers"),
        ("7.5", [-0.7, -1.8], "log-scale"),
        ("7.5", [0.17, 0.48], "The other order"),
        ("7.5", [0.48, 0.47], "nearly equal"),
        ("7.5", [0.95, 0.2], "not the chapter's VAE"),
    ]

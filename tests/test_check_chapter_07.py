"""The self-checks of chapter 7: right answers pass, and each likely mistake gets its own hint."""

import pytest
import torch

from pcltut.check.chapter_07 import CHECKS
from pcltut.data import load
from pcltut.models import mlp_decoder, mlp_encoder


def products(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters() if parameter.ndim == 2)


@pytest.fixture(scope="module")
def costs() -> tuple[int, int]:
    """Multiplications of a pass forward and back through the chapter's decoder and encoder, for one image."""
    generator = torch.Generator().manual_seed(0)
    decoder = mlp_decoder(32, (1, 28, 28), hidden=(256, 256), generator=generator)
    encoder = mlp_encoder((1, 28, 28), 32, hidden=(256, 256), generator=generator)
    return 3 * products(decoder), 3 * products(encoder) - encoder.network[1].weight.numel()


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    return load("fashion-mnist-mini", "train").as_float().flatten(1)


def test_right_answers_pass_in_any_form(costs: tuple[int, int], pixels: torch.Tensor) -> None:
    decoder, encoder = costs
    ratio = (20 * decoder + encoder) / (decoder + encoder)
    sigma = pixels.var(0, correction=0).mean().sqrt()
    right = {
        "7.1": [0.7, 21 / 30, torch.tensor(0.7)],
        "7.2": [ratio, round(ratio, 2), torch.tensor(ratio)],
        "7.3": [sigma, sigma.item(), 0.59],
        "7.4": [100, 100.0, torch.tensor(100)],
        "7.5": [[0.48, 0.17], (0.5, 0.2), torch.tensor([0.45, 0.1])],
    }
    assert right.keys() == CHECKS.keys()
    for id, answers in right.items():
        assert [CHECKS[id](answer) for answer in answers] == [None] * len(answers), id


WRONG = [
    ("7.1", 0.1, "still need the score"),
    ("7.1", 1, "nine of them skip"),
    ("7.1", 10 / 7, "The inverse"),
    ("7.1", 2 / 3, "a third product"),
    ("7.1", 0.4, "going back to the layer's input"),
    ("7.1", 25 / 30, "burn-in"),
    ("7.1", 21, "divide by the 30"),
    ("7.1", 0.5, "Count products"),
    ("7.2", 20, "paid once"),
    ("7.2", 4 * 3.2396, "not proportional"),
    ("7.2", 3.2396, "T = 5"),
    ("7.2", 2, "Put 20"),
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


@pytest.mark.parametrize(("id", "answer", "hint"), WRONG)
def test_a_likely_mistake_is_named(id: str, answer: object, hint: str) -> None:
    assert hint in CHECKS[id](answer)


def test_mistakes_in_counting_are_named(costs: tuple[int, int]) -> None:
    decoder, encoder = costs
    input_layer = 784 * 256
    forward = (encoder + input_layer) / 3
    hints = {
        "no gradient for its input": (20 * decoder + 3 * forward) / (decoder + 3 * forward),
        "three in all": (20 * decoder * 2 / 3 + encoder) / (decoder * 2 / 3 + encoder),
        "divided by T": (20 * decoder + encoder) / (decoder + encoder) / 20,
        "learns too": (20 * decoder + forward) / (decoder + forward),
    }
    for hint, answer in hints.items():
        assert hint in CHECKS["7.2"](answer)


def test_mistakes_in_the_scale_are_named(pixels: torch.Tensor) -> None:
    hints = {
        "its root": pixels.var(0).mean(),
        "mean for each pixel": pixels.std(),
        "measured from zero": pixels.square().mean().sqrt(),
        "mean of squares": pixels.std(0).mean(),
    }
    for hint, answer in hints.items():
        assert hint in CHECKS["7.3"](answer)


@pytest.mark.parametrize("id", sorted(CHECKS))
@pytest.mark.parametrize("answer", ["a word", None, float("nan"), [1.0, 2.0, 3.0]])
def test_what_is_no_answer_is_refused(id: str, answer: object) -> None:
    assert CHECKS[id](answer).startswith("Give")

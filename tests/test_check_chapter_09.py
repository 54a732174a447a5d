"""The self-checks of chapter 9: right answers pass, and each likely mistake gets its own hint."""

import numpy as np
import pytest
import scipy.stats
import torch

from pcltut.check.chapter_09 import CHECKS
from pcltut.experiments import paired_interval

LPC, VAE = np.array([152.0, 140.0, 161.0, 139.0, 150.0]), np.array([140.0, 133.0, 146.0, 130.0, 138.0])
DIFFERENCES = LPC - VAE


def largest_of(count: int) -> float:
    """Mean of the largest of `count` standard normal numbers."""
    z = np.linspace(-12, 12, 200_001)
    density = count * scipy.stats.norm.pdf(z) * scipy.stats.norm.cdf(z) ** (count - 1)
    return float((z * density).sum() * (z[1] - z[0]))


def seeds_needed() -> int:
    return next(n for n in range(2, 100) if scipy.stats.t.ppf(0.975, n - 1) * 10 / n**0.5 <= 5)


def test_right_answers_pass_in_any_form() -> None:
    half = paired_interval(LPC.tolist(), VAE.tolist()).half_width
    right = {
        "9.1": [half, round(half, 2), torch.tensor(half)],
        "9.2": [1.1, np.float64(1.1)],
        "9.3": [2 * largest_of(6), 2.53, [2.55]],
        "9.4": [seeds_needed(), 18.0],
    }
    assert right.keys() == CHECKS.keys()
    for id, answers in right.items():
        assert [CHECKS[id](answer) for answer in answers] == [None] * len(answers), id


def wrong_intervals() -> dict[str, float]:
    spread, error = DIFFERENCES.std(ddof=1), scipy.stats.sem(DIFFERENCES)
    t = scipy.stats.t.ppf(0.975, 4)
    unpaired = scipy.stats.ttest_ind(LPC, VAE).confidence_interval(0.95)
    return {
        "normal law": 1.96 * error,
        "root of the number of seeds": t * spread,
        "n - 1 = 4": t * DIFFERENCES.std() / 5**0.5,
        "5 degrees of freedom": scipy.stats.t.ppf(0.975, 5) * error,
        "whole width": 2 * t * error,
        "standard error": error,
        "one-sided": scipy.stats.t.ppf(0.95, 4) * error,
        "pair the seeds": (unpaired.high - unpaired.low) / 2,
        "mean difference": DIFFERENCES.mean(),
        "2.776 s": 100.0,
    }


def test_mistakes_in_the_interval_are_named() -> None:
    for hint, answer in wrong_intervals().items():
        assert hint in CHECKS["9.1"](answer), answer


WRONG = [
    ("9.2", 0.4, "ratio of iterations"),
    ("9.2", 1 / 1.1, "The inverse"),
    ("9.2", 2.0, "decoder evaluations"),
    ("9.2", 2.75, "fewer iterations"),
    ("9.2", 0.4 * 4 / 11, "its own time"),
    ("9.2", 7, "iterations times seconds"),
    ("9.3", 0, "picked for being high"),
    ("9.3", largest_of(6), "standard deviation 2"),
    ("9.3", 2 * (2 * np.log(6)) ** 0.5, "the bound"),
    ("9.3", 2, "one standard deviation"),
    ("9.3", -2 * largest_of(6), "The sign"),
    ("9.3", 2 * (2 / np.pi) ** 0.5, "mean size of one"),
    ("9.3", 9, "average the largest"),
    ("9.4", 16, "2.131"),
    ("9.4", 17, "5.14"),
    ("9.4", 4, "one standard error"),
    ("9.4", 19, "a smaller number"),
    ("9.4", 5, "its root"),
    ("9.4", 30, "smallest n"),
]


@pytest.mark.parametrize(("id", "answer", "hint"), WRONG)
def test_a_likely_mistake_is_named(id: str, answer: float, hint: str) -> None:
    assert hint in CHECKS[id](answer)


@pytest.mark.parametrize("id", sorted(CHECKS))
@pytest.mark.parametrize("answer", ["a word", None, float("nan"), [1.0, 2.0, 3.0]])
def test_what_is_no_answer_is_refused(id: str, answer: object) -> None:
    assert CHECKS[id](answer).startswith("Give")

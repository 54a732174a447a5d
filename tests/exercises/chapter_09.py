"""Exercises of chapter 9: right answers in any form, and likely mistakes with a part of their hints."""

import numpy as np
import scipy.stats
import torch

from pcltut.experiments import load_search, paired_interval

LPC, VAE = np.array([152.0, 140.0, 161.0, 139.0, 150.0]), np.array([140.0, 133.0, 146.0, 130.0, 138.0])
DIFFERENCES = LPC - VAE


def largest_of(count: int) -> float:
    """Mean of the largest of `count` standard normal numbers."""
    z = np.linspace(-12, 12, 200_001)
    density = count * scipy.stats.norm.pdf(z) * scipy.stats.norm.cdf(z) ** (count - 1)
    return float((z * density).sum() * (z[1] - z[0]))


def seeds_needed() -> int:
    return next(n for n in range(2, 100) if scipy.stats.t.ppf(0.975, n - 1) * 10 / n**0.5 <= 5)


def chosen_anew() -> int:
    """Methods whose best trial by Frechet distance is another one than by log-evidence, from the trials themselves."""
    count = 0
    for found in load_search("headline")["methods"].values():
        last = {
            i: trial["curve"][-1] for i, trial in enumerate(found["trials"]) if trial["curve"] and not trial["failed"]
        }
        evidence = max(last, key=lambda i: last[i]["log_evidence"])
        count += evidence != min(last, key=lambda i: last[i]["frechet"])
    return count


def right() -> dict[str, list]:
    half = paired_interval(LPC.tolist(), VAE.tolist()).half_width
    return {
        "9.1": [half, round(half, 2), torch.tensor(half)],
        "9.2": [1.1, np.float64(1.1)],
        "9.3": [2 * largest_of(6), 2.53, [2.55]],
        "9.4": [seeds_needed(), 18.0],
        "9.5": [chosen_anew()],
    }


def wrong() -> list[tuple[str, object, str]]:
    spread, error = DIFFERENCES.std(ddof=1), scipy.stats.sem(DIFFERENCES)
    t = scipy.stats.t.ppf(0.975, 4)
    unpaired = scipy.stats.ttest_ind(LPC, VAE).confidence_interval(0.95)
    return [
        ("9.1", 1.96 * error, "normal law"),
        ("9.1", t * spread, "root of the number of seeds"),
        ("9.1", t * DIFFERENCES.std() / 5**0.5, "n - 1 = 4"),
        ("9.1", scipy.stats.t.ppf(0.975, 5) * error, "5 degrees of freedom"),
        ("9.1", 2 * t * error, "whole width"),
        ("9.1", error, "standard error"),
        ("9.1", scipy.stats.t.ppf(0.95, 4) * error, "one-sided"),
        ("9.1", (unpaired.high - unpaired.low) / 2, "pair the seeds"),
        ("9.1", DIFFERENCES.mean(), "mean difference"),
        ("9.1", 100.0, "2.776 s"),
        ("9.2", 0.4, "ratio of iterations"),
        ("9.2", 1 / 1.1, "The inverse"),
        ("9.2", 2.0, "decoder evaluations"),
        ("9.2", 2.75, "fewer iterations"),
        ("9.2", 0.4 * 4 / 11, "its own time"),
        ("9.2", 7, "iterations times seconds"),
        ("9.3", 0, "picked for being high"),
        ("9.3", largest_of(6), "here they have standard deviation 2"),
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
        ("9.5", 10, "by both rules"),
        ("9.5", 1, "count the others"),
        ("9.5", 120, "count methods"),
        ("9.5", 5, "best_trial"),
    ]

"""Intervals against scipy, and when a curve reaches a target."""

import math

import numpy as np
import pytest
import scipy.stats

from pcltut.experiments import (
    crossed_interval,
    difference,
    paired_interval,
    reach_baseline,
    summarize,
    t_interval,
)
from pcltut.experiments.intervals import iterations_to_reach


def test_the_quantile_of_five_seeds_is_the_one_in_the_tables():
    """Student's t at .975 with 4 degrees of freedom is 2.776 in every table; here s / sqrt(n) = sqrt(2.5 / 5)."""
    assert t_interval([1.0, 2.0, 3.0, 4.0, 5.0]).half_width == pytest.approx(2.7764451 * 0.5**0.5, rel=1e-7)


@pytest.mark.parametrize("count", [2, 3, 5, 12])
def test_intervals_agree_with_scipys_tests(count):
    rng = np.random.default_rng(count)
    values, others = rng.normal(3, 2, count), rng.normal(2, 1, count)
    low, high = scipy.stats.t.interval(0.95, count - 1, loc=values.mean(), scale=scipy.stats.sem(values))
    interval = t_interval(values.tolist())
    assert (interval.mean - interval.half_width, interval.mean + interval.half_width) == pytest.approx((low, high))
    paired = paired_interval(values.tolist(), others.tolist())
    reference = scipy.stats.ttest_rel(values, others).confidence_interval(0.95)
    assert (paired.mean - paired.half_width, paired.mean + paired.half_width) == pytest.approx(tuple(reference))
    assert paired.excludes_zero == (scipy.stats.ttest_rel(values, others).pvalue < 0.05)


def test_intervals_of_few_values():
    assert math.isnan(t_interval([]).mean) and t_interval([]).count == 0
    single = t_interval([2.0])
    assert single.mean == 2.0 and math.isnan(single.half_width) and not single.excludes_zero
    with pytest.raises(ValueError, match="argument 2"):
        paired_interval([1.0, 2.0], [1.0])


def test_when_a_curve_reaches_a_target():
    curve = {"iteration": [10, 20, 40], "log_evidence": [0.0, 10.0, None]}
    assert iterations_to_reach(curve, 5.0) == 15.0
    assert iterations_to_reach(curve, 10.0) == 20.0
    assert iterations_to_reach(curve, -3.0) == 10.0  # nothing is known before the first point
    assert iterations_to_reach(curve, 11.0) is None


def make_run(method: str, seed: int, evidence: list[float], test: float | None = None) -> dict:
    return {
        "method": method,
        "seed": seed,
        "failed": None,
        "test": {} if test is None else {"320": {"log_evidence": test}},
        "curve": {"iteration": [10, 20, 40][: len(evidence)], "log_evidence": evidence},
    }


def test_differences_are_paired_by_seed():
    results = {
        "baseline": "vae",
        "runs": [
            make_run("vae", 1, [0.0, 1.0, 4.0], 10.0),
            make_run("vae", 2, [0.0, 5.0, 2.0], 30.0),
            make_run("lpc", 2, [0.0, 10.0, 20.0], 33.0),
            make_run("lpc", 1, [0.0, 2.0, 3.0], 11.0),
            make_run("lpc", 3, [0.0, 2.0, 3.0], 99.0),  # no such seed of the baseline
        ],
    }
    assert summarize(results, "lpc", 320, "log_evidence").mean == pytest.approx((33 + 11 + 99) / 3)
    found = difference(results, "lpc", 320, "log_evidence")
    assert (found.mean, found.count) == (2.0, 2)
    needed, shares, missed = reach_baseline(results, "lpc")
    # Seed 2: 5 is reached half-way from 10 to 20, where the baseline took 20. Seed 1 never has 4.
    assert (needed.mean, shares.mean, missed) == (15.0, 0.75, 1)
    needed, shares, missed = reach_baseline(results, "lpc", at=20)  # targets 1 and 5: after 15 and 15
    assert (needed.mean, shares.mean, missed) == (15.0, 0.75, 0)


@pytest.mark.parametrize(("of_seeds", "of_images", "of_both"), [(3.0, 20.0, 10.0), (10.0, 20.0, 3.0), (0.0, 5.0, 5.0)])
def test_crossed_intervals_cover_the_mean_at_least_as_often_as_they_say(of_seeds, of_images, of_both):
    """Differences m + a_s + b_i + e_si with normal parts: at 95 % the interval holds m at least that often.

    2,000 repetitions: the share's standard error is .005 at .95, and 4.5 of them are allowed below.
    """
    rng, num_seeds, num_images, repeats = np.random.default_rng(0), 5, 60, 2000
    covered = 0
    for _ in range(repeats):
        parts = of_seeds * rng.normal(size=(num_seeds, 1)), of_images * rng.normal(size=(1, num_images))
        values = 1.0 + sum(parts) + of_both * rng.normal(size=(num_seeds, num_images))
        interval = crossed_interval(values, np.zeros_like(values))
        covered += abs(interval.mean - 1.0) < interval.half_width
    assert covered / repeats > 0.95 - 4.5 * math.sqrt(0.95 * 0.05 / repeats)


def test_crossed_intervals_shrink_only_with_both_counts():
    """Without noise of images it is the t interval of the seeds' means; a constant difference has no width."""
    rng = np.random.default_rng(1)
    seeds = rng.normal(size=(5, 1))
    interval, of_means = (
        crossed_interval(seeds + np.zeros((5, 40)), np.zeros((5, 40))),
        t_interval(seeds[:, 0].tolist()),
    )
    assert interval == pytest.approx(of_means)
    image = rng.normal(size=(1, 40)) + np.zeros((5, 1))
    assert crossed_interval(image + 2.0, image) == pytest.approx((2.0, 0.0, 5), abs=1e-12)
    assert math.isnan(crossed_interval([[1.0, 2.0]], [[0.0, 0.0]]).half_width)
    with pytest.raises(ValueError, match="stack the seeds"):
        crossed_interval([1.0, 2.0], [0.0, 0.0])

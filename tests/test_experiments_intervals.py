"""Intervals against scipy, ranks of tuning, and when a curve reaches a target."""

import math

import numpy as np
import pytest
import scipy.stats

from pcltut.experiments import difference, paired_interval, reach_baseline, summarize, t_interval
from pcltut.experiments.intervals import iterations_to_reach
from pcltut.experiments.tuning import best_trial


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


def test_the_trial_with_the_lowest_mean_rank_is_chosen():
    rows = [
        {"log_evidence": 10.0, "frechet": 30.0},  # ranks 1 and 2
        {"log_evidence": 12.0, "frechet": 40.0},  # ranks 0 and 3
        {"log_evidence": 9.0, "frechet": 10.0},  # ranks 2 and 0
        {"log_evidence": 8.0, "frechet": 20.0},  # ranks 3 and 1
    ]
    assert best_trial(rows) == 2
    rows[2]["log_evidence"] = 7.0  # now ranks 3 and 0, as much as trials 0, 1 and 3 together: evidence decides
    assert best_trial(rows) == 1
    failed = dict.fromkeys(("log_evidence", "frechet"))
    assert best_trial([failed, rows[0], failed]) == 1
    assert best_trial([failed, failed]) == 0
    assert best_trial([{"log_evidence": 1.0}, {"log_evidence": 2.0}]) == 1  # without features


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

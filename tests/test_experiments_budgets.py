"""Budgets in seconds become batches by a table, and one row alone makes the claim."""

import copy

import pytest

from pcltut.experiments import EXPERIMENTS, ResultError
from pcltut.experiments.budgets import batches_within, committed_costs, points_of
from pcltut.experiments.tuning import claim_of, draw_trials

TIMED = EXPERIMENTS["headline-30s"]
COSTS = {"seconds_a_batch": {"vae": {"1": 0.01}, "lpc-jeffreys-shared": {"1": 0.02, "11": 0.12, "21": 0.32}}}


@pytest.mark.parametrize(("num_steps", "seconds"), [(1, 0.02), (6, 0.07), (11, 0.12), (16, 0.22), (21, 0.32)])
def test_seconds_become_batches_on_straight_lines_between_the_measured_lengths(num_steps, seconds):
    method = TIMED.method("lpc-jeffreys-shared")
    assert batches_within(30.0, method, {"num_steps": num_steps}, COSTS) == int(30 / seconds)


def test_costs_that_were_not_measured_are_named():
    assert batches_within(30.0, TIMED.method("vae"), {}, COSTS) == 3000
    with pytest.raises(ResultError, match=r"for \[1, 11, 21\] steps, expected 30 within"):
        batches_within(30.0, TIMED.method("lpc-jeffreys-shared"), {"num_steps": 30}, COSTS)
    with pytest.raises(ResultError, match="no costs of hoffman"):
        batches_within(30.0, TIMED.method("hoffman"), {}, COSTS)


def test_the_committed_costs_cover_every_trial():
    """And a longer chain costs more: a batch of T = 20 at least three times one of T = 2, less than 15 times."""
    table = committed_costs()["seconds_a_batch"]
    for method in TIMED.methods:
        for trial in draw_trials(method, TIMED.num_trials):
            assert points_of(TIMED, method, trial)[0] > 100
        if "num_steps" in method.search:
            assert 3 < table[method.key]["20"] / table[method.key]["2"] < 15


def test_the_claim_is_made_by_the_best_claimant_on_validation_at_its_chosen_point():
    def refined(*evidence: float) -> list[dict]:
        return [{"failed": None, "curve": [{"log_evidence": each}]} for each in evidence]

    choices = {
        "vae": {"refinement": refined(99.0), "chosen": 0},
        "lpc-reverse": {"refinement": refined(5.0, 7.0), "chosen": 1},
        "lpc-reverse-shared": {"refinement": refined(6.0, 1.0), "chosen": 0},
    }
    assert claim_of(choices, ("lpc-reverse", "lpc-reverse-shared")) == "lpc-reverse"
    failed = copy.deepcopy(choices)
    failed["lpc-reverse"]["refinement"][1] = {"failed": "diverged", "curve": []}
    assert claim_of(failed, ("lpc-reverse", "lpc-reverse-shared")) == "lpc-reverse-shared"
    assert claim_of(choices, ()) is None

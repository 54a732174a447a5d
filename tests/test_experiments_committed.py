"""Committed results belong to what is declared now, so that the printed commands repeat them."""

import dataclasses
from pathlib import Path

import pytest

from pcltut.experiments import EXPERIMENTS, load_results, load_search, report_text
from pcltut.experiments.plan import final_run
from pcltut.experiments.results import to_json
from pcltut.experiments.tuning import best_trial, covers

RESULTS = Path(__file__).resolve().parents[1] / "book" / "results"
COMMITTED = [name for name in EXPERIMENTS if (RESULTS / f"{name}.json").exists()]
SEARCHED = [name for name in EXPERIMENTS if (RESULTS / f"{name}-tuning.json").exists()]


@pytest.mark.parametrize("name", SEARCHED)
def test_a_search_is_the_declared_one(name):
    experiment, search = EXPERIMENTS[name], load_search(name)
    for method in experiment.methods:
        assert covers(search, experiment, method), f"{method.key} was declared differently when it was tuned"
        found = search["methods"][method.key]
        rows = [{} if trial["failed"] else trial["curve"][-1] for trial in found["trials"]]
        assert found["chosen"] == best_trial(rows)
        assert len(rows) == experiment.num_trials


@pytest.mark.parametrize("name", COMMITTED)
def test_results_are_those_of_the_declaration(name):
    experiment, results = EXPERIMENTS[name], load_results(name)
    source = experiment.tuned_in or name
    search = load_search(source) if (RESULTS / f"{source}-tuning.json").exists() else {}
    assert set(results["methods"]) == set(experiment.keys) and results["baseline"] == experiment.baseline
    for run in results["runs"]:
        method = experiment.method(run["method"])
        job = final_run(experiment, method, run["seed"], search)
        assert run["hyperparameters"] == to_json(job.hyperparameters), run["method"]
        measured = run["curve"].get("iteration", [])
        assert measured == list(job.points)[: len(measured)]
        assert run["failed"] or (measured == list(job.points) and {*map(str, results["budgets"])} < run["test"].keys())
    assert results["setting"] == to_json(dataclasses.asdict(experiment.setting))
    for origin in ("seeds", "devices", "commits", "versions", "command"):
        assert results["provenance"][origin]
    assert f"python -m pcltut experiment {name} --only" in report_text(results)


def test_the_headline_has_five_seeds_of_every_method():
    if "headline" not in COMMITTED:
        pytest.skip("no committed results yet")
    runs = {(run["method"], run["seed"]) for run in load_results("headline")["runs"]}
    assert {(key, seed) for key in EXPERIMENTS["headline"].keys for seed in range(1, 6)} <= runs

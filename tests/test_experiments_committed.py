"""Committed results belong to what is declared now, so that the printed commands repeat them."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from pcltut.experiments import EXPERIMENTS, EvaluationBudget, load_results, load_search, report_text
from pcltut.experiments.plan import final_run
from pcltut.experiments.results import to_json
from pcltut.experiments.tuning import check_search, covers

RESULTS = Path(__file__).resolve().parents[1] / "book" / "results"
COMMITTED = [name for name in EXPERIMENTS if (RESULTS / f"{name}.json").exists()]
SEARCHED = [
    name for name, each in EXPERIMENTS.items() if each.num_trials and (RESULTS / f"{name}-tuning.json").exists()
]


@pytest.mark.parametrize("name", SEARCHED)
def test_a_search_is_the_declared_one(name):
    experiment, search = EXPERIMENTS[name], load_search(name)
    for method in experiment.methods:
        assert covers(search, experiment, method), f"{method.key} was declared differently when it was tuned"
    check_search(search, experiment)


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
    setting = to_json(dataclasses.asdict(experiment.setting))
    for split in ("validation", "test"):  # a field from after the results has its default
        results["setting"][split] = dataclasses.asdict(EvaluationBudget(**results["setting"][split]))
    assert results["setting"] == setting
    for origin in ("seeds", "devices", "commits", "versions", "command"):
        assert results["provenance"][origin]
    assert f"python -m pcltut experiment {name} --only" in report_text(results)


def test_the_headline_has_five_seeds_of_every_method():
    if "headline" not in COMMITTED:
        pytest.skip("no committed results yet")
    runs = {(run["method"], run["seed"]) for run in load_results("headline")["runs"]}
    assert {(key, seed) for key in EXPERIMENTS["headline"].keys for seed in range(1, 6)} <= runs


def cell(values: dict[int, float], baseline: dict[int, float] | None, decimals: int) -> str:
    """Mean and half width of the 95 % interval as tables print them, by scipy; of differences if with a baseline."""
    numbers = np.array([value - (baseline[seed] if baseline else 0.0) for seed, value in values.items()])
    low, high = scipy.stats.t.interval(0.95, len(numbers) - 1, loc=numbers.mean(), scale=scipy.stats.sem(numbers))
    sign = "+" if baseline and numbers.mean() >= 0 else ""
    star = (" *" if low > 0 or high < 0 else "") if baseline else ""
    return f"{sign}{numbers.mean():.{decimals}f}±{(high - low) / 2:.{decimals}f}{star}"


@pytest.mark.parametrize("name", COMMITTED)
def test_the_report_prints_the_committed_numbers(name):
    """Every mean, interval and difference in the text is that of the file, computed here anew."""
    results = load_results(name)
    names = {"log_evidence": 1, "frechet": 1, "frechet_extrapolated": 1, "density": 3, "coverage": 3}
    found: dict[tuple[str, str, str], dict[int, float]] = {}
    for run in results["runs"]:
        for at, values in run["test"].items():
            for metric in (*names, "encoder_scale", "sigma"):
                if values.get(metric) is not None:
                    found.setdefault((at, run["method"], metric), {})[run["seed"]] = values[metric]
    blocks = re.split(r"\n\n", report_text(results))[1:]
    for number, at in enumerate([*map(str, results["budgets"]), "best"]):
        means, differences = blocks[2 * number], blocks[2 * number + 1]
        for key, method in results["methods"].items():
            (line,) = re.findall(rf"^{re.escape(method['name'])}  +(\S.*)$", means, re.MULTILINE)
            expected = [
                cell(found[at, key, metric], None, names.get(metric, 3)) if (at, key, metric) in found else "-"
                for metric in (*names, "encoder_scale", "sigma")
            ]
            assert line.split() == expected, (at, key)
            if key != results["baseline"]:
                (line,) = re.findall(rf"^{re.escape(method['name'])}  +(\S.*)$", differences, re.MULTILINE)
                others = {metric: found[at, results["baseline"], metric] for metric in names}
                expected = [cell(found[at, key, metric], others[metric], names[metric]) for metric in names]
                assert line.split() == " ".join(expected).split(), (at, key)

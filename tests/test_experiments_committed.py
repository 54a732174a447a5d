"""Committed results belong to what is declared now, so that the printed commands repeat them."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from pcltut.experiments import EXPERIMENTS, EvaluationBudget, Plan, load_results, load_search, report_text
from pcltut.experiments.measurement import METRICS
from pcltut.experiments.plan import final_run
from pcltut.experiments.reports import GROUPS
from pcltut.experiments.results import to_json
from pcltut.experiments.tables import classes_table, ranks_table, scales_table
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


def test_the_row_that_claims_at_the_other_budgets_is_the_one_that_the_search_chose():
    claim = load_search("headline")["claim"]
    for name in ("headline-320", "headline-30s", "headline-bits", "full", "conv", "images-1000"):
        others = {key for key in EXPERIMENTS[name].keys if key in EXPERIMENTS["headline"].claimants}
        assert others == {claim}, name


@pytest.mark.parametrize("name", [path.parent.name for path in sorted(RESULTS.glob("*/tuning"))])
def test_beginnings_of_searches_are_those_of_the_declaration(name, tmp_path):
    """Every committed trial is one of the declared ones, so that the same command goes on from it."""
    plan = Plan(EXPERIMENTS[name], tmp_path)
    found = plan.results("trial", plan.trials())
    assert len(found) == len(list((RESULTS / name / "tuning").glob("*.trial-*.json")))


@pytest.mark.parametrize("name", [path.parent.name for path in sorted(RESULTS.glob("*/final"))])
def test_final_runs_that_are_there_have_the_chosen_settings(name, tmp_path):
    """The same command goes on from them; none has other hyperparameters than its search chose."""
    plan = Plan(EXPERIMENTS[name], tmp_path)
    found = plan.results("seed", plan.final())
    assert len(found) == len(list((RESULTS / name / "final").glob("*.json")))
    assert all(run["provenance"]["commit"] and not run["failed"] for run in found.values())


@pytest.mark.parametrize("name", [path.parent.name for path in sorted(RESULTS.glob("*/final"))])
def test_a_run_that_is_named_is_run_again(name, tmp_path):
    """The command that a report prints repeats the run, although its result is committed."""
    experiment = EXPERIMENTS[name]
    whole = Plan(experiment, tmp_path)
    key, seed = next(iter(whole.results("seed", whole.final())))
    named = Plan(experiment, tmp_path, only=(key,), seeds=(seed,))
    assert list(named.unfinished("seed", named.final())) == [f"{key}.seed-{seed}"]


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
        assert run["failed"] or (measured == list(job.points) and {*map(str, results["budgets"])} <= run["test"].keys())
    setting = to_json(dataclasses.asdict(experiment.setting))
    for split in ("validation", "test"):  # a field from after the results has its default
        found = results["setting"][split].items()
        budget = {name: tuple(value) if isinstance(value, list) else value for name, value in found}
        results["setting"][split] = to_json(dataclasses.asdict(EvaluationBudget(**budget)))
    assert results["setting"] == setting
    for origin in ("seeds", "devices", "commits", "versions", "command"):
        assert results["provenance"][origin]
    assert f"python -m pcltut experiment {name} --only" in report_text(results)


def test_the_headline_has_five_seeds_of_every_method():
    if "headline" not in COMMITTED:
        pytest.skip("no committed results yet")
    runs = {(run["method"], run["seed"]) for run in load_results("headline")["runs"]}
    assert {(key, seed) for key in EXPERIMENTS["headline"].keys for seed in range(1, 6)} <= runs


def interval(values: list) -> tuple[float, float]:
    """Mean and half width of the 95 % interval by scipy; of rows of images, with the images' variance beside it."""
    table = np.array(values, dtype=float).reshape(len(values), -1)
    variance = scipy.stats.sem(table.mean(1)) ** 2
    variance += scipy.stats.sem(table.mean(0)) ** 2 if table.shape[1] > 1 else 0.0
    return table.mean(), scipy.stats.t.ppf(0.975, len(table) - 1) * variance**0.5


def cell(metric: str, values: dict, baseline: dict | None = None) -> str:
    """As tables print it; the difference if with a baseline."""
    seeds = sorted(values if baseline is None else values.keys() & baseline.keys())
    if not seeds:
        return "-"
    pairs = [values[seed] if baseline is None else np.subtract(values[seed], baseline[seed]) for seed in seeds]
    mean, half = interval(pairs)
    sign, star = ("+" if mean >= 0 else "", " *" if abs(mean) > half else "") if baseline is not None else ("", "")
    decimals = METRICS[metric].decimals
    return f"{sign}{mean:.{decimals}f}±{half:.{decimals}f}{star}"


@pytest.mark.parametrize("name", COMMITTED)
def test_the_report_prints_the_committed_numbers(name):
    """Every mean, interval and difference in the text is that of the file, computed here anew."""
    results = load_results(name)
    found: dict[tuple, dict] = {}
    for run in results["runs"]:
        for at, values in run["test"].items():
            for metric, value in values.items():
                found.setdefault((at, run["method"], metric), {})[run["seed"]] = value
    blocks = re.split(r"\n\n", report_text(results))[1:]
    for at in [*map(str, results["budgets"]), "best"] if results["budgets"] else ["end"]:
        for columns in GROUPS.values():
            present = [metric for metric in columns if any((at, key, metric) in found for key in results["methods"])]
            if not present:
                continue
            means, differences = blocks.pop(0), blocks.pop(0)
            for key, method in results["methods"].items():
                pattern = rf"^{re.escape(method['name'])}  +(\S.*)$"
                values = {metric: found.get((at, key, metric), {}) for metric in present}
                if not any(values.values()):  # its final runs are to come
                    assert not re.search(pattern, means, re.MULTILINE)
                    continue
                (line,) = re.findall(pattern, means, re.MULTILINE)
                assert line.split() == [cell(*each) for each in values.items()], (at, key)
                if key == results["baseline"]:
                    continue
                (line,) = re.findall(pattern, differences, re.MULTILINE)
                expected = []
                for metric in present:
                    each = f"{metric}_each" if (at, key, f"{metric}_each") in found else metric
                    pair = (found.get((at, who, each), {}) for who in (key, results["baseline"]))
                    expected.append(cell(metric, *pair))
                assert line.split() == " ".join(expected).split(), (at, key)
        others = ranks_table(results, at), scales_table(results, at), classes_table(results, at)
        blocks = blocks[sum(len(frame) > 0 and len(frame.columns) > 0 for frame in others) :]

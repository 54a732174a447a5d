"""Tuning: equal numbers of trials that depend on nothing but the declaration, refined, resumed, recorded, and held."""

import copy
import dataclasses
import json
import math
import shutil
from pathlib import Path

import pytest
import scipy.stats
import torch
from tiny_experiment import TUNED

from pcltut.experiments import EXPERIMENTS, Method, Plan, ResultError, find_experiment, run_experiment
from pcltut.experiments.plan import final_run
from pcltut.experiments.results import read_json, rounded
from pcltut.experiments.tuning import (
    best_of,
    check_search,
    covers,
    draw_trials,
    neighbors,
    refinement_runs,
    trial_runs,
)

SEARCHED = [name for name, each in EXPERIMENTS.items() if each.num_trials]
HEADLINE = find_experiment("headline")


def result(run, evidence: float | None, **metrics: float) -> dict:
    """A finished run's result; one that failed without an evidence."""
    row = {"iteration": run.points[-1], "log_evidence": evidence, **metrics}
    return {
        "run": json.loads(json.dumps(run.to_json())),
        "curve": [row] if evidence is not None else [],
        "failed": None if evidence is not None else "diverged",
        "provenance": {"device": "none", "commit": "none", "versions": {}},
    }


# -- trials --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SEARCHED)
def test_every_method_has_equally_many_different_trials_within_its_ranges(name):
    experiment = EXPERIMENTS[name]
    runs = trial_runs(experiment)
    assert list(runs)[: len(experiment.methods)] == [(key, 0) for key in experiment.keys], "row by row, not in turn"
    for method in experiment.methods:
        drawn = [run.hyperparameters for (key, _), run in runs.items() if key == method.key]
        assert len(drawn) == experiment.num_trials == (8 if name == "conv" else 12)
        assert all(drawn.count(each) == 1 for each in drawn)
        for each in drawn:
            assert method.fixed.items() <= each.items() and each["learning_rate_schedule"] == "cosine"
            for searched, values in method.search.items():
                if values[-1] == "log":
                    assert values[0] * 0.99 <= each[searched] <= values[1] * 1.01
                else:
                    assert each[searched] in values
    assert not any(run.budgets for run in runs.values()), "a tuning run reads no test image"
    assert {run.seed for run in runs.values()} == {experiment.tuning_seed}


def test_the_searches_of_the_comparison_are_equal():
    """Wide rates, one and a half decades of steps, ten passes an update or one, and the same budget of updates."""
    for method in HEADLINE.methods:
        low = 1e-4 if method.key == "lpc-incremental" else 5e-4
        assert method.search["learning_rate"] == (low, 2e-2, "log")
        assert method.search["encoder_learning_rate"] == (5e-4, 2e-2, "log")
        if "step_size" in method.search:
            assert math.log10(method.search["step_size"][1] / method.search["step_size"][0]) == pytest.approx(1.5, 0.01)
        assert ("temperature" in method.search) == (method.key == "lpc-tempered")
        run = final_run(HEADLINE, method, 1, {})
        state = dataclasses.replace(run, setting=dataclasses.replace(run.setting, num_train=100)).build()
        moved = []
        state.optimizers[0].register_step_post_hook(lambda *_, moved=moved: moved.append(1))
        passes = 0
        for batch in range(1, 3):
            state.step()
            passes = int(state.history.decoder_evaluations[-1]) / batch
        assert len(moved) / 2 * run.points[-1] == HEADLINE.updates
        assert passes == (1 if method.key == "vae" else 10)
        assert state.rates[0](run.points[-1]) == pytest.approx(0) and state.rates[1](run.points[-1]) == pytest.approx(0)


def test_trials_are_evenly_spread():
    """Less discrepant than independent draws, of which one in twenty is as even."""
    method = HEADLINE.method("vae")
    points = torch.tensor([list(map(each.get, method.search)) for each in draw_trials(method, 64)], dtype=torch.float64)
    unit = ((points / 5e-4).log() / math.log(40)).clamp(0, 1)
    drawn = torch.rand(200, 64, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    others = torch.tensor([scipy.stats.qmc.discrepancy(each.numpy()) for each in drawn])
    assert scipy.stats.qmc.discrepancy(unit.numpy()) < others.quantile(0.05)


def test_draws_do_not_depend_on_other_methods():
    runs = trial_runs(HEADLINE)
    alone = dataclasses.replace(HEADLINE, methods=(HEADLINE.method("vae"), HEADLINE.method("lpc-reverse")))
    assert trial_runs(alone).items() <= runs.items()
    more = draw_trials(HEADLINE.method("lpc-reverse"), HEADLINE.num_trials + 9)
    assert more[: HEADLINE.num_trials] == draw_trials(HEADLINE.method("lpc-reverse"), HEADLINE.num_trials)


def test_choices_are_drawn_equally_often():
    method = Method("vae", "VAE", "vae", search={"num_samples": (1, 2, 5, 10), "learning_rate": (1e-3, 1e-2, "log")})
    drawn = [trial["num_samples"] for trial in draw_trials(method, 16)]
    assert sorted(drawn) == [1] * 4 + [2] * 4 + [5] * 4 + [10] * 4
    with pytest.raises(ValueError, match="learning_rate"):
        draw_trials(dataclasses.replace(method, search={"learning_rate": ()}), 2)


# -- choices -------------------------------------------------------------------------------------------------------


def test_the_best_is_the_highest_evidence_and_nothing_else():
    rows = [{"log_evidence": 1.0, "frechet": 9.0}, {"log_evidence": 3.0, "frechet": 99.0}, {}, {"log_evidence": None}]
    assert best_of(rows) == 1 and best_of(rows, "frechet") == 0
    assert best_of([{}, {}]) == 0


def test_each_rate_is_doubled_and_halved_around_the_best_at_another_seed():
    runs = trial_runs(HEADLINE)
    trials = {
        (key, trial): result(run, float(trial == 5) if trial != 11 else None) for (key, trial), run in runs.items()
    }
    refined = refinement_runs(HEADLINE, trials)
    for method in HEADLINE.methods:
        points = [run for (key, _), run in refined.items() if key == method.key]
        best = runs[method.key, 5].hyperparameters
        assert points[0].hyperparameters == best and {run.seed for run in points} == {HEADLINE.refinement_seed}
        assert HEADLINE.refinement_seed not in (*HEADLINE.seeds, HEADLINE.tuning_seed)
        changes = [
            {name: run.hyperparameters[name] / best[name] for name in best if run.hyperparameters[name] != best[name]}
            for run in points[1:]
        ]
        rates = ("learning_rate", "encoder_learning_rate")
        assert changes == [{name: factor} for name in rates for factor in (2.0, 0.5)]


# -- a search ------------------------------------------------------------------------------------------------------


def numbers(path: Path) -> dict:
    """A result but for its times."""
    found = json.loads(path.read_text())
    return {**found, "curve": [{**row, "seconds": 0} for row in found["curve"]]}


@pytest.fixture(scope="module")
def searched(tmp_path_factory) -> Path:
    """The folder of a finished search."""
    folder = tmp_path_factory.mktemp("searched")
    assert run_experiment(Plan(TUNED, folder), tuning_only=True) == {}
    return folder


def test_a_stopped_search_goes_on_and_ends_as_one_that_was_not(tmp_path: Path, searched: Path):
    """Stopped among the trials, then in the refinement."""
    total = len(trial_runs(TUNED)) + 5 + 3
    written, left = {}, total
    for stop_after in (2, 6, total):
        events = []

        def stop(event, events=events, stop_after=stop_after):
            events.append(event)
            if sum(each.result is not None for each in events) == stop_after:
                raise KeyboardInterrupt

        plan = Plan(TUNED, tmp_path)
        assert len(plan.tuning()) == left
        if stop_after < total:
            with pytest.raises(KeyboardInterrupt):
                run_experiment(plan, tuning_only=True, on_event=stop)
            left -= stop_after
        else:
            run_experiment(plan, tuning_only=True, on_event=stop)
            assert sum(each.result is not None for each in events) == left
        paths = {path.name: path for path in (tmp_path / "tuning").glob("*.json")}
        assert all(paths[name].stat().st_mtime_ns == time for name, time in written.items())
        written = {name: path.stat().st_mtime_ns for name, path in paths.items()}
    assert written.keys() == {path.name for path in (searched / "tuning").glob("*.json")} and len(written) == total
    assert all(numbers(searched / "tuning" / name) == numbers(tmp_path / "tuning" / name) for name in written)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tuning", "tuning.json"]
    assert {path.stem for path in (tmp_path / "tuning" / "weights").iterdir()} == {Path(name).stem for name in written}


def test_a_search_goes_on_from_committed_trials(tmp_path: Path, searched: Path, monkeypatch):
    """Those of another machine lie in book/results/NAME/tuning; they are small."""
    monkeypatch.setattr("pcltut.experiments.plan.results_folder", lambda: tmp_path / "results")
    committed = tmp_path / "results" / TUNED.name / "tuning"
    committed.mkdir(parents=True)
    for path in (searched / "tuning").glob("vae.*.json"):
        shutil.copy(path, committed)
        assert path.stat().st_size < 4000
    plan, events = Plan(TUNED, tmp_path / "here"), []
    assert {name.partition(".")[0] for name in plan.tuning()} == {"lpc"}
    run_experiment(plan, tuning_only=True, on_event=events.append)
    assert {event.name.partition(".")[0] for event in events} == {"lpc"}
    here, there = (read_json(folder / "tuning.json", "")["methods"] for folder in (plan.folder, searched))
    for key in TUNED.keys:
        for name in ("chosen", "best_trial", "hyperparameters", "not_settled", "best_trial_by"):
            assert here[key][name] == there[key][name]


def test_a_recorded_search_holds_the_rules(searched: Path):
    search = read_json(searched / "tuning.json", "")
    check_search(search, TUNED)
    for method in TUNED.methods:
        found = search["methods"][method.key]
        evidence = [trial["curve"][-1]["log_evidence"] for trial in found["trials"]]
        assert len(evidence) == TUNED.num_trials and found["best_trial"] == evidence.index(max(evidence))
        points = neighbors(method, found["trials"][found["best_trial"]]["hyperparameters"])
        evidence = [point["curve"][-1]["log_evidence"] for point in found["refinement"]]
        assert len(evidence) == len(points) and found["chosen"] == evidence.index(max(evidence))
        assert found["hyperparameters"] == rounded(points[found["chosen"]])
        assert len(found["not_settled"]) == (found["chosen"] > 0)
        frechet = [trial["curve"][-1]["frechet"] for trial in found["trials"]]
        assert found["best_trial_by"]["frechet"] == frechet.index(min(frechet))
        assert covers(search, TUNED, method)
        assert not covers(search, TUNED, dataclasses.replace(method, fixed={**method.fixed, "learning_rate": 0.5}))
    assert not covers(search, dataclasses.replace(TUNED, updates=5), TUNED.methods[0])


def test_a_search_that_broke_a_rule_is_refused(searched: Path):
    search = read_json(searched / "tuning.json", "")

    def drop_a_trial(found):
        found["trials"].pop()

    def choose_another_trial(found):
        found["best_trial"] = (found["best_trial"] + 1) % TUNED.num_trials

    def choose_another_point(found):
        found["chosen"] = (found["chosen"] + 1) % len(found["refinement"])

    def choose_by_frechet(found):
        for point, frechet in zip(found["refinement"], range(9, 0, -1), strict=False):
            point["curve"][-1] |= {"frechet": frechet, "log_evidence": -frechet if frechet == 9 else -1000.0}
        found["chosen"] = len(found["refinement"]) - 1

    def look_elsewhere(found):
        found["refinement"][1]["hyperparameters"]["learning_rate"] *= 1.5

    def use_others(found):
        found["hyperparameters"]["learning_rate"] *= 1.5

    def hide_that_it_is_not_settled(found):
        found["not_settled"] = [] if found["not_settled"] else ["learning_rate"]

    for change, rule in {
        drop_a_trial: "3 trials",
        choose_another_trial: "best trial by log_evidence",
        choose_another_point: "best point by log_evidence",
        choose_by_frechet: "best point by log_evidence",
        look_elsewhere: "best trial and its neighbors",
        use_others: "chosen hyperparameters",
        hide_that_it_is_not_settled: "unsettled rates",
    }.items():
        broken = copy.deepcopy(search)
        change(broken["methods"]["vae"])
        with pytest.raises(ResultError, match=f"search of vae without the {rule}|search of vae without {rule}"):
            check_search(broken, TUNED)


def test_final_runs_have_the_chosen_settings_and_others_are_refused(tmp_path: Path, searched: Path):
    search = read_json(searched / "tuning.json", "")
    shutil.copy(searched / "tuning.json", tmp_path)
    plan = Plan(TUNED, tmp_path)
    assert plan.tuning() == plan.trials() == plan.refinement() == {}
    final = plan.final()
    assert {key for key, _ in final} == set(TUNED.keys) and all(run.budgets == (6,) for run in final.values())
    for (key, _), run in final.items():
        assert rounded(run.hyperparameters) == search["methods"][key]["hyperparameters"]
    run = final["vae", 1]
    other = dataclasses.replace(run, hyperparameters={**run.hyperparameters, "learning_rate": 0.5})
    path = plan.path("seed", "vae", 1)
    path.parent.mkdir()
    path.write_text(json.dumps({**result(other, 0.0), "test": {}}))
    with pytest.raises(ResultError, match=r"other settings \(learning_rate 0.5"):
        plan.results("seed", final)

    search["methods"]["vae"]["hyperparameters"]["learning_rate"] = 0.5
    (tmp_path / "tuning.json").write_text(json.dumps(search))
    with pytest.raises(ResultError, match="the chosen hyperparameters"):
        plan.final()

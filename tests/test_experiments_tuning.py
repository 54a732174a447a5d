"""Tuning: equal numbers of draws that depend on nothing but the declaration, resumed and recorded."""

import dataclasses
import sys
from pathlib import Path

import pytest
from tiny_experiment import TINY

from pcltut.experiments import Method, Plan, run_experiment
from pcltut.experiments.declarations.headline import HEADLINE
from pcltut.experiments.results import read_json
from pcltut.experiments.tuning import covers, draw_trials, tuning_runs

pytest.importorskip("optuna")


def test_every_method_has_equally_many_different_trials():
    runs = tuning_runs(HEADLINE)
    for method in HEADLINE.methods:
        drawn = [run.hyperparameters for (key, _), run in runs.items() if key == method.key]
        assert len(drawn) == HEADLINE.num_trials
        assert all(drawn.count(each) == 1 for each in drawn)
        assert drawn[0] == {**method.guess, **method.fixed}
        for each in drawn[1:]:
            assert method.fixed.items() <= each.items()
            for name, values in method.search.items():
                if values[-1] == "log":
                    assert values[0] * 0.99 <= each[name] <= values[1] * 1.01
                else:
                    assert each[name] in values
    assert not any(run.budgets for run in runs.values()), "a tuning run reads no test image"
    assert {run.seed for run in runs.values()}.isdisjoint(HEADLINE.seeds)


def test_draws_do_not_depend_on_other_methods_or_on_results():
    runs = tuning_runs(HEADLINE)
    alone = dataclasses.replace(HEADLINE, methods=(HEADLINE.method("vae"), HEADLINE.method("lpc-reverse")))
    assert tuning_runs(alone).items() <= runs.items()
    more = draw_trials(HEADLINE.method("lpc-reverse"), HEADLINE.num_trials + 2)
    assert more[: HEADLINE.num_trials] == draw_trials(HEADLINE.method("lpc-reverse"), HEADLINE.num_trials)


def test_a_small_space_gives_all_its_points_once():
    method = Method("vae", "VAE", "vae", guess={"learning_rate": 1.0}, search={"learning_rate": (1.0, 2.0)})
    assert sorted(trial["learning_rate"] for trial in draw_trials(method, 6)) == [1.0, 2.0]
    with pytest.raises(ValueError, match="learning_rate"):
        draw_trials(dataclasses.replace(method, search={"learning_rate": ()}), 2)


def test_tuning_resumes_and_is_recorded(tmp_path: Path):
    plan = Plan(TINY, tmp_path)
    events = []

    def stop(event):
        events.append(event)
        if sum(each.result is not None for each in events) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_experiment(plan, tuning_only=True, on_event=stop)
    finished = {path.name for path in (tmp_path / "tuning").glob("*.json")}
    assert len(finished) == 2
    written = {name: (tmp_path / "tuning" / name).stat().st_mtime_ns for name in finished}

    events.clear()
    assert run_experiment(plan, tuning_only=True, on_event=events.append) == {}
    assert len([event for event in events if event.result is not None]) == len(tuning_runs(TINY)) - 2
    assert all((tmp_path / "tuning" / name).stat().st_mtime_ns == time for name, time in written.items())
    assert not (tmp_path / "final").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tuning", "tuning.json"]

    search = read_json(tmp_path / "tuning.json", "")
    for method in TINY.methods:
        found = search["methods"][method.key]
        assert len(found["trials"]) == TINY.num_trials
        assert found["hyperparameters"] == found["trials"][found["chosen"]]["hyperparameters"]
        assert covers(search, TINY, method)
        assert not covers(search, TINY, dataclasses.replace(method, guess={**method.guess, "learning_rate": 0.5}))
    assert not covers(search, dataclasses.replace(TINY, tuning_points=(5,)), TINY.methods[0])
    assert plan.tuning() == {}
    chosen = {key: run.hyperparameters for (key, _), run in plan.final().items()}
    assert all(chosen[key] == search["methods"][key]["hyperparameters"] for key in TINY.keys)


def test_without_optuna_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ValueError, match="pip install optuna"):
        tuning_runs(TINY)

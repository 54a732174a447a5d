"""A whole experiment and its parts in one process; what fails is said in one line and loses nothing."""

import dataclasses
import errno
import json
from pathlib import Path

import pytest
import torch
from tiny_experiment import TINY, TUNED

from pcltut.experiments import (
    Executor,
    Plan,
    ResultError,
    WorkerError,
    load_results,
    load_search,
    read_results,
    run_experiment,
    single,
)
from pcltut.files import exclusive

LANGEVIN = TINY.methods[1]
SMALL = dataclasses.replace(TINY, budgets=(2,), curve=(2,))
SMALL = dataclasses.replace(SMALL, methods=tuple(dataclasses.replace(m, max_iterations=2) for m in SMALL.methods))


@pytest.mark.slow
def test_a_whole_experiment_and_its_parts(tmp_path: Path):
    plan = Plan(TUNED, tmp_path / "whole")
    whole = run_experiment(plan)
    assert {(run["method"], run["seed"]) for run in whole["runs"]} == {(k, s) for k in TINY.keys for s in TINY.seeds}
    assert whole["costs"]["seconds_an_iteration"].keys() == set(TINY.keys)
    huddled = {"mean image", "mean of class 0", "means of 20 neighbors"}
    assert whole["references"].keys() == {"training images", "pixel Gaussian"} | huddled
    assert whole["provenance"]["seeds"] == [1, 2] and whole["provenance"]["versions"]["torch"] == torch.__version__
    assert json.loads(json.dumps(whole)) == whole
    names = {"tuning", "final", "tuning.json", "references.json", "costs.json"}
    assert {path.name for path in plan.folder.iterdir()} == names
    with pytest.raises(ResultError, match="no finished run"):
        read_results(Plan(TINY, tmp_path / "nothing"))
    chosen = json.loads((plan.folder / "tuning.json").read_text())["methods"]["lpc"]["hyperparameters"]
    part = dataclasses.replace(TUNED, methods=(LANGEVIN,), baseline="lpc")
    alone = run_experiment(Plan(part, tmp_path / "part", seeds=(2,)))
    assert alone["runs"][0]["hyperparameters"] == chosen
    (same,) = [run for run in whole["runs"] if run["method"] == "lpc" and run["seed"] == 2]
    assert alone["runs"][0]["test"] == same["test"]


def full(*arguments, **options):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("function", ["os.fsync", "pathlib.Path.write_bytes"])
def test_disk_full_is_said_in_one_line_and_loses_nothing(tmp_path: Path, monkeypatch, function):
    first, both = Plan(SMALL, tmp_path, only=("vae",), seeds=(1,)), Plan(SMALL, tmp_path, only=SMALL.keys, seeds=(1,))
    run_experiment(first)
    before = (tmp_path / "final" / "vae.seed-1.json").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(function, full)
        with pytest.raises(WorkerError, match=r"lpc\.seed-1.*No space left.*make room") as caught:
            run_experiment(both)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "final" / "vae.seed-1.json").read_bytes() == before
    run_experiment(both)
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    names = ("lpc.seed-1", "vae.seed-1")
    kept = [f"final/weights/{name}.safetensors" for name in names]
    assert found == [*(f"final/{name}.json" for name in names), *kept]


def test_an_error_of_a_run_is_said_in_one_line_with_its_name(tmp_path: Path, monkeypatch):
    def broken(*arguments, **options):
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(single, "train_until", broken)
    run = Plan(SMALL, tmp_path).final()["vae", 1]
    with Executor() as executor, pytest.raises(WorkerError, match=r"^mine: RuntimeError: two lines$"):
        executor.execute({"mine": run}, tmp_path)


def test_two_processes_in_one_folder_are_refused(tmp_path: Path):
    with exclusive(tmp_path), pytest.raises(ValueError, match="is running"):
        run_experiment(Plan(SMALL, tmp_path))


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_folder_that_is_a_file_is_refused(tmp_path: Path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="a file or below one, expected a folder; choose another folder"):
        run_experiment(Plan(SMALL, tmp_path / name))


def test_a_home_folder_is_expanded(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert Plan(SMALL, Path("~/runs")).folder == tmp_path / "runs"


def test_provenance_is_the_commit_of_the_package_itself(tmp_path: Path, monkeypatch):
    """It comes from `pcltut.files`, which knows whose repository the package lies in."""
    monkeypatch.setattr("pcltut.experiments.results.package_commit", lambda: "abc")
    result = run_experiment(Plan(SMALL, tmp_path, only=("vae",), seeds=(1,)))
    assert result["provenance"]["commits"] == ["abc"]


@pytest.mark.parametrize("load", [load_results, load_search])
def test_results_that_are_not_there_say_what_is_needed(tmp_path: Path, monkeypatch, load):
    monkeypatch.setattr("pcltut.experiments.results.results_folder", lambda: tmp_path)
    with pytest.raises(ResultError, match="take it from book/results of the book's repository, or make it") as caught:
        load("headline")
    assert str(tmp_path / "headline") in str(caught.value) and "\n" not in str(caught.value)

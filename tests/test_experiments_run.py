"""One run: interrupted anywhere it ends the same; what fails is said in one line; nothing stays behind."""

import dataclasses
import errno
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from tiny_experiment import TINY

from pcltut import data
from pcltut.experiments import Job, Plan, ResultError, pool, read_results, results, run_experiment, single
from pcltut.experiments.builder import VarianceScaledSteps, build
from pcltut.experiments.pool import WorkerError, run_jobs
from pcltut.experiments.runner import remove_leftovers
from pcltut.experiments.single import best_row, run_one
from pcltut.files import exclusive
from pcltut.training import LPC

VAE, LANGEVIN = TINY.methods


def job(method=VAE, seed=1, trial=None, **changes) -> Job:
    return Job(TINY, method, {**method.guess, **method.fixed, **changes}, seed, trial)


def without_times(result: dict) -> dict:
    rows = [{name: value for name, value in row.items() if name != "seconds"} for row in result["curve"]]
    return {**result, "curve": rows, "provenance": None}


@pytest.mark.parametrize("method", [VAE, LANGEVIN], ids=lambda method: method.key)
def test_a_run_interrupted_after_every_point_ends_the_same(tmp_path: Path, method):
    whole = run_one(job(method), tmp_path / "whole")
    assert [row["iteration"] for row in whole["curve"]] == list(TINY.points(method))

    def stop(iteration):
        raise KeyboardInterrupt

    for _ in TINY.points(method):
        with pytest.raises(KeyboardInterrupt):
            run_one(job(method), tmp_path / "parts", on_point=stop)
    parts = run_one(job(method), tmp_path / "parts")
    assert without_times(parts) == without_times(whole)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == 2 * [f"{method.key}.seed-1.json"]
    assert json.loads((tmp_path / "parts" / f"{method.key}.seed-1.json").read_text()) == parts


def test_a_segment_that_was_not_measured_is_trained_again(tmp_path: Path, monkeypatch):
    whole = run_one(job(), tmp_path / "whole")
    calls = []
    measure = single.measure

    def sometimes(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt  # after training up to the second point, before it is measured
        return measure(*arguments, **options)

    monkeypatch.setattr(single, "measure", sometimes)
    with pytest.raises(KeyboardInterrupt):
        run_one(job(), tmp_path / "parts")
    work = tmp_path / "parts" / "work" / "vae.seed-1"
    assert {path.name for path in work.iterdir()} >= {"after-2.safetensors", "after-4.safetensors", "curve.json"}
    assert without_times(run_one(job(), tmp_path / "parts")) == without_times(whole)


def test_a_finished_run_is_left_as_it_is(tmp_path: Path, monkeypatch):
    first = run_one(job(trial=0), tmp_path)
    monkeypatch.setattr(single, "fit", None)
    assert run_one(job(trial=0), tmp_path) == first
    assert first["test"] == {} and [row["iteration"] for row in first["curve"]] == list(TINY.tuning_points)


def test_tuning_reads_no_test_image(tmp_path: Path, monkeypatch):
    single.load.cache_clear()
    load = data.load
    splits = []
    monkeypatch.setattr(data, "load", lambda name, split, root=None: splits.append(split) or load(name, split, root))
    run_one(job(trial=1), tmp_path)
    assert set(splits) == {"train", "validation"}
    run_one(job(), tmp_path)
    assert "test" in splits
    single.load.cache_clear()


def test_final_runs_are_tested_at_the_budgets_and_at_their_best(tmp_path: Path):
    result = run_one(job(), tmp_path)
    assert result["test"].keys() == {"4", "8", "best"}
    best = best_row(result["curve"])
    assert result["test"]["best"]["iteration"] == result["curve"][best]["iteration"]
    for values in result["test"].values():
        assert {"log_evidence", "frechet", "density", "coverage", "encoder_scale", "sigma"} <= values.keys()
    evaluations = [row["decoder_evaluations"] for row in run_one(job(LANGEVIN), tmp_path)["curve"]]
    assert evaluations == [2 * point for point in TINY.points(LANGEVIN)]


def test_the_best_point_is_the_first_highest():
    assert best_row([{"log_evidence": 1.0}, {"log_evidence": 3.0}, {"log_evidence": None}, {"log_evidence": 3.0}]) == 1
    assert best_row([{"sigma": 1.0}]) is None


def test_methods_share_decoder_batches_and_noise():
    built = [
        build(TINY.setting, method, job(method).hyperparameters, (1, 28, 28), seed=3, last_iteration=10)
        for method in TINY.methods
    ]
    for one, other in zip(built[0].model.parameters(), built[1].model.parameters(), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(built[0].generator.get_state(), built[1].generator.get_state())


def test_chains_that_diverge_end_their_run_and_are_reported(tmp_path: Path):
    wild = job(LANGEVIN, step_size=1e4, num_steps=20)
    result = run_one(wild, tmp_path)
    assert "left the finite numbers" in result["failed"] and result["curve"] == [] and result["test"] == {}
    assert [path.name for path in tmp_path.iterdir()] == ["work", "lpc.seed-1.json"] or not list(
        (tmp_path / "work").iterdir()
    )


def test_hyperparameters_reach_algorithm_and_optimizers():
    setting = TINY.setting
    options = {"seed": 0, "last_iteration": 10}
    changes = {"learning_rate": 0.2, "encoder_learning_rate": 0.1, "learning_rate_schedule": "cosine"}
    built = build(setting, VAE, changes, (1, 28, 28), **options)
    assert [built.learning_rate(0), built.learning_rate(5)] == pytest.approx([0.2, 0.1])
    assert built.encoder_learning_rate(5) == pytest.approx(0.05)
    values = {"num_steps": 3, "step_size": 0.1, "preconditioner": "batch", "decay": 0.9, "warm_start": "prior"}
    algorithm = build(setting, LANGEVIN, values, (1, 28, 28), **options).algorithm
    assert isinstance(algorithm, LPC) and "decay=0.9" in repr(algorithm.preconditioner)
    assert algorithm.num_steps == 3 and algorithm.warm_start == "prior"
    values = {"num_steps": 3, "step_size": 0.1, "warm_start": "prior", "step_schedule": "variance"}
    built = build(setting, LANGEVIN, values, (1, 28, 28), **options)
    assert isinstance(built.algorithm, VarianceScaledSteps)
    with torch.no_grad():
        built.model.likelihood.log_scale.fill_(0.1).log_()
    assert built.algorithm._now(built.model).step_size == pytest.approx(0.1 * (0.1 / setting.initial_scale) ** 2)
    for wrong in ({"nonsense": 1}, {"learning_rate": -1.0}, {"learning_rate_schedule": "up"}, {"step_schedule": "up"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            build(setting, LANGEVIN, {"num_steps": 1, "step_size": 0.1, **wrong}, (1, 28, 28), **options)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"config": {}}'])
def test_a_damaged_result_file_is_named_and_kept(tmp_path: Path, content):
    path = tmp_path / "vae.seed-1.json"
    path.write_text(content)
    with pytest.raises(ResultError, match=r"damaged file .*delete it") as caught:
        run_one(job(), tmp_path)
    assert "\n" not in str(caught.value) and path.read_text() == content


def test_a_result_with_other_settings_is_named_and_kept(tmp_path: Path):
    run_one(job(trial=0), tmp_path)
    with pytest.raises(ResultError, match=r"learning_rate 0\.003, now 0\.5"):
        run_one(job(trial=0, learning_rate=0.5), tmp_path)


def test_a_beginning_with_other_settings_is_thrown_away(tmp_path: Path):
    def stop(iteration):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_one(job(trial=0, learning_rate=0.5), tmp_path, on_point=stop)
    expected = run_one(job(trial=0), tmp_path / "other")
    assert without_times(run_one(job(trial=0), tmp_path)) == without_times(expected)


def full(*arguments, **options):
    raise OSError(errno.ENOSPC, "No space left on device")


def full_for_weights(*arguments, **options):
    raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


@pytest.mark.parametrize("write", ["results.write_text", "single.save_checkpoint"])
@pytest.mark.parametrize("error", [full, full_for_weights])
def test_a_full_disk_is_said_in_one_line_and_loses_nothing(tmp_path: Path, monkeypatch, write, error):
    jobs = [job(trial=0), job()]
    run_jobs(jobs[:1], tmp_path, workers=1, on_event=lambda event: None)
    before = (tmp_path / "vae.trial-0.json").read_bytes()
    module, name = write.split(".")
    with monkeypatch.context() as patch:
        patch.setattr({"results": results, "single": single}[module], name, error)
        with pytest.raises(WorkerError, match="disk is full") as caught:
            run_jobs(jobs, tmp_path, workers=1, on_event=lambda event: None)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "vae.trial-0.json").read_bytes() == before
    run_jobs(jobs, tmp_path, workers=1, on_event=lambda event: None)
    remove_leftovers(tmp_path, jobs)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["vae.seed-1.json", "vae.trial-0.json"]


def test_an_error_in_a_worker_is_said_in_one_line(tmp_path: Path):
    (tmp_path / "vae.seed-2.json").write_text("{")
    with pytest.raises(WorkerError, match=r"vae\.seed-2: got a damaged file") as caught:
        run_jobs([job(seed=2), job(seed=3)], tmp_path, workers=2, on_event=lambda event: None)
    assert "\n" not in str(caught.value)


def test_workers_have_one_thread_and_give_the_same_numbers(tmp_path: Path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    events = []
    run_jobs([job(trial=0), job(LANGEVIN, trial=0)], tmp_path, workers=2, on_event=events.append)
    found = {event.job.name: event.result for event in events if event.result is not None}
    points = [event.iteration for event in events if event.result is None and event.job.method is VAE]
    assert points == list(TINY.tuning_points)
    here = run_one(job(trial=0), tmp_path / "here")
    assert without_times(found["vae.trial-0"]) == without_times(here)
    with pool._one_thread():
        assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "1"
    assert "OMP_NUM_THREADS" not in os.environ


def test_a_whole_experiment_and_its_parts(tmp_path: Path):
    plan = Plan(TINY, tmp_path / "whole")
    whole = run_experiment(plan)
    assert {(run["method"], run["seed"]) for run in whole["runs"]} == {(k, s) for k in TINY.keys for s in TINY.seeds}
    assert whole["costs"]["seconds_an_iteration"].keys() == set(TINY.keys)
    assert whole["references"].keys() == {"training images", "pixel Gaussian"}
    assert whole["provenance"]["seeds"] == [1, 2] and whole["provenance"]["versions"]["torch"] == torch.__version__
    assert json.loads(json.dumps(whole)) == whole
    assert {path.name for path in plan.folder.iterdir()} == {
        "tuning",
        "final",
        "tuning.json",
        "references.json",
        "costs.json",
    }
    with pytest.raises(ResultError, match="no finished run"):
        read_results(Plan(TINY, tmp_path / "nothing"))
    chosen = json.loads((plan.folder / "tuning.json").read_text())["methods"]["lpc"]["hyperparameters"]
    part = dataclasses.replace(TINY, methods=(LANGEVIN,), baseline="lpc")
    alone = run_experiment(Plan(part, tmp_path / "part", seeds=(2,)))
    assert alone["runs"][0]["hyperparameters"] == chosen
    (same,) = [run for run in whole["runs"] if run["method"] == "lpc" and run["seed"] == 2]
    assert alone["runs"][0]["test"] == same["test"]


def test_two_runners_cannot_share_a_folder(tmp_path: Path):
    with exclusive(tmp_path), pytest.raises(ValueError, match="is running"):
        run_experiment(Plan(TINY, tmp_path))

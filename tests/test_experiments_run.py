"""One run: a value that can be written and read; interrupted anywhere it ends the same; nothing stays behind."""

import dataclasses
import json
import pickle
from pathlib import Path

import pytest
import torch
from tiny_experiment import TINY

from pcltut import data
from pcltut.experiments import ResultError, Run, finish, single
from pcltut.experiments.budgets import points_of
from pcltut.experiments.plan import final_run
from pcltut.experiments.results import rounded
from pcltut.experiments.single import best_row, read_run, weights_file, working_file
from pcltut.files import load_tensors, save_tensors
from pcltut.training import IWAE, LPC, VarianceScaledStep, train_until

VAE, LANGEVIN = TINY.methods
TUNING_POINTS = (3, 5)
FILES = ["run.json", "weights/run.safetensors"]


def run_of(method=VAE, seed=1, tuning=False, **changes) -> Run:
    run = final_run(TINY, method, seed, {})
    run = dataclasses.replace(run, hyperparameters={**run.hyperparameters, **changes})
    return dataclasses.replace(run, points=TUNING_POINTS, budgets=()) if tuning else run


def without_times(result: dict) -> dict:
    rows = [{name: value for name, value in row.items() if name != "seconds"} for row in result["curve"]]
    return {**result, "curve": rows, "provenance": None}


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def stop(iteration: int) -> None:
    raise KeyboardInterrupt


# -- a value -------------------------------------------------------------------------------------------------------


def test_a_run_is_written_and_read_back():
    run = run_of(LANGEVIN, preconditioner="batch")
    text = json.dumps(run.to_json())
    assert Run.from_json(json.loads(text)) == run == pickle.loads(pickle.dumps(run))
    assert Run.from_json(json.loads(text)) != dataclasses.replace(run, seed=2)
    for wrong in ({}, {**run.to_json(), "setting": {}}, {**run.to_json(), "extra": 1}, {**run.to_json(), "points": 3}):
        with pytest.raises(ValueError, match=r"got no run .*expected"):
            Run.from_json(wrong)


def test_runs_share_decoder_batches_and_noise():
    vae, lpc = (run_of(method, seed=3).build() for method in TINY.methods)
    for one, other in zip(vae.model.parameters(), lpc.model.parameters(), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(vae.generator.get_state(), lpc.generator.get_state())


def test_a_learned_prior_is_trained_and_saved_and_leaves_the_decoder_its_weights(tmp_path: Path):
    values = {"learning_rate": 1e-3, "prior_components": 3}
    run = Run(TINY.setting, "vae", values, 1, points=(2,))
    state, plain = run.build(), dataclasses.replace(run, hyperparameters={"learning_rate": 1e-3}).build()
    first = {name: value.clone() for name, value in state.model.prior.named_parameters()}
    assert first["means"].shape == (3, TINY.setting.latent_dim)
    for one, other in zip(state.model.decoder.parameters(), plain.model.decoder.parameters(), strict=True):
        assert torch.equal(one, other)
    finish(run, tmp_path / "run.json")
    kept, _ = load_tensors(weights_file(tmp_path / "run.json"))
    assert all(not torch.equal(kept[f"model.prior.{name}"], value) for name, value in first.items())


def test_hyperparameters_reach_the_algorithm():
    values = {"num_steps": 3, "step_size": 0.1, "preconditioner": "batch", "decay": 0.9, "warm_start": "prior"}
    algorithm = run_of(LANGEVIN, **values).make_algorithm()
    assert isinstance(algorithm, LPC) and (algorithm.num_steps, algorithm.warm_start) == (3, "prior")
    assert (algorithm.preconditioner.decay, algorithm.preconditioner.share) == (0.9, "batch")
    algorithm = run_of(LANGEVIN, step_schedule="variance").make_algorithm()
    step_size = run_of(LANGEVIN).hyperparameters["step_size"]
    assert algorithm.step_size == VarianceScaledStep(step_size, TINY.setting.initial_scale)
    iwae = Run(TINY.setting, "iwae", {"num_samples": 8}, 0)
    assert iwae.make_algorithm() == IWAE(8)
    for wrong in ({"nonsense": 1}, {"step_schedule": "up"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            run_of(LANGEVIN, **wrong).make_algorithm()


def test_unknown_names_list_the_choices(no_shape_checks):
    with pytest.raises(ValueError, match=r"algorithm='gan', expected one of \('vae'"):
        Run(TINY.setting, "gan", {}, 0).make_algorithm()
    for name in ("network", "likelihood"):
        with pytest.raises(ValueError, match=rf"{name}='none', expected one of"):
            Run(dataclasses.replace(TINY.setting, **{name: "none"}), "vae", {}, 0).build()


def test_learning_rates_move_the_weights_as_adam_does():
    """Adam's first step moves each weight by the rate times g / (|g| + 1e-8): by the rate where g is not tiny."""

    def first_step(part: str, **changes: float | str) -> float:
        state = run_of(VAE, **changes).build()
        module = getattr(state, part)
        before = [value.clone() for value in module.parameters()]
        train_until(state, 1, progress=False)
        moved = [(new - old).abs().max() for old, new in zip(before, module.parameters(), strict=True)]
        return max(moved).item()

    assert first_step("model", learning_rate=0.02, encoder_learning_rate=0.01) == pytest.approx(0.02, rel=1e-3)
    assert first_step("encoder", learning_rate=0.02, encoder_learning_rate=0.01) == pytest.approx(0.01, rel=1e-3)
    assert first_step("encoder", learning_rate=0.02) == pytest.approx(0.02, rel=1e-3)
    assert first_step("model", learning_rate=0.02, learning_rate_schedule="cosine") == pytest.approx(0.02, rel=1e-3)


def test_schedules_fall_to_the_last_point():
    rate = run_of(learning_rate=0.2, learning_rate_schedule="cosine")._rate("learning_rate")
    last = points_of(TINY, VAE, {})[-1]
    assert [rate(0), rate(last // 2), rate(last)] == pytest.approx([0.2, 0.1, 0.0])
    assert rate == run_of(learning_rate=0.2, learning_rate_schedule="cosine")._rate("learning_rate")
    for wrong in ({"learning_rate": -1.0}, {"learning_rate": "1e-3"}, {"learning_rate_schedule": "up"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            run_of(**wrong).build()
    with pytest.raises(ValueError, match="without points"):
        dataclasses.replace(run_of(learning_rate_schedule="linear"), points=(), budgets=()).build()


# -- its result ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [VAE, LANGEVIN], ids=lambda method: method.key)
def test_a_run_interrupted_after_every_point_ends_the_same(tmp_path: Path, method):
    run = run_of(method)
    whole = finish(run, tmp_path / "whole" / "run.json")
    assert [row["iteration"] for row in whole["curve"]] == list(run.points)
    for _ in run.points:
        with pytest.raises(KeyboardInterrupt):
            finish(run, tmp_path / "parts" / "run.json", on_point=stop)
    parts = finish(run, tmp_path / "parts" / "run.json")
    assert without_times(parts) == without_times(whole)
    assert files_in(tmp_path / "parts") == files_in(tmp_path / "whole") == FILES
    assert json.loads((tmp_path / "parts" / "run.json").read_text()) == parts


def test_a_segment_that_was_not_measured_is_trained_again(tmp_path: Path, monkeypatch):
    whole = finish(run_of(), tmp_path / "whole.json")
    calls = []
    measure = Run.measure

    def sometimes(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt  # after training up to the second point, before it is measured
        return measure(*arguments, **options)

    monkeypatch.setattr(Run, "measure", sometimes)
    with pytest.raises(KeyboardInterrupt):
        finish(run_of(), tmp_path / "parts.json")
    tensors, texts = load_tensors(working_file(tmp_path / "parts.json"))
    assert int(tensors["iteration"]) == run_of().points[0] and len(json.loads(texts["rows"])) == 1
    assert without_times(finish(run_of(), tmp_path / "parts.json")) == without_times(whole)


def test_a_finished_run_keeps_the_weights_of_its_end(tmp_path: Path):
    run = run_of(VAE)
    result = finish(run, tmp_path / "run.json")
    tensors, _ = load_tensors(weights_file(tmp_path / "run.json"))
    state = run.build()
    for name, module in (("model", state.model), ("encoder", state.encoder)):
        own = {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}
        module.load_state_dict(own)
    assert rounded(run.measure(state, "validation")).items() <= result["curve"][-1].items()


def test_measuring_along_the_way_changes_nothing(tmp_path: Path):
    result = finish(run_of(LANGEVIN), tmp_path / "run.json")
    state = run_of(LANGEVIN).build()
    train_until(state, run_of(LANGEVIN).points[-1], progress=False)
    found = run_of(LANGEVIN).measure(state, "validation")
    assert {name: result["curve"][-1][name] for name in found} == pytest.approx(found, rel=1e-6)


def test_a_finished_run_is_left_as_it_is(tmp_path: Path, monkeypatch):
    first = finish(run_of(tuning=True), tmp_path / "run.json")
    monkeypatch.setattr(single, "train_until", None)
    assert finish(run_of(tuning=True), tmp_path / "run.json") == first
    assert first["test"] == {} and [row["iteration"] for row in first["curve"]] == list(TUNING_POINTS)


def test_tuning_reads_no_test_image(tmp_path: Path, monkeypatch):
    from pcltut.experiments.sources import load

    load.cache_clear()
    original, splits = data.load, []
    monkeypatch.setattr(data, "load", lambda name, split, root: splits.append(split) or original(name, split, root))
    finish(run_of(tuning=True), tmp_path / "tuning.json")
    assert set(splits) == {"train", "validation"}
    finish(run_of(), tmp_path / "final.json")
    assert "test" in splits
    load.cache_clear()


def test_final_runs_are_tested_at_the_budgets_and_at_their_best(tmp_path: Path):
    result = finish(run_of(), tmp_path / "vae.json")
    assert result["test"].keys() == {"4", "8", "best"}
    best = best_row(result["curve"])
    assert result["test"]["best"]["iteration"] == result["curve"][best]["iteration"]
    for values in result["test"].values():
        assert {"log_evidence", "frechet", "density", "coverage", "encoder_scale", "sigma"} <= values.keys()
    evaluations = [row["decoder_evaluations"] for row in finish(run_of(LANGEVIN), tmp_path / "lpc.json")["curve"]]
    assert evaluations == [2 * point for point in points_of(TINY, LANGEVIN, {})]


def test_the_best_point_is_tested_with_its_own_weights(tmp_path: Path, monkeypatch):
    """The best of three points is made to be the second; its sigma on test must be that of its validation row."""
    run, calls = dataclasses.replace(run_of(), points=(4, 9, 14), budgets=(4,)), []
    measure = Run.measure

    def second_is_best(self, state, split, **options):
        calls.append(split)
        found = measure(self, state, split, **options)
        return found | {"log_evidence": -1.0 if calls.count("validation") == 2 else -2.0}

    monkeypatch.setattr(Run, "measure", second_is_best)
    result = finish(run, tmp_path / "run.json")
    sigmas = [row["sigma"] for row in result["curve"]]
    assert result["test"]["best"]["iteration"] == 9
    assert result["test"]["best"]["sigma"] == sigmas[1] != sigmas[2]


def test_the_best_point_is_the_first_highest():
    assert best_row([{"log_evidence": 1.0}, {"log_evidence": 3.0}, {"log_evidence": None}, {"log_evidence": 3.0}]) == 1
    assert best_row([{"sigma": 1.0}]) is None


def test_chains_that_diverge_end_their_run_and_are_reported(tmp_path: Path):
    result = finish(run_of(LANGEVIN, step_size=1e4, num_steps=20), tmp_path / "run.json")
    assert "left the finite numbers" in result["failed"] and result["curve"] == [] and result["test"] == {}
    assert files_in(tmp_path) == ["run.json"]


# -- files in the way ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["", "{", "[]", '{"run": {}}'])
def test_a_damaged_result_file_is_named_and_kept(tmp_path: Path, content):
    path = tmp_path / "run.json"
    path.write_text(content)
    with pytest.raises(ResultError, match=r"damaged file .*delete it") as caught:
        finish(run_of(), path)
    assert "\n" not in str(caught.value) and path.read_text() == content


def test_a_result_with_a_byte_order_mark_is_read(tmp_path: Path):
    first = finish(run_of(tuning=True), tmp_path / "run.json")
    (tmp_path / "run.json").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "run.json").read_bytes())
    assert finish(run_of(tuning=True), tmp_path / "run.json") == first


def test_a_result_with_other_settings_is_named_and_kept(tmp_path: Path):
    finish(run_of(tuning=True), tmp_path / "run.json")
    before = (tmp_path / "run.json").read_bytes()
    with pytest.raises(ResultError, match=r"learning_rate 0\.003, now 0\.5"):
        finish(run_of(tuning=True, learning_rate=0.5), tmp_path / "run.json")
    assert (tmp_path / "run.json").read_bytes() == before


def test_a_result_from_before_a_setting_had_an_entry_has_its_default(tmp_path: Path):
    path = tmp_path / "run.json"
    finish(run_of(tuning=True), path)
    result = json.loads(path.read_text())
    assert result["run"]["setting"].pop("network") == "mlp"
    path.write_text(json.dumps(result))
    assert read_run(path, run_of(tuning=True)) == result
    conv = dataclasses.replace(run_of(tuning=True), setting=dataclasses.replace(TINY.setting, network="conv"))
    with pytest.raises(ResultError, match="network 'mlp', now 'conv'"):
        read_run(path, conv)
    result["run"]["setting"] |= {"network": "mlp", "gone": 1}
    path.write_text(json.dumps(result))
    with pytest.raises(ResultError, match="gone 1, now None"):
        read_run(path, run_of(tuning=True))


def test_a_beginning_with_other_settings_is_thrown_away(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        finish(run_of(tuning=True, learning_rate=0.5), tmp_path / "run.json", on_point=stop)
    expected = finish(run_of(tuning=True), tmp_path / "other.json")
    assert without_times(finish(run_of(tuning=True), tmp_path / "run.json")) == without_times(expected)


def test_a_beginning_on_another_device_is_thrown_away(tmp_path: Path):
    """Generators of CPU and GPU have other states, and give other numbers."""
    with pytest.raises(KeyboardInterrupt):
        finish(run_of(tuning=True), tmp_path / "run.json", on_point=stop)
    work = working_file(tmp_path / "run.json")
    tensors, texts = load_tensors(work)
    save_tensors(work, {**tensors, "generator": tensors["generator"][:16]}, {**texts, "device": '"cuda"'})
    expected = finish(run_of(tuning=True), tmp_path / "other.json")
    assert without_times(finish(run_of(tuning=True), tmp_path / "run.json")) == without_times(expected)


def test_a_damaged_beginning_is_named_in_one_line(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        finish(run_of(tuning=True), tmp_path / "run.json", on_point=stop)
    work = working_file(tmp_path / "run.json")
    work.write_bytes(work.read_bytes()[:-40])
    with pytest.raises(ValueError, match="delete it") as caught:
        finish(run_of(tuning=True), tmp_path / "run.json")
    assert str(work) in str(caught.value) and "\n" not in str(caught.value)

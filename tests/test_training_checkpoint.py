"""Checkpoints: no pickle, written in one step, refused when damaged or another run's; resumed runs keep every bit."""

import contextlib
import os
import pickle
from pathlib import Path

import pytest
import torch
from oracles import normal, seeded
from safetensors import safe_open
from safetensors.torch import load_file

from pcltut.models import Gaussian, GenerativeModel, LinearGaussian, mlp_decoder, mlp_encoder
from pcltut.samplers import ConstantPreconditioner, RMSPreconditioner
from pcltut.training import LPC, VAE, TrainingState, fit, load_checkpoint, load_weights, save_checkpoint

EVENT = (1, 3, 3)
X = (torch.randint(0, 256, (50, *EVENT), generator=seeded(1)) * 2 / 255 - 1).float()
TENSORS = {"weight": normal(3, 4, seed=2), "count": torch.tensor(7), "bytes": torch.arange(9, dtype=torch.uint8)}


def networks(latent_dim: int = 3):
    decoder = mlp_decoder(latent_dim, EVENT, hidden=(10,), generator=seeded(2))
    encoder = mlp_encoder(EVENT, latent_dim, hidden=(10,), generator=seeded(3))
    return GenerativeModel(decoder, Gaussian(0.4), latent_dim), encoder


def train(algorithm, path: Path | None, num_epochs: int = 3, *, data=X, seed: int = 4, **settings):
    """50 images in batches of 16: four iterations an epoch, a checkpoint every three."""
    model, encoder = networks()
    encoder = encoder if algorithm.uses_encoder else None
    settings = {"batch_size": 16, "learning_rate": 0.01, "checkpoint_every": 3} | settings
    history = fit(
        algorithm,
        model,
        data,
        generator=seeded(seed),
        encoder=encoder,
        num_epochs=num_epochs,
        checkpoint=path,
        **settings,
    )
    return model, encoder, history


def assert_same_run(first, second) -> None:
    """Weights and history agree in every bit; entries that were not measured are absent from both."""
    for a, b in zip(first[:2], second[:2], strict=True):
        assert (a is None) == (b is None)
        for name, value in () if a is None else a.state_dict().items():
            assert torch.equal(value, b.state_dict()[name]), name
    assert len(first[2]) == len(second[2])
    for name, values in first[2].columns().items():
        torch.testing.assert_close(values, second[2].columns()[name], rtol=0, atol=0, equal_nan=True, msg=name)


class Interrupted(Exception):
    pass


def stop_at(iteration: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs stop with an error before the update of one iteration."""
    step = TrainingState.step

    def interrupted(state):
        if state.iteration == iteration:
            raise Interrupted
        return step(state)

    monkeypatch.setattr(TrainingState, "step", interrupted)


@pytest.mark.parametrize(
    "algorithm",
    [LPC(3, 0.02), LPC(3, 0.02, warm_start="prior", preconditioner=RMSPreconditioner(0.9)), VAE()],
    ids=["reverse", "prior", "vae"],
)
@pytest.mark.parametrize("iteration", [2, 3, 5, 8, 11])
def test_a_resumed_run_ends_with_the_same_bits(algorithm, iteration, tmp_path):
    whole = train(algorithm, None)
    path = tmp_path / "run.safetensors"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Interrupted):
        stop_at(iteration, patch)
        train(algorithm, path)
    assert path.exists() == (iteration >= 3)
    assert_same_run(train(algorithm, path, seed=99 if path.exists() else 4), whole)  # the file holds the seed


def test_a_checkpoint_does_not_change_the_run(tmp_path):
    assert_same_run(train(LPC(3, 0.02), tmp_path / "run.safetensors"), train(LPC(3, 0.02), None))


def test_a_finished_run_is_loaded_and_can_be_prolonged(tmp_path):
    path = tmp_path / "folder" / "run.safetensors"  # the folder is made
    first = train(LPC(3, 0.02), path)
    content = path.read_bytes()
    assert_same_run(train(LPC(3, 0.02), path), first)
    assert load_checkpoint(path)[0].keys() == load_file(path).keys() and len(content) == path.stat().st_size
    assert_same_run(train(LPC(3, 0.02), path, num_epochs=5), train(LPC(3, 0.02), None, num_epochs=5))


def test_weights_load_into_new_networks(tmp_path):
    path = tmp_path / "run.safetensors"
    trained, trained_encoder, _ = train(LPC(3, 0.02), path)
    model, encoder = networks()
    load_weights(path, model, encoder)
    for ours, theirs in ((model, trained), (encoder, trained_encoder)):
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert torch.equal(a, b)
    with pytest.raises(ValueError, match=r"(?s)got.*run\.safetensors.*;"):
        load_weights(path, *networks(latent_dim=4))


def test_file_holds_tensors_and_text_and_no_pickle(tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    train(LPC(3, 0.02), path)

    def refuse(*arguments, **keywords):
        raise AssertionError("a pickle was read")

    for module, name in ((pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (torch, "load")):
        monkeypatch.setattr(module, name, refuse)
    tensors = load_file(path)
    assert {"generator", "iteration"} <= tensors.keys()
    assert any(name.startswith("model.") for name in tensors) and any("exp_avg" in name for name in tensors)
    with safe_open(path, framework="pt") as file:
        assert all(isinstance(value, str) for value in file.metadata().values())
    train(LPC(3, 0.02), path, num_epochs=4)


def test_tensors_and_text_come_back_as_they_were(tmp_path):
    path = tmp_path / "some.safetensors"
    save_checkpoint(path, TENSORS, {"name": "x\ny", "number": "7"})
    tensors, metadata = load_checkpoint(path)
    assert metadata == {"name": "x\ny", "number": "7"} and tensors.keys() == TENSORS.keys()
    for name, value in TENSORS.items():
        assert torch.equal(tensors[name], value) and tensors[name].dtype == value.dtype


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_a_truncated_checkpoint_is_refused(kept, tmp_path):
    path = tmp_path / "run.safetensors"
    train(LPC(3, 0.02), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ValueError, match=r"(?s)got.*run\.safetensors.*;"):
        train(LPC(3, 0.02), path)


@pytest.mark.parametrize("position", [0.1, 0.5, 0.9, -1])
def test_an_altered_checkpoint_is_refused(position, tmp_path):
    path = tmp_path / "run.safetensors"
    train(LPC(3, 0.02), path)
    content = bytearray(path.read_bytes())
    content[position if position == -1 else int(position * len(content))] ^= 1
    path.write_bytes(content)
    for read in (lambda: train(LPC(3, 0.02), path), lambda: load_weights(path, *networks())):
        with pytest.raises(ValueError, match=r"(?s)got.*run\.safetensors.*;"):
            read()


def test_a_missing_checkpoint_cannot_be_loaded(tmp_path):
    with pytest.raises(ValueError, match=r"(?s)got.*absent\.safetensors.*;"):
        load_weights(tmp_path / "absent.safetensors", *networks())


@pytest.mark.parametrize(
    "resume",
    [
        lambda path: train(VAE(), path),
        lambda path: train(LPC(4, 0.02), path),
        lambda path: train(LPC(3, 0.03), path),
        lambda path: train(LPC(3, 0.02, temperature=0.0), path),
        lambda path: train(LPC(3, 0.02, preconditioner=RMSPreconditioner(0.9)), path),
        lambda path: train(LPC(3, 0.02, accumulate="last"), path),
        lambda path: train(LPC(3, 0.02), path, batch_size=25),
        lambda path: train(LPC(3, 0.02), path, data=X[:40]),
    ],
)
def test_another_run_may_not_resume(resume, tmp_path):
    path = tmp_path / "run.safetensors"
    train(LPC(3, 0.02), path)
    content = path.read_bytes()
    with pytest.raises(ValueError, match=r"(?s)got.*run\.safetensors.*expected.*;"):
        resume(path)
    assert path.read_bytes() == content


def test_a_constant_preconditioner_with_other_values_is_another_run(tmp_path):
    path = tmp_path / "run.safetensors"
    for value in (0.5, 1.0):
        algorithm = LPC(3, 0.02, preconditioner=ConstantPreconditioner(torch.tensor([value, 1.0, 2.0])))
        if path.exists():
            with pytest.raises(ValueError, match=r"(?s)got.*run\.safetensors.*expected.*;"):
                train(algorithm, path)
        else:
            train(algorithm, path)


@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_a_failure_while_writing_leaves_the_old_file(function, tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    save_checkpoint(path, TENSORS, {"name": "old"})
    content = path.read_bytes()

    def full(*arguments, **keywords):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, function, full)
        with pytest.raises(OSError, match="No space left"):
            save_checkpoint(path, {"weight": normal(3, 4, seed=5)}, {"name": "new"})
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["run.safetensors"]
    save_checkpoint(path, TENSORS, {"name": "new"})
    assert load_checkpoint(path)[1]["name"] == "new"


def test_the_file_is_new_only_once_it_is_complete(tmp_path, monkeypatch):
    """At the moment of the swap the new file is whole and the old one still stands."""
    path, swap, seen = tmp_path / "run.safetensors", os.replace, []
    save_checkpoint(path, TENSORS, {"name": "old"})

    def watched(source, target, **keywords):
        seen.append((load_checkpoint(source)[1]["name"], load_checkpoint(target)[1]["name"]))
        swap(source, target, **keywords)

    monkeypatch.setattr(os, "replace", watched)
    save_checkpoint(path, TENSORS, {"name": "new"})
    assert seen == [("new", "old")]


def test_models_without_an_encoder_in_float64_resume_too(tmp_path):
    path, x = tmp_path / "run.safetensors", normal(50, 4, seed=6)
    algorithm, runs = LPC.predictive_coding(3, 0.05), []
    for checkpoint, stop in ((None, None), (path, 6), (path, None)):
        model = LinearGaussian(normal(4, 2, seed=7), scale=0.6, learn_scale=True)
        settings = {"num_epochs": 2, "batch_size": 16, "checkpoint": checkpoint, "checkpoint_every": 5}
        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Interrupted):
            if stop is not None:
                stop_at(stop, patch)
            runs.append((model, None, fit(algorithm, model, x, generator=seeded(8), **settings)))
        assert stop is None or load_checkpoint(path)[0]["iteration"] == 5
    assert_same_run(*runs)

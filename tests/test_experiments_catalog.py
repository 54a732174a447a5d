"""Every declared experiment can be built and trained; the color sets run end to end on files of their formats."""

import dataclasses
import json
from pathlib import Path

import image_sets
import numpy as np
import pytest
import torch
from torch import nn

from pcltut.data.sources import SOURCES
from pcltut.experiments import EXPERIMENTS, Effort, Job, Plan, find_experiment, measurement, run_experiment
from pcltut.experiments.bounds import lower_bounds
from pcltut.experiments.builder import build
from pcltut.experiments.runner import hyperparameters
from pcltut.experiments.tables import report_text
from pcltut.training import fit

NUM_IMAGES = 4
ALL = [(experiment.name, method.key) for experiment in EXPERIMENTS.values() for method in experiment.methods]


@pytest.fixture(autouse=True)
def nothing_kept():
    """Images kept from one test do not reach another."""
    kept = measurement.load, measurement.feature_network
    for each in kept:
        each.cache_clear()
    yield
    for each in kept:
        each.cache_clear()


def chosen_where_tuned(experiment, method):
    """The hyperparameters of a method before any search: those of the method that it was tuned as."""
    if not experiment.tuned_in:
        return hyperparameters(experiment, method, {})
    source = find_experiment(experiment.tuned_in)
    origin = source.method(method.tuned_as or method.key)
    search = {"methods": {origin.key: {"hyperparameters": hyperparameters(source, origin, {})}}}
    return hyperparameters(experiment, method, search)


@pytest.mark.parametrize(("name", "key"), ALL, ids=lambda text: text)
def test_one_training_step(name, key):
    experiment = find_experiment(name)
    method = experiment.method(key)
    setting = experiment.setting_of(method)
    job = Job(experiment, method, chosen_where_tuned(experiment, method), seed=experiment.seeds[0])
    assert json.loads(json.dumps(job.config())) == job.config()
    assert set(experiment.budgets) <= set(job.points) and job.points[-1] == method.max_iterations
    shape = SOURCES[setting.data].event_shape
    built = build(setting, method, job.hyperparameters, shape, seed=1, last_iteration=10)
    x = 2 * torch.rand(NUM_IMAGES, *shape, generator=torch.Generator().manual_seed(0)) - 1
    before = [parameter.clone() for parameter in built.model.parameters()]
    history = fit(
        built.algorithm,
        built.model,
        x,
        generator=built.generator,
        num_iterations=1,
        encoder=built.encoder,
        batch_size=NUM_IMAGES,
        learning_rate=built.learning_rate,
        encoder_learning_rate=built.encoder_learning_rate,
    )
    assert torch.isfinite(history.loss).all()
    pairs = zip(before, built.model.parameters(), strict=True)
    assert all(not torch.equal(old, new) and bool(torch.isfinite(new).all()) for old, new in pairs)


def test_names():
    assert {"headline", "headline-gpu", "warm-starts", "step-size", "num-steps", "tightness", "capacity"} < set(
        EXPERIMENTS
    )
    for name, experiment in EXPERIMENTS.items():
        assert experiment.name == name and experiment.question
        assert len({method.name for method in experiment.methods}) == len(experiment.methods)
    with pytest.raises(ValueError, match="expected one of headline, headline-gpu"):
        find_experiment("headlines")
    with pytest.raises(ValueError, match="expected one of vae, iwae"):
        find_experiment("headline").method("gan")


def test_the_gpu_grid_is_full():
    keys = set(EXPERIMENTS["headline-gpu"].keys)
    starts = ("prior", "forward", "reverse", "jeffreys", "persistent")
    assert {f"lpc-{start}-{kernel}" for start in starts for kernel in ("none", "datum", "shared", "mala")} < keys


def test_declarations_are_checked():
    experiment = find_experiment("headline")
    with pytest.raises(ValueError, match="different keys"):
        dataclasses.replace(experiment, methods=experiment.methods[:1] * 2)
    with pytest.raises(ValueError, match="tuning_seed"):
        dataclasses.replace(experiment, tuning_seed=experiment.seeds[0])


class MeanColors(nn.Module):
    """Features of color images that need no weights: means of channels over four quarters."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.adaptive_avg_pool2d(x, 2).flatten(1)


@pytest.mark.parametrize("name", ["cifar10", "svhn", "celeba64"])
def test_color_sets_run_end_to_end(name, tmp_path: Path, monkeypatch):
    image_sets.use_small_sets(monkeypatch, tmp_path)
    image_sets.MAKERS[name](tmp_path / "data", np.random.default_rng(0), monkeypatch)
    monkeypatch.setattr(measurement, "feature_network", lambda name, device: MeanColors())
    monkeypatch.setattr(measurement, "PARTS", 2)
    monkeypatch.setattr("pcltut.experiments.runner.feature_network", lambda name, device: MeanColors())
    declared = find_experiment(f"colour-{name}")
    small = dataclasses.replace(
        declared,
        setting=dataclasses.replace(
            declared.setting, validation=Effort(2, 2, 1, 1, 0), test=Effort(2, 2, 1, 1, 6), batch_size=8
        ),
        methods=tuple(
            dataclasses.replace(method, max_iterations=2, guess={**method.guess, "num_steps": 1})
            if method.algorithm == "lpc"
            else dataclasses.replace(method, max_iterations=2)
            for method in declared.methods
        ),
        seeds=(1, 2),
        budgets=(1, 2),
        curve=(1, 2),
    )
    results = run_experiment(Plan(small, tmp_path / "runs", only=("vae", "lpc-jeffreys-batch")))
    assert len(results["runs"]) == 4
    for run in results["runs"]:
        assert run["failed"] is None
        assert {"log_evidence", "bits_per_dimension", "frechet", "coverage"} <= run["test"]["2"].keys()
        assert run["test"]["2"]["bits_per_dimension"] > 0
    assert "bits/dim" in report_text(results) and "no batch normalization" in report_text(results)
    without = dataclasses.replace(small, setting=dataclasses.replace(small.setting, features="none"))
    results = run_experiment(Plan(without, tmp_path / "without", only=("vae",)))
    assert "frechet" not in results["runs"][0]["test"]["2"]


def test_bounds_of_one_model_are_ordered():
    """On a model that was not trained, up to half a nat, about what 200 bridges leave open."""
    experiment = find_experiment("tightness")
    setting = dataclasses.replace(experiment.setting, hidden=(8,), latent_dim=2)
    method = experiment.method("vae")
    built = build(setting, method, {"learning_rate": 1e-3}, (1, 28, 28), seed=1, last_iteration=1)
    x = built.model.sample(20, generator=torch.Generator().manual_seed(1))
    effort = Effort(20, 200, 4, 2, 0)
    found = lower_bounds(built.model, built.encoder, x, effort, torch.Generator().manual_seed(0))
    assert all(np.isfinite(list(found.values())))
    top = found["AIS from the prior"]
    assert found["ELBO"] < found["IWAE 8"] < found["IWAE 512"] < top + 0.5
    assert found["simulated: lower"] < found["simulated: upper"] + 0.5
    assert found["ELBO"] < found["AIS from the encoder"] < top + 0.5
    assert found["simulated: gap"] == pytest.approx(found["simulated: upper"] - found["simulated: lower"], abs=1e-4)
    without = lower_bounds(built.model, None, x, effort, torch.Generator().manual_seed(0))
    assert "ELBO" not in without and without["AIS from the prior"] == pytest.approx(top, abs=0.5)

"""Every declared experiment can be built and trained; the color sets run end to end on files of their formats."""

import dataclasses
import json
from pathlib import Path

import image_sets
import numpy as np
import pytest
import torch
from torch import nn

from pcltut.data import Images
from pcltut.data.sources import SOURCES
from pcltut.experiments import (
    EXPERIMENTS,
    EvaluationBudget,
    Plan,
    Run,
    find_experiment,
    report_text,
    run_experiment,
    samples,
    sources,
)
from pcltut.experiments.budgets import num_batches
from pcltut.experiments.plan import final_run
from pcltut.training import train_until

NUM_IMAGES = 4
ALL = [(experiment.name, method.key) for experiment in EXPERIMENTS.values() for method in experiment.methods]


@pytest.fixture(autouse=True)
def nothing_kept():
    """Images kept from one test do not reach another."""
    kept = sources.load, sources.feature_network
    for each in kept:
        each.cache_clear()
    yield
    for each in kept:
        each.cache_clear()


def run_before_any_search(experiment, method) -> Run:
    """A final run whose method, or the one that it was tuned as, has the declared guess."""
    search = {}
    if experiment.tuned_in:
        source = find_experiment(experiment.tuned_in)
        origin = source.method(method.tuned_as or method.key)
        guess = final_run(source, origin, source.seeds[0], {}).hyperparameters
        search = {"methods": {origin.key: {"hyperparameters": guess}}}
    return final_run(experiment, method, experiment.seeds[0], search)


@pytest.mark.parametrize(("name", "key"), ALL, ids=lambda text: text)
def test_one_training_step(name, key):
    experiment = find_experiment(name)
    method = experiment.method(key)
    run = run_before_any_search(experiment, method)
    assert Run.from_json(json.loads(json.dumps(run.to_json()))) == run
    if experiment.updates:
        assert run.points == run.budgets == (num_batches(experiment.updates, run.hyperparameters),)
    elif experiment.seconds:
        assert len(run.points) == 1 and run.points == run.budgets
    else:
        assert set(experiment.budgets) <= set(run.points) and run.points[-1] == method.max_iterations
    shape = (NUM_IMAGES, *SOURCES[experiment.setting.data].event_shape)
    pixels = torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    state = run.build(images=Images(pixels, torch.zeros(NUM_IMAGES, dtype=torch.long), "random", "train"))
    before = [parameter.clone() for parameter in state.model.parameters()]
    assert torch.isfinite(train_until(state, 1, progress=False).loss).all()
    pairs = zip(before, state.model.parameters(), strict=True)
    assert all(not torch.equal(old, new) and bool(torch.isfinite(new).all()) for old, new in pairs)


def test_names():
    names = {"headline", "headline-gpu", "warm-starts", "step-size", "num-steps", "temperature", "color-cifar10"}
    assert names < set(EXPERIMENTS)
    for name, experiment in EXPERIMENTS.items():
        assert experiment.name == name and experiment.question and set(experiment.claimants) <= set(experiment.keys)
        assert len({method.name for method in experiment.methods}) == len(experiment.methods)
    with pytest.raises(ValueError, match="expected one of headline, headline-320"):
        find_experiment("headlines")
    with pytest.raises(ValueError, match="expected one of vae, lpc-incremental"):
        find_experiment("headline").method("gan")


@pytest.mark.parametrize("name", ["warm-starts", "step-size", "num-steps", "temperature"])
def test_a_sweep_changes_tuned_rows_in_what_it_names_alone(name, tmp_path: Path):
    experiment, headline = find_experiment(name), find_experiment("headline")
    tuned = Plan(headline, tmp_path).final()
    changed = set()
    for (key, seed), run in Plan(experiment, tmp_path).final().items():
        origin = tuned[experiment.method(key).tuned_as, seed]
        assert (run.algorithm, run.points) == (origin.algorithm, origin.points)
        before, now = origin.hyperparameters, run.hyperparameters
        changed |= {field for field in before | now if before.get(field) != now.get(field)}
    starts = {"warm_start", "num_steps", "accumulate"}
    assert changed == (starts if name == "warm-starts" else {name.replace("-", "_")})


def test_declarations_are_checked():
    headline = find_experiment("headline")
    with pytest.raises(ValueError, match="different keys"):
        dataclasses.replace(headline, methods=headline.methods[:1] * 2)
    for changes in ({"tuning_seed": 1}, {"refinement_seed": 0}):
        with pytest.raises(ValueError, match="tuning_seed"):
            dataclasses.replace(headline, **changes)
    for changes in ({"updates": 0}, {"methods": (dataclasses.replace(headline.methods[0], search={}),)}):
        with pytest.raises(ValueError, match="expected updates or seconds and a search space"):
            dataclasses.replace(headline, **changes)
    with pytest.raises(ValueError, match="whole chains"):
        num_batches(1601, {"incremental": True, "num_steps": 10})
    with pytest.raises(ValueError, match="no budgets"):
        dataclasses.replace(headline, budgets=())


class MeanColors(nn.Module):
    """Features of color images that need no weights: means of channels over four quarters."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.adaptive_avg_pool2d(x, 2).flatten(1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cifar10", "svhn", "celeba64"])
def test_color_sets_run_end_to_end(name, tmp_path: Path, monkeypatch):
    image_sets.use_small_sets(monkeypatch, tmp_path)
    image_sets.MAKERS[name](tmp_path / "data", np.random.default_rng(0), monkeypatch)
    for module in ("samples", "sources", "plan"):
        monkeypatch.setattr(f"pcltut.experiments.{module}.feature_network", lambda name, device: MeanColors())
    monkeypatch.setattr(samples, "PARTS", 2)
    declared = find_experiment(f"color-{name}")
    small = dataclasses.replace(
        declared,
        setting=dataclasses.replace(
            declared.setting,
            validation=EvaluationBudget(2, 2, 1, 1, 0),
            test=EvaluationBudget(2, 2, 1, 1, 6),
            batch_size=8,
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

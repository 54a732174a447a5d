"""What else is measured where a budget says so: samples of fitted densities, of scaled priors, on a second network."""

import dataclasses
import math

import pytest
import torch
from oracles import normal, seeded
from tiny_experiment import TINY

from pcltut import data
from pcltut.evaluation import huddled_images, load_feature_net
from pcltut.experiments import METRICS, EvaluationBudget, Run, Setting, measurement
from pcltut.experiments.measurement import EACH
from pcltut.experiments.results import rounded
from pcltut.experiments.samples import CURVES, class_shares, judge_of, nearness, over_scales, references
from pcltut.experiments.tables import best_scale
from pcltut.models import Gaussian, GenerativeModel

PARTS = {"vae": {}, "lpc": {"warm_start": "prior", "num_steps": 2, "step_size": 1e-3}}
THOROUGH = dataclasses.replace(
    TINY.setting,
    test=EvaluationBudget(
        4, 4, 1, 1, 264, num_latents=150, num_checked=3, scales=(0.5, 1.0), second_features="random-net"
    ),
)


@pytest.mark.parametrize("algorithm", PARTS)
def test_latents_add_samples_of_the_fitted_density_and_change_no_other_metric(algorithm):
    setting = TINY.setting
    assert setting.validation.num_latents == Setting().validation.num_latents == 0
    with_latents = dataclasses.replace(setting, validation=dataclasses.replace(setting.validation, num_latents=150))
    plain, fitted = (
        run.measure(run.build(), "validation")
        for run in (Run(each, algorithm, PARTS[algorithm], 0) for each in (setting, with_latents))
    )
    assert set(fitted) - set(plain) == {"frechet_fitted", "coverage_fitted", "density_fitted", "components"}
    assert plain == {name: fitted[name] for name in plain}
    assert 0 <= fitted["coverage_fitted"] <= 1
    assert fitted["frechet_fitted"] > 0


@pytest.mark.parametrize("algorithm", PARTS)
def test_a_thorough_test_has_every_sampler_and_network(algorithm, monkeypatch):
    monkeypatch.setattr(measurement, "CHECK_BRIDGES", (5, 6))
    run = Run(THOROUGH, algorithm, PARTS[algorithm], 0)
    state = run.build()
    found = run.measure(state, "test")
    samplers = ["", "_fitted"] + (["_draws"] if state.encoder is not None else [])
    expected = {f"{name}{sampler}{network}" for name in CURVES for sampler in samplers for network in ("", "_second")}
    assert expected <= found.keys()
    assert {name for name, value in found.items() if isinstance(value, float)} <= {
        *METRICS,
        "log_evidence_5",
        "log_evidence_6",
    }
    assert found["log_evidence"] == pytest.approx(sum(found[EACH]) / 4)
    assert found["log_evidence_fitted"] == pytest.approx(sum(found["log_evidence_fitted_each"]) / 4)
    assert found["log_evidence_checked"] == pytest.approx(sum(found[EACH][:3]) / 3)
    assert all(math.isfinite(found[f"log_evidence_{num}"]) for num in (5, 6))
    assert sum(found["classes"]) == pytest.approx(1) == sum(found["classes_fitted"])
    curve = found["over_scales"]
    assert curve["scale"] == [0.5, 1.0] and set(curve["test"]) == set(curve["validation"]) == set(CURVES)
    assert rounded(run.measure(state, "test")) == rounded(found), "the same noise each time"


def test_curves_over_the_scale_take_the_same_draws_and_pass_through_the_prior():
    """At s = 1 the curve has what draws of N(0, I) have; the chosen s is the one that is best on validation."""
    run = Run(THOROUGH, "vae", {}, 0)
    model, images = run.build().model, data.load("fashion-mnist-mini", "test")
    judge = judge_of(THOROUGH, THOROUGH.test, images, generator=seeded(1))
    curve = over_scales(model, {"test": judge}, (0.5, 1.0), generator=seeded(2))["test"]
    alone = judge.metrics(model, model.sample_prior(264, generator=seeded(2)))
    assert {name: values[1] for name, values in curve.items()} == {name: alone[name] for name in CURVES}
    named = {name: [f"{name} {scale}" for scale in (0.5, 1.0, 2.0)] for name in CURVES}
    chosen = {"scale": [0.5, 1.0, 2.0], "validation": {"frechet": [9.0, None, 3.0]}, "test": named}
    assert best_scale(chosen) == {"scale": 2.0, **{name: f"{name} 2.0" for name in CURVES}}


class Table(torch.nn.Module):
    """A decoder of given images, by number."""

    def __init__(self, images: torch.Tensor) -> None:
        super().__init__()
        self.images = images

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.images[z[:, 0].long()]


def of_images(images: torch.Tensor) -> GenerativeModel:
    """A model whose mean images are given ones."""
    return GenerativeModel(Table(images), Gaussian(0.1), 1)


def test_samples_that_are_training_images_are_nearest_to_them_and_have_their_classes():
    train, test = (data.load("fashion-mnist-mini", split)[:400] for split in ("train", "test"))
    model, z = of_images(train.as_float()), torch.arange(400.0)[:, None]
    judge = judge_of(THOROUGH, THOROUGH.test, test, generator=seeded(0))
    assert nearness(judge, "feature-net", model, z, train) == pytest.approx(0, abs=1e-4)
    assert nearness(judge, "feature-net", of_images(test[:264].as_float()), z[:264], train) == pytest.approx(1)
    labels = load_feature_net().logits(train.as_float()).argmax(-1)
    assert class_shares(model, z) == pytest.approx([(labels == label).double().mean().item() for label in range(10)])


def test_density_alone_prefers_images_that_huddle():
    """The finding that no choice may rest on density: a mean repeated beats real images there, and nowhere else."""
    setting = dataclasses.replace(TINY.setting, test=EvaluationBudget(0, num_samples=2000))
    rows = references(setting)
    real = rows["training images"]
    assert set(rows) == {"training images", "pixel Gaussian", "mean image", "mean of class 0", "means of 20 neighbors"}
    assert rows["mean of class 0"]["density"] > 1.2 > 1.1 > real["density"] > 0.9
    for name in ("mean of class 0", "mean image"):
        assert rows[name]["coverage"] < 0.05 and rows[name]["recall"] == 0
        assert rows[name]["frechet"] > 20 * real["frechet"]


def test_huddled_images_are_means_of_neighbors():
    x, labels = normal(50, 1, 2, 2, seed=0), torch.arange(50) % 10
    found = huddled_images(x, labels, 30)
    assert all(images.shape == (30, 1, 2, 2) for images in found.values())
    assert torch.equal(found["mean of class 0"][7], x[::10].mean(0))
    nearest = sorted(range(50), key=lambda other: (x[4] - x[other]).norm().item())[:20]
    assert torch.allclose(found["means of 20 neighbors"][4], x[nearest].mean(0))
    with pytest.raises(ValueError, match="one of class 0 among them"):
        huddled_images(x, labels + 1, 30)
    with pytest.raises(ValueError, match="got 50 images"):
        huddled_images(x, labels, 51)

"""What the metrics and bounds refuse, kind by kind, in one line that says what came, what was expected and a remedy."""

import math

import numpy as np
import pytest
import torch
from oracles import normal, seeded
from torch import nn

from pcltut import data
from pcltut.evaluation import (
    ColorFeatures,
    FeatureNet,
    ais_log_evidence,
    bdmc,
    density_coverage,
    frechet_distance,
    frechet_distance_extrapolated,
    kernel_distance,
    pixel_gaussian_samples,
    precision_recall,
    reference_quality,
    sample_quality,
    train_feature_net,
    ula_path_bound,
)
from pcltut.models import (
    DiagonalGaussian,
    DiscretizedGaussian,
    Gaussian,
    GenerativeModel,
    mlp_decoder,
    mlp_encoder,
)

pytestmark = pytest.mark.usefixtures("no_shape_checks")  # as users run it

EVENT = (3, 4, 4)
ENCODER = mlp_encoder(EVENT, 2, hidden=(5,), generator=seeded(1))
LEVELS = torch.randint(256, (3, *EVENT), generator=seeded(2), dtype=torch.uint8)
X = 2 * LEVELS / 255 - 1


def model(likelihood: nn.Module | None = None) -> GenerativeModel:
    return GenerativeModel(mlp_decoder(2, EVENT, hidden=(5,), generator=seeded(0)), likelihood or Gaussian(0.3), 2)


def prior(x: torch.Tensor, latents: int = 2) -> DiagonalGaussian:
    return DiagonalGaussian(torch.zeros(len(x), latents), torch.zeros(len(x), latents))


def from_prior(model, x, **settings):
    return ais_log_evidence(model, x, **({"generator": seeded(3), "num_bridges": 2} | settings))


def from_encoder(model, x, **settings):
    return from_prior(model, x, encoder=ENCODER, **settings)


def along_a_path(model, x, q=None, **settings):
    settings = {"step_size": 1e-3, "num_steps": 2, "annealed": True, "generator": seeded(3)} | settings
    return ula_path_bound(model, x, prior(X) if q is None else q, **settings)


def simulated(model, **settings):
    return bdmc(model, **({"num_images": 2, "num_bridges": 2, "generator": seeded(3)} | settings))


def refused(call, message: str) -> None:
    """One line of the three parts."""
    with pytest.raises(ValueError, match=message) as error:
        call()
    text = str(error.value)
    assert "got" in text and "expected" in text and ";" in text and "\n" not in text


@pytest.mark.parametrize("estimate", [from_prior, from_encoder, along_a_path])
@pytest.mark.parametrize(
    "x",
    [LEVELS, X.numpy(), X.tolist(), torch.where(X < -0.9, math.nan, X), X / 0, X[0], X[:, :2], X[None], X[:0]],
    ids=["bytes", "array", "list", "NaN", "inf", "no batch axis", "another shape", "two batch axes", "no images"],
)
def test_data_of_the_wrong_kind(estimate, x):
    """Nothing is blamed on a step size, and nothing is computed."""
    assert estimate(model(), X) is not None
    refused(lambda: estimate(model(), x), "got")


@pytest.mark.parametrize("estimate", [from_prior, from_encoder, along_a_path])
def test_data_of_the_wrong_kind_for_a_discretized_likelihood(estimate):
    """Pixels k / 255 lie between the levels 2 k / 255 - 1: they would cost 7 bits a dimension, noise or not."""
    assert estimate(model(DiscretizedGaussian(0.3)), X) is not None
    refused(lambda: estimate(model(DiscretizedGaussian(0.3)), LEVELS / 255), "got pixels off the 256 levels")


def test_data_that_the_model_draws_are_taken_as_they_are():
    """Pixel noise leaves [-1, 1]: no fault of the caller's."""
    found = simulated(model(Gaussian(5.0)))
    assert found.x.abs().max() > 1 and found.lower.isfinite().all()


def test_weights_that_are_not_finite_are_said_to_be_the_models():
    broken = model()
    nn.init.constant_(next(broken.parameters()), math.nan)
    for call in (lambda: from_prior(broken, X), lambda: simulated(broken), lambda: along_a_path(broken, X)):
        refused(call, "got a model with a log-likelihood that is not finite")


def test_a_q_that_does_not_fit():
    q = prior(X)
    for wrong, message in (
        (ENCODER, r"got a q of type GaussianEncoder, expected a DiagonalGaussian; pass encoder\(x\)"),
        (prior(X[:2]), r"got q.mean of shape \(2, 2\), expected \(3, 2\)"),
        (prior(X, latents=4), r"got q.mean of shape \(3, 4\), expected \(3, 2\)"),
        (q._replace(log_scale=q.mean[:, :1]), r"got q.log_scale of shape \(3, 1\), expected \(3, 2\)"),
        (q._replace(mean=q.mean / 0), "got q.mean with values that are not finite"),
        (q._replace(log_scale=q.mean.double()), "got q.log_scale of torch.float64 on cpu, expected torch.float32"),
        (q._replace(mean=q.mean.to("meta")), "got q.mean of torch.float32 on meta, expected torch.float32 on cpu"),
    ):
        refused(lambda wrong=wrong: along_a_path(model(), X, wrong), message)
        if isinstance(wrong, DiagonalGaussian):
            refused(lambda wrong=wrong: from_prior(model(), X, encoder=lambda x: wrong), message)


@pytest.mark.parametrize("estimate", [from_prior, from_encoder, along_a_path])
def test_types_and_devices_that_do_not_match(estimate):
    refused(lambda: estimate(model(), X.double()), "float64.*expected.*float32")
    refused(lambda: estimate(model().double(), X), "float32.*expected.*float64")


def test_a_generator_on_another_device():
    """A model on the meta device stands for one on a GPU."""
    away = model().to("meta")
    refused(lambda: simulated(away), r"got a generator on cpu, expected one on meta.*torch.Generator\('meta'\)")


@pytest.mark.parametrize("value", [0, -3, 2.0, "2", True, None], ids=repr)
@pytest.mark.parametrize(
    ("call", "name"),
    [
        (from_prior, "num_bridges"),
        (from_prior, "num_chains"),
        (from_prior, "num_leapfrog"),
        (simulated, "num_images"),
        (simulated, "num_bridges"),
        (simulated, "num_chains"),
        (simulated, "num_leapfrog"),
        (along_a_path, "num_steps"),
        (along_a_path, "num_samples"),
        (pixel_gaussian_samples, "num_samples"),
        (density_coverage, "num_neighbors"),
        (precision_recall, "num_neighbors"),
        (frechet_distance_extrapolated, "max_parts"),
        (reference_quality, "num_samples"),
        (train_feature_net, "num_epochs"),
        (train_feature_net, "batch_size"),
    ],
)
def test_counts_that_cannot_be_handled(call, name, value):
    features = normal(30, 2, seed=4)
    arguments = {
        from_prior: lambda **more: from_prior(model(), X, **more),
        simulated: lambda **more: simulated(model(), **more),
        along_a_path: lambda **more: along_a_path(model(), X, **more),
        pixel_gaussian_samples: lambda **more: pixel_gaussian_samples(X, **more, generator=seeded(0)),
        density_coverage: lambda **more: density_coverage(features, features, **more),
        precision_recall: lambda **more: precision_recall(features, features, **more),
        frechet_distance_extrapolated: lambda **more: frechet_distance_extrapolated(
            features, features, generator=seeded(0), **more
        ),
        reference_quality: lambda **more: reference_quality(nn.Flatten(), X, X, **more, generator=seeded(0)),
        train_feature_net: lambda **more: train_feature_net(
            *[data.load("fashion-mnist-mini", "validation")[:4]] * 2, generator=seeded(0), **more
        ),
    }
    refused(lambda: arguments[call](**{name: value}), f"got {name}=.*expected")


def test_counts_of_numpy_and_of_torch_are_counts():
    plain = from_prior(model(), X, num_bridges=3, num_chains=2).log_weights
    for kind in (np.int64, torch.tensor):
        found = from_prior(model(), X, num_bridges=kind(3), num_chains=kind(2)).log_weights
        assert torch.equal(found, plain)


@pytest.mark.parametrize(
    "metric",
    [
        frechet_distance,
        kernel_distance,
        density_coverage,
        precision_recall,
        lambda real, fake: frechet_distance_extrapolated(real, fake, generator=seeded(0)),
        lambda real, fake: sample_quality(real, fake, generator=seeded(0)),
    ],
    ids=["frechet", "kernel", "density", "precision", "extrapolated", "quality"],
)
def test_features_that_are_not_finite(metric):
    features = normal(40, 2, seed=5)
    assert metric(features, features + 0.1) is not None
    for value in (math.nan, math.inf, -math.inf):
        broken = features.clone()
        broken[7, 1] = value
        refused(lambda broken=broken: metric(features, broken), "fake: got features that are not finite")
        refused(lambda broken=broken: metric(broken, features), "real: got features that are not finite")
    refused(lambda: metric(features.numpy(), features), "real: got features of type ndarray, expected a tensor")
    refused(lambda: metric(features, features[:, :0]), r"fake: got features of shape \(40, 0\)")


class Sum(nn.Module):
    """Stands for a pretrained network of color images."""

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor]:
        return (pixels.double().flatten(1).sum(1, keepdim=True),)


def test_images_of_the_wrong_kind_have_no_features():
    gray = torch.zeros(2, 1, 28, 28)
    network, color = FeatureNet(generator=seeded(0)), ColorFeatures(Sum())
    for call, message in (
        (lambda: network(gray.byte()), r"got images of torch.uint8, expected a float tensor"),
        (lambda: network(gray.numpy()), r"got images of ndarray, expected a float tensor"),
        (lambda: network(gray[0]), r"got images of shape \(1, 28, 28\), expected \[n, 1, 28, 28\]"),
        (lambda: network(X), r"got images of shape \(3, 3, 4, 4\), expected \[n, 1, 28, 28\]"),
        (lambda: color(LEVELS), r"got images of torch.uint8, expected a float tensor"),
        (lambda: color(gray), r"got images of shape \(2, 1, 28, 28\), expected \[n, 3, any, any\]"),
        (lambda: color(X[0]), r"got images of shape \(3, 4, 4\), expected \[n, 3, any, any\]"),
        (lambda: pixel_gaussian_samples(LEVELS, 2, generator=seeded(0)), r"got images of torch.uint8"),
        (lambda: pixel_gaussian_samples(X[:1], 2, generator=seeded(0)), r"got 1 images.*expected 2 or more"),
        (lambda: pixel_gaussian_samples(X / 0, 2, generator=seeded(0)), r"got 3 images, 0 of them finite"),
    ):
        refused(call, message)


def test_images_that_are_not_finite_have_features_that_are_not():
    """As bytes a NaN would be some color, and the distance a number."""
    for network, x in ((FeatureNet(generator=seeded(0)), torch.zeros(3, 1, 28, 28)), (ColorFeatures(Sum()), X.clone())):
        whole = network(x)
        x[1, 0, 2, 2] = math.nan
        found = network(x)
        assert found[1].isnan().all()
        torch.testing.assert_close(found[[0, 2]], whole[[0, 2]])

"""The sandwich on simulated data: both sides are bounds, and they meet."""

import math

import pytest
import torch
from oracles import SIGMAS, assert_mean, close, linear_weight, normal, seeded
from test_evaluation_ais import assert_weights

from pcltut.evaluation import bdmc
from pcltut.models import DiagonalGaussian, Gaussian, GenerativeModel, LinearGaussian, mlp_decoder

MODEL = LinearGaussian(linear_weight(), normal(5, seed=1), 0.7)


def wide_encoder(x: torch.Tensor) -> DiagonalGaussian:
    mean, covariance = MODEL.posterior(x)
    return DiagonalGaussian(mean + 0.2, (1.5 * covariance.diagonal().sqrt()).log().expand_as(mean))


@pytest.mark.parametrize("kernel", ["hmc", "mala"])
@pytest.mark.parametrize(
    ("num_bridges", "encoder"),
    [(12, None), (40, None), (1, wide_encoder), (2, wide_encoder), (12, wide_encoder)],
    ids=["12 from the prior", "40 from the prior", "1 from q", "2 from q", "12 from q"],
)
def test_both_weights_are_unbiased_over_simulated_images(num_bridges, kernel, encoder):
    """Forward E w = p(x); reverse E 1/w = 1/p(x). One chain an image, so that the entries are independent."""
    settings = {"num_bridges": num_bridges, "num_chains": 1, "kernel": kernel, "encoder": encoder}
    found = bdmc(MODEL, 4000, generator=seeded(2), **settings)
    evidence = MODEL.log_evidence(found.x).detach()
    forward, reverse = found.forward.log_weights[0] - evidence, found.reverse.log_weights[0] - evidence
    assert_weights(forward[:, None])
    assert_weights(-reverse[:, None])
    assert reverse.std() > 0.1
    for low, high in ((found.lower, evidence), (evidence, found.upper)):
        difference = high - low
        assert difference.mean() > -SIGMAS * difference.std() / len(difference) ** 0.5


@pytest.mark.slow
def test_the_sandwich_closes():
    gaps = []
    for num_bridges in (10, 60, 400):
        found = bdmc(MODEL, 60, generator=seeded(3), num_bridges=num_bridges)
        evidence = MODEL.log_evidence(found.x).detach()
        gaps.append(found.gap)
        close(torch.tensor(found.gap).double(), (found.upper - found.lower).mean(), 1e-6)
    assert gaps[0] > 2 * gaps[1] > 6 * gaps[2]
    assert 0 < gaps[2] < 0.1
    for bound in (found.lower, found.upper):
        assert (bound - evidence).mean().abs() < 0.1
    assert abs(found.forward.acceptance - found.reverse.acceptance) < 0.05


def test_sides_use_the_same_steps_and_several_chains_tighten_them():
    found = bdmc(MODEL, 50, generator=seeded(4), num_bridges=12, num_chains=30)
    assert torch.equal(found.forward.step_size, found.reverse.step_size)
    assert (found.lower >= found.forward.log_weights.mean(0)).all()
    assert (found.upper <= found.reverse.log_weights.mean(0)).all()
    close(found.upper, -((-found.reverse.log_weights).logsumexp(0) - math.log(30)))
    assert ((found.reverse.effective_sample_size >= 1) & (found.reverse.effective_sample_size <= 30)).all()


def test_images_are_drawn_from_the_model():
    found = bdmc(MODEL, 20_000, generator=seeded(5), num_bridges=1, num_chains=1)
    centered = (found.x - MODEL.bias).detach()
    covariance = (MODEL.weight @ MODEL.weight.T + 0.49 * torch.eye(5)).detach()
    assert_mean(centered, 0.0)
    assert_mean(centered[:, :, None] * centered[:, None], covariance)


def test_a_learned_decoder_has_a_gap_too(generator):
    decoder = mlp_decoder(2, (1, 4, 4), hidden=(16,), generator=generator)
    model = GenerativeModel(decoder, Gaussian(0.3), 2)
    found = bdmc(model, 20, generator=generator, num_bridges=100)
    assert found.x.shape == (20, 1, 4, 4) and found.lower.shape == found.upper.shape == (20,)
    assert abs(found.gap) < 0.2


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_images": 0}, r"got num_images=0, expected at least 1"),
        ({"num_bridges": 0}, r"got num_bridges=0, expected at least 1"),
        ({"kernel": "ula"}, r"got kernel='ula'"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        bdmc(MODEL, **({"num_images": 3, "generator": seeded(0)} | settings))

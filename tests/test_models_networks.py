"""Decoders, encoders and q(z | x): shapes, seeds, curvature by torch.func, torch.distributions' densities."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import close, normal, seeded
from torch import nn
from torch.distributions import Independent, Normal, kl_divergence

from pcltut.models import (
    DiagonalGaussian,
    DiscretizedGaussian,
    Gaussian,
    GaussianEncoder,
    GenerativeModel,
    conv_decoder,
    conv_encoder,
    mlp_decoder,
    mlp_encoder,
)

IMAGE_SHAPES = [(1, 28, 28), (3, 32, 32), (3, 64, 64)]


def decoder(kind: str, event_shape, seed: int = 1) -> nn.Module:
    if kind == "mlp":
        return mlp_decoder(4, event_shape, hidden=(16, 16), generator=seeded(seed))
    return conv_decoder(4, event_shape, hidden=16, channels=(8, 8, 4, 4), generator=seeded(seed))


def encoder(kind: str, event_shape, seed: int = 1) -> GaussianEncoder:
    if kind == "mlp":
        return mlp_encoder(event_shape, 4, hidden=(16, 16), generator=seeded(seed))
    return conv_encoder(event_shape, 4, hidden=16, channels=(4, 4, 8, 8), generator=seeded(seed))


def small_model(scale: float = 0.4, likelihood=Gaussian) -> GenerativeModel:
    return GenerativeModel(mlp_decoder(3, (1, 2, 3), hidden=(8,), generator=seeded(2)), likelihood(scale), 3).double()


@pytest.mark.parametrize("kind", ["mlp", "conv"])
@pytest.mark.parametrize("event_shape", IMAGE_SHAPES)
def test_decoders_take_any_leading_dimensions(kind, event_shape):
    network = decoder(kind, event_shape)
    z = normal(2, 3, 5, 4, seed=3, dtype=torch.float32)
    images = network(z)
    assert images.shape == (2, 3, 5, *event_shape)
    torch.testing.assert_close(images[1, 2], network(z[1, 2]), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(images[1, 2, 4], network(z[1, 2, 4:5])[0], rtol=1e-4, atol=1e-5)
    if kind == "conv":
        assert images.abs().max() <= 1


@pytest.mark.parametrize("kind", ["mlp", "conv"])
@pytest.mark.parametrize("event_shape", IMAGE_SHAPES)
def test_models_and_encoders_give_one_value_an_image_and_chain(kind, event_shape):
    model = GenerativeModel(decoder(kind, event_shape), DiscretizedGaussian(0.3), 4)
    x = torch.randint(0, 256, (5, *event_shape), generator=seeded(4)) * 2 / 255 - 1
    q = encoder(kind, event_shape)(x)
    assert q.mean.shape == q.log_scale.shape == (5, 4)
    z = q.sample(normal(3, 5, 4, seed=5, dtype=torch.float32))
    assert model.log_joint(x, z).shape == (3, 5)
    assert model.decode(z).shape == (3, 5, *event_shape)
    assert model.sample(2, generator=seeded(6)).shape == (2, *event_shape)


@pytest.mark.parametrize("build", [decoder, encoder])
@pytest.mark.parametrize("kind", ["mlp", "conv"])
def test_weights_come_from_the_generator(build, kind):
    first, again, other = (build(kind, (3, 32, 32), seed) for seed in (1, 1, 2))
    for a, b, c in zip(first.parameters(), again.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)
        assert a.isfinite().all() and a.std() > 0


@pytest.mark.parametrize("build", [decoder, encoder])
@pytest.mark.parametrize("kind", ["mlp", "conv"])
def test_networks_hold_no_batch_normalization(build, kind):
    network = build(kind, (1, 28, 28))
    assert not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in network.modules())


def test_initial_weights_keep_signals_alive():
    z = normal(200, 32, seed=7, dtype=torch.float32)
    images = mlp_decoder(32, (1, 28, 28), generator=seeded(8))(z)
    assert 0.005 < images.std(0).mean() < 2  # different latents give different images


@pytest.mark.usefixtures("no_shape_checks")
def test_conv_networks_refuse_other_sizes():
    for build in (
        lambda: conv_decoder(4, (1, 30, 30), generator=seeded(1)),
        lambda: encoder("conv", (2, 28, 28)),
    ):
        with pytest.raises(ValueError, match=r"(?s)got.*expected.*;"):
            build()


@pytest.mark.parametrize("layer", [nn.BatchNorm1d(8), nn.BatchNorm1d(8, affine=False), nn.SyncBatchNorm(8)])
def test_batch_normalization_is_refused_with_the_reason(layer):
    first, last = nn.Linear(3, 8, device="meta"), nn.Linear(8, 5, device="meta")  # draws no weights
    network = nn.Sequential(first, nn.Sequential(layer, nn.SiLU()), last)
    with pytest.raises(ValueError, match=r"(?s)got.*BatchNorm.*expected.*chains"):
        GenerativeModel(network, Gaussian(), 3)
    assert GenerativeModel(nn.Sequential(first, nn.LayerNorm(8), last), Gaussian(), 3).latent_dim == 3


def test_gauss_newton_product_is_identity_plus_jacobians():
    model = small_model()
    x, z, v = normal(5, 1, 2, 3, seed=9), normal(5, 3, seed=10), normal(5, 3, seed=11)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda z: model.decode(z).flatten()))(z)
    expected = v + torch.einsum("noi,noj,nj->ni", jacobian, jacobian, v) / model.likelihood.scale**2
    close(model.curvature_product(x, z, v), expected)


def test_prior_is_part_of_the_joint_and_its_score():
    model = small_model()
    x, z = normal(5, 1, 2, 3, seed=12), normal(5, 3, seed=13).requires_grad_()
    close(
        model.log_joint(x, z) - model.log_likelihood(x, z),
        Independent(Normal(0.0, 1.0).expand((5, 3)), 1).log_prob(z),
    )
    joint, likelihood = (torch.autograd.grad(f(x, z).sum(), z)[0] for f in (model.log_joint, model.log_likelihood))
    close(joint - likelihood, -z)


@pytest.mark.parametrize("likelihood", [Gaussian, DiscretizedGaussian])
def test_each_images_joint_depends_on_its_own_latent_alone(likelihood):
    model = small_model(likelihood=likelihood)
    x, z = normal(6, 1, 2, 3, seed=14), normal(6, 3, seed=15)
    jacobian = torch.func.jacrev(lambda z: model.log_joint(x, z))(z)
    off_diagonal = jacobian[~torch.eye(6, dtype=torch.bool)]
    assert torch.equal(off_diagonal, torch.zeros_like(off_diagonal))


@given(permutation=st.permutations(range(6)))
def test_joint_is_equivariant_to_the_order_of_the_batch(permutation):
    model = small_model()
    x, z, order = normal(6, 1, 2, 3, seed=16), normal(2, 6, 3, seed=17), torch.tensor(permutation)
    close(model.log_joint(x[order], z[:, order]), model.log_joint(x, z)[:, order])


def test_samples_and_priors_come_from_the_generator():
    model = small_model()
    for draw in (model.sample, model.sample_prior):
        first, again, other = (draw(4, generator=seeded(seed)) for seed in (1, 1, 2))
        assert torch.equal(first, again) and not torch.equal(first, other)
        assert first.dtype == torch.float64


def test_diagonal_gaussian_is_torchs():
    q = DiagonalGaussian(normal(5, 3, seed=18), normal(5, 3, seed=19))
    exact = Independent(Normal(q.mean, q.log_scale.exp()), 1)
    z = normal(4, 5, 3, seed=20)
    close(q.scale, exact.stddev)
    close(q.log_prob(z), exact.log_prob(z))
    close(q.entropy(), exact.entropy())
    close(q.kl_to_standard_normal(), kl_divergence(exact, Independent(Normal(0.0, 1.0).expand((5, 3)), 1)))
    close(q.sample(z), q.mean + exact.stddev * z)


def test_diagonal_gaussian_differentiates_as_torchs():
    mean, log_scale = normal(5, 3, seed=21).requires_grad_(), normal(5, 3, seed=22).requires_grad_()
    q, noise = DiagonalGaussian(mean, log_scale), normal(5, 3, seed=23)
    gradients = torch.autograd.grad((q.sample(noise).square() + q.log_prob(noise)[:, None]).sum(), (mean, log_scale))
    exact = Normal(mean, log_scale.exp())
    value = (mean + exact.stddev * noise).square().sum() + 3 * exact.log_prob(noise).sum()
    for actual, expected in zip(gradients, torch.autograd.grad(value, (mean, log_scale)), strict=True):
        close(actual, expected)


def test_encoder_log_scale_stays_in_its_documented_bounds():
    class Constant(nn.Module):
        def forward(self, x):
            return torch.tensor([[7.0, -7.0, 100.0, -100.0]]).expand(len(x), 4)

    q = GaussianEncoder(Constant(), 2, min_log_scale=-3.0, max_log_scale=2.0)(torch.zeros(5, 1))
    assert torch.equal(q.mean, torch.tensor([[7.0, -7.0]]).expand(5, 2))
    assert q.log_scale.max() <= 2 and q.log_scale.min() >= -3
    assert q.log_scale[0, 0] > 1.5 and q.log_scale[0, 1] < -2.5


@pytest.mark.usefixtures("no_shape_checks")
def test_encoder_with_a_wrong_number_of_outputs_is_refused():
    with pytest.raises(ValueError, match=r"(?s)got.*expected 4.*;"):
        GaussianEncoder(nn.Identity(), 2)(torch.zeros(6, 3))


def test_new_encoders_spread_is_near_one():
    q = mlp_encoder((1, 28, 28), 8, generator=seeded(24))(normal(50, 1, 28, 28, seed=25, dtype=torch.float32))
    assert math.exp(-1.5) < q.scale.mean() < math.exp(1.5)

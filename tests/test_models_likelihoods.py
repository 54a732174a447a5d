"""Pixel likelihoods against scipy's normal distribution and its tail functions."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import assert_mean, close, normal, seeded
from scipy.special import log_ndtr, logsumexp, ndtr
from scipy.stats import norm

from pcltut.models import DiscretizedGaussian, Gaussian

BINS = 2 * np.arange(256) / 255 - 1
EDGES = np.concatenate([[-np.inf], (2 * np.arange(255) + 1) / 255 - 1, [np.inf]])


def binned(scale: float, dtype=torch.float64, **kwargs) -> DiscretizedGaussian:
    return DiscretizedGaussian(scale, **kwargs).to(dtype)


def tail_log_masses(loc: float, scale: float) -> np.ndarray:
    """All 256 log-masses, in each tail by that tail's own log-probabilities, so that nothing cancels."""
    low, high = (EDGES[:-1] - loc) / scale, (EDGES[1:] - loc) / scale
    outer = np.where(low > 0, log_ndtr(-low), log_ndtr(high))
    inner = np.where(low > 0, log_ndtr(-high), log_ndtr(low))
    with np.errstate(divide="ignore"):
        return outer + np.log(-np.expm1(inner - outer))


@pytest.mark.parametrize("event_shape", [(5,), (2, 3), (1, 4, 4)])
def test_gaussian_is_scipys_normal_summed_over_the_event(event_shape):
    x, loc = normal(7, *event_shape, seed=1), normal(3, 7, *event_shape, seed=2)
    actual = Gaussian(0.3).double().log_prob(x, loc, len(event_shape))
    expected = norm(loc.numpy(), 0.3).logpdf(x.numpy()).reshape(3, 7, -1).sum(-1)
    close(actual, expected, 1e-6)  # the scale itself is stored in float32


def test_gaussian_samples_have_location_and_scale():
    loc = torch.tensor([[-0.5, 0.0, 2.0]], dtype=torch.float64).expand(50_000, 3)
    x = Gaussian(0.3).double().sample(loc, generator=seeded(3)).detach()
    assert_mean(x, loc[0])
    assert_mean((x - loc).square(), 0.09)
    assert_mean((x[:, 0] - loc[:, 0]) * (x[:, 1] - loc[:, 1]), 0.0)  # each pixel has noise of its own


@pytest.mark.parametrize("kind", [Gaussian, DiscretizedGaussian])
def test_scale_has_a_documented_floor_and_learns_if_asked(kind):
    likelihood = kind(0.5, min_scale=0.1)
    assert likelihood.scale.item() == pytest.approx(0.5, rel=1e-6)
    parameters = [p for p in likelihood.parameters() if p.requires_grad]
    assert len(parameters) == 1
    with torch.no_grad():
        parameters[0].fill_(-60.0)
    assert likelihood.scale.item() == pytest.approx(0.1, rel=1e-6)
    assert not any(p.requires_grad for p in kind(0.5, learn_scale=False).parameters())


@pytest.mark.parametrize("kind", [Gaussian, DiscretizedGaussian])
@pytest.mark.parametrize("arguments", [(0.0, 0.0), (-1.0, 0.0), (0.1, 0.2)])
def test_impossible_scales_are_refused(kind, arguments):
    with pytest.raises(ValueError, match=r"(?s)got.*expected.*;"):
        kind(arguments[0], min_scale=arguments[1])


@pytest.mark.parametrize("scale", [0.002, 0.05, 0.4, 3.0])
def test_masses_are_scipys_normal_differences(scale):
    likelihood = binned(scale)
    scale = likelihood.scale.item()
    for loc in (-1.3, -1.0, -0.2, 0.0, 1 / 255, 0.7, 1.0, 1.2):
        masses = likelihood.log_mass_table(torch.tensor([loc], dtype=torch.float64))[0].detach().numpy()
        expected = ndtr((EDGES[1:] - loc) / scale) - ndtr((EDGES[:-1] - loc) / scale)
        np.testing.assert_allclose(np.exp(masses), expected, atol=1e-14)
        is_in_reach = np.abs(BINS - loc) < 30 * scale
        np.testing.assert_allclose(masses[is_in_reach], tail_log_masses(loc, scale)[is_in_reach], rtol=1e-9, atol=1e-9)


@given(loc=st.floats(-3, 3), log_scale=st.floats(-6.5, 2))
def test_masses_sum_to_one(loc, log_scale):
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 2e-3)):
        table = binned(math.exp(log_scale), dtype).log_mass_table(torch.tensor([loc], dtype=dtype))
        assert abs(logsumexp(table.detach().double().numpy())) < tolerance


def test_log_prob_reads_the_table():
    likelihood, levels = binned(0.1), torch.randint(0, 256, (6, 3, 4, 4), generator=seeded(5))
    x, loc = 2 * levels.double() / 255 - 1, normal(2, 6, 3, 4, 4, seed=6)
    table = likelihood.log_mass_table(loc)
    expected = table.gather(-1, levels.expand(2, 6, 3, 4, 4)[..., None]).flatten(2).sum(-1)
    close(likelihood.log_prob(x, loc, 3), expected)


def test_float32_agrees_with_float64():
    loc = torch.linspace(-1.2, 1.2, 9, dtype=torch.float64)
    for scale in (0.01, 0.1, 0.5):
        exact = binned(scale).log_mass_table(loc)
        single = binned(scale, torch.float32).log_mass_table(loc.float()).double()
        # rounding of a bin's distance from the mean counts most far out: its log-mass is quadratic in it
        assert ((single - exact).abs() / (1 + exact.abs())).max() < 1e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_far_tails_are_finite_with_the_normal_tails_gradient(dtype):
    scale = 0.01
    likelihood = binned(scale, dtype)
    x = torch.tensor([[BINS[10]], [BINS[128]], [BINS[250]]], dtype=dtype)
    for sigmas in (-60, -20, -8.5, 8.5, 20, 60):
        loc = (x + sigmas * scale).detach().requires_grad_()
        log_mass = likelihood.log_prob(x, loc, 1)
        log_mass.sum().backward()
        assert log_mass.isfinite().all() and loc.grad.isfinite().all()
        # the mass sits at the bin's edge nearest the mean: d/dloc is that edge's distance / scale^2
        edge = abs(sigmas) * scale - 1 / 255
        expected = -math.copysign(edge / scale**2, sigmas)
        assert torch.allclose(loc.grad, torch.full_like(loc, expected), rtol=0.03)
    likelihood.zero_grad()
    likelihood.log_prob(x, x + 0.6, 1).sum().backward()
    assert all(p.grad.isfinite().all() for p in likelihood.parameters())


def test_gradients_are_finite_everywhere_on_the_table():
    for scale in (0.003, 0.1, 1.0):
        likelihood = binned(scale, torch.float32)
        loc = torch.linspace(-1.5, 1.5, 31).requires_grad_()
        likelihood.log_mass_table(loc).sum().backward()
        assert loc.grad.isfinite().all()
        assert all(p.grad.isfinite().all() for p in likelihood.parameters())


def test_gradient_is_the_derivative_of_the_mass():
    likelihood = binned(0.08)
    scale = likelihood.scale.item()
    loc = torch.tensor([-0.9, -0.3, 0.1, 0.95], dtype=torch.float64, requires_grad=True)
    levels = torch.tensor([0, 80, 140, 255])
    table = likelihood.log_mass_table(loc)
    table.gather(-1, levels[:, None]).sum().backward()
    low, high = EDGES[levels], EDGES[levels + 1]
    center = loc.detach().numpy()
    density = norm(center, scale)
    close(loc.grad, (density.pdf(low) - density.pdf(high)) / (density.cdf(high) - density.cdf(low)), 1e-8)


def test_wide_scales_give_density_times_bin_width():
    likelihood = binned(0.8)
    loc = torch.tensor([-0.4, 0.3], dtype=torch.float64)
    inner = likelihood.log_mass_table(loc)[:, 1:-1]
    density = norm(loc.numpy()[:, None], likelihood.scale.item()).logpdf(BINS[1:-1]) + math.log(2 / 255)
    # the midpoint rule's error is h^2 / 24 times the relative second derivative: below 1e-5 here
    np.testing.assert_allclose(inner.detach().numpy(), density, atol=1e-5)


def test_end_bins_are_open():
    table = binned(0.2).log_mass_table(torch.tensor([-2.0, 2.0], dtype=torch.float64)).exp()
    assert table[0, 0] > 0.999 and table[1, 255] > 0.999
    close(table[0, 0], norm(-2.0, 0.2).cdf(-1 + 1 / 255), 1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_samples_lie_on_the_bins_with_the_tables_frequencies(dtype):
    likelihood, center = binned(0.006, dtype), -0.985
    loc = torch.full((60_000, 1), center, dtype=dtype)
    x = likelihood.sample(loc, generator=seeded(7)).detach().double()
    levels = (x + 1) * 255 / 2
    assert (levels - levels.round()).abs().max() < 1e-3
    assert levels.round().min() >= 0 and levels.round().max() <= 255
    masses = likelihood.log_mass_table(torch.tensor([center], dtype=dtype))[0].exp().double().detach()
    counts = torch.bincount(levels.round().long()[:, 0], minlength=256).double()
    deviation = (counts - 60_000 * masses) / (60_000 * masses).clamp_min(1).sqrt()
    assert deviation.abs().max() < 4.5


@pytest.mark.parametrize("kind", [Gaussian, DiscretizedGaussian])
def test_samples_come_from_the_generator(kind):
    loc = normal(4, 3, seed=8)
    first, second = (kind(0.4).double().sample(loc, generator=seeded(9)) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, kind(0.4).double().sample(loc, generator=seeded(10)))


def test_images_and_means_broadcast_both_ways():
    """Many points for one image, many images for one point, and more images than the mean has: against scipy."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    loc = torch.randn(5, 1, 3, generator=generator, dtype=torch.float64)
    density = Gaussian(0.7).double()
    expected = norm(loc.numpy(), density.scale.item()).logpdf(x.numpy()).sum(-1)
    assert density.log_prob(x, loc).shape == (5, 4)
    torch.testing.assert_close(density.log_prob(x, loc).detach(), torch.as_tensor(expected))

"""Chain diagnostics against ArviZ, and against the autocorrelation of a process whose answer is known."""

import numpy as np
import pytest
import torch
from arviz_stats.base import array_stats
from oracles import close, normal, seeded

from pcltut.evaluation import effective_sample_size, split_rhat
from pcltut.samplers import mala, run


def autoregression(draws: int, chains: int, correlation: float, seed: int, ties: bool = False) -> torch.Tensor:
    """A stationary first-order autoregression with unit variance, `[draws, chains]`; rounded where `ties`."""
    noise = normal(draws, chains, seed=seed)
    path = [noise[0]]
    for shock in noise[1:]:
        path.append(correlation * path[-1] + (1 - correlation**2) ** 0.5 * shock)
    path = torch.stack(path)
    return (3 * path).round() / 3 if ties else path


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.98, -0.7])
@pytest.mark.parametrize(("draws", "chains"), [(8, 2), (11, 2), (12, 4), (101, 2), (1000, 4)])
def test_agrees_with_arviz(draws, chains, correlation, ties):
    x = autoregression(draws, chains, correlation, seed=draws, ties=ties)
    axes = {"chain_axis": 1, "draw_axis": 0}
    close(effective_sample_size(x), array_stats.ess(x.numpy(), method="bulk", **axes), 1e-6)
    close(split_rhat(x), array_stats.rhat(x.numpy(), method="rank", **axes), 1e-6)


def test_effective_size_of_an_autoregression():
    """Draws over (1 + rho) / (1 - rho): normal scores of a normal process have its memory. 40 groups of chains."""
    sizes = torch.stack([effective_sample_size(autoregression(2000, 4, 0.8, seed)) for seed in range(40)])
    times = 8000 / sizes
    assert abs(times.mean() - 9) < 4.5 * times.std() / 40**0.5 + 0.15  # Geyer's cut costs a little bias


def test_one_value_for_each_latent_of_a_trace():
    kernel = mala(lambda z: (-0.5 * z.square().sum(-1), -z), 0.5)
    _, trace = run(kernel, kernel.init(normal(6, 3, seed=1)), 200, generator=seeded(2))
    sizes = effective_sample_size(trace.z)
    assert sizes.shape == (3,)
    for index in range(3):
        close(sizes[index], effective_sample_size(trace.z[..., index]))


def test_rhat_sees_chains_that_disagree_in_mean_or_in_spread():
    agreeing = normal(400, 4, seed=3)
    assert split_rhat(agreeing) < 1.01
    assert split_rhat(agreeing + torch.tensor([0.0, 0.0, 0.0, 2.0])) > 1.1
    assert split_rhat(agreeing * torch.tensor([1.0, 1.0, 1.0, 5.0])) > 1.1


def test_too_few_draws_are_refused():
    for statistic in (effective_sample_size, split_rhat):
        with pytest.raises(ValueError, match=r"got samples of \(7, 2\).*run longer chains"):
            statistic(torch.zeros(7, 2))


@pytest.mark.parametrize("statistic", [effective_sample_size, split_rhat])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("draws", [200, 201])
def test_statistics_of_draws_that_are_not_finite_are_nan(statistic, value, draws):
    """Wherever the one draw lies (an odd number has a middle draw that neither half holds), and in its column alone."""
    samples = normal(draws, 4, 3, seed=5)
    for place in (0, draws // 2, draws - 1):
        broken = samples.clone()
        broken[place, 1, 2] = value
        found = statistic(broken)
        assert found.isnan().tolist() == [False, False, True]
        close(found[:2], statistic(samples[..., :2]))


def test_statistics_of_draws_without_spread():
    """All equal: NaN, at any value. Chains stuck apart: no agreement. Two levels: the spread alone is constant."""
    for value in (0.0, 0.1, -1e300):
        constant = torch.full((10, 2), value, dtype=torch.float64)
        assert split_rhat(constant).isnan() and effective_sample_size(constant).isnan()
    stuck = torch.arange(4.0).expand(20, 4)
    axes = {"chain_axis": 1, "draw_axis": 0}
    assert split_rhat(stuck) == torch.inf
    close(effective_sample_size(stuck), array_stats.ess(stuck.double().numpy(), method="bulk", **axes), 1e-6)
    levels = (torch.arange(200.0) % 2)[:, None].expand(200, 4)
    with np.errstate(invalid="ignore"):
        expected = array_stats.rhat(levels.double().numpy(), method="rank", **axes)
    close(split_rhat(levels), expected, 1e-6)


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize("statistic", [effective_sample_size, split_rhat])
def test_draws_of_the_wrong_kind_are_refused(statistic):
    for samples, message in (
        (normal(20, 2, seed=6).numpy(), "got samples of type ndarray, expected a tensor"),
        ([[0.0, 1.0]] * 20, "got samples of type list, expected a tensor"),
        (normal(20, seed=6), r"got samples of \(20,\), expected \[draws, chains, ...\]"),
        (torch.zeros(20, 0), r"got samples of \(20, 0\), expected \[draws, chains, ...\]"),
    ):
        with pytest.raises(ValueError, match=message):
            statistic(samples)

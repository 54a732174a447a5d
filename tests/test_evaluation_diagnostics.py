"""Chain diagnostics against ArviZ, and against the autocorrelation of a process whose answer is known."""

import numpy as np
import pytest
import torch
from arviz_stats.base import array_stats
from oracles import close, normal, seeded

from pcltut.evaluation import effective_sample_size, integrated_autocorrelation_time, split_rhat
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
    size = draws // 2 * 2 * chains
    close(size / integrated_autocorrelation_time(x), array_stats.ess(x.numpy(), method="mean", **axes), 1e-6)


def test_autocorrelation_time_of_an_autoregression():
    """(1 + rho) / (1 - rho), over 40 independent groups of chains."""
    times = torch.stack([integrated_autocorrelation_time(autoregression(2000, 4, 0.8, seed)) for seed in range(40)])
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
    with pytest.raises(ValueError, match=r"got samples of \(7, 2\).*run longer chains"):
        effective_sample_size(torch.zeros(7, 2))
    assert np.isnan(split_rhat(torch.zeros(10, 2)).item())  # no spread: nothing to compare

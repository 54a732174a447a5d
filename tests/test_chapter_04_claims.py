"""What chapter 4 says of the learner of chapter 3 and of small steps, with the chapter's own functions."""

from typing import Any

import pytest
import torch
from chapters import cells, prose
from oracles import normal, seeded
from torch.autograd import grad
from torch.distributions import MultivariateNormal, kl_divergence

from pcltut.models import DiagonalGaussian, LinearGaussian
from pcltut.objectives import iwae_bound
from pcltut.training import LPC

pytestmark = pytest.mark.usefixtures("no_shape_checks")  # they cost more than these small matrix products
STEP = 0.05
X = torch.tensor([[4.0]], dtype=torch.float64)


@pytest.fixture(scope="module")
def shown() -> dict[str, Any]:
    """The functions `chain_law` and `bound` as the chapter shows them."""
    names = {
        "MultivariateNormal": MultivariateNormal,
        "kl_divergence": kl_divergence,
        "identity": torch.eye(2, dtype=torch.float64),
    }
    (source,) = [cell.source for cell in cells(4) if cell.cell_type == "code" and "def chain_law(" in cell.source]
    exec(source, names)
    return names


def weights(value: float) -> LinearGaussian:
    return LinearGaussian(torch.full((1, 2), value, dtype=torch.float64))


def of_states(shown: dict[str, Any], model: LinearGaussian, x: torch.Tensor, num_steps: int) -> torch.Tensor:
    """The mean of the bounds of z_0 .. z_{T-1}, with their laws held fixed; its slope is the learner's."""
    fixed = LinearGaussian(model.weight.detach())
    laws = [shown["chain_law"](fixed, x, t) for t in range(num_steps)]
    laws = [MultivariateNormal(law.mean.detach(), law.covariance_matrix.detach()) for law in laws]
    return torch.stack([shown["bound"](model, x, law).mean() for law in laws]).mean()


def of_all(shown: dict[str, Any], model: LinearGaussian, x: torch.Tensor, num_steps: int) -> torch.Tensor:
    """The mean of the bounds of z_0 .. z_{T-1}, with their laws following the model."""
    laws = [shown["chain_law"](model, x, t) for t in range(num_steps)]
    return torch.stack([shown["bound"](model, x, law).mean() for law in laws]).mean()


def collected(shown: dict[str, Any], value: float, mean_square: float, num_steps: int) -> float:
    """The slope for a weight; both are equal, and it depends on the data through their mean square alone."""
    model = weights(value)
    x = torch.tensor([[mean_square**0.5]], dtype=torch.float64)
    return grad(of_states(shown, model, x, num_steps), model.weight)[0].mean().item()


@pytest.mark.parametrize("num_steps", [1, 5])
def test_the_learner_follows_the_slope_of_the_mean_of_its_bounds_with_the_laws_held_fixed(shown, num_steps):
    toy = weights(2.0)
    expected = grad(of_states(shown, toy, X, num_steps), toy.weight)[0].mean()
    learner = LPC(num_steps, STEP, warm_start="prior")
    found = torch.stack(
        [-learner.gradients(toy, None, X.expand(5000, 1), generator=seeded(seed)).model[0].mean() for seed in range(20)]
    )
    error = found.std() / len(found) ** 0.5
    assert error < 0.03
    assert abs(found.mean() - expected) < 4.5 * error


@pytest.mark.parametrize("t", [0, 1, 5, 20])
def test_an_average_over_states_without_any_entropy_is_the_slope_of_the_bound(shown, t):
    toy = weights(2.0)
    law = shown["chain_law"](toy, X, t)
    fixed = MultivariateNormal(law.mean.detach(), law.covariance_matrix.detach())
    slope = grad(shown["bound"](toy, X, fixed).sum(), toy.weight)[0]
    four = 2**0.5 * torch.cat([torch.eye(2), -torch.eye(2)]).double()  # mean 0, covariance 1: enough for a quadratic
    points = fixed.mean + four @ torch.linalg.cholesky(fixed.covariance_matrix[0]).T
    average = toy.log_joint(X[None], points[:, None]).mean()
    torch.testing.assert_close(grad(average, toy.weight)[0], slope)


@pytest.mark.parametrize("num_steps", [5, 10])
def test_small_weights_shrink_with_five_steps_and_grow_with_ten(shown, num_steps):
    come = sum(1 - (1 - STEP) ** t for t in range(num_steps)) / num_steps
    slope = collected(shown, 0.01, 9.0, num_steps) / 0.01
    assert slope == pytest.approx(9 * come - 1, abs=0.03)
    assert (slope > 0) == (num_steps == 10)


def test_the_learner_rests_below_the_top_of_its_bound_and_below_the_best_weights(shown):
    values = torch.linspace(1.0, 2.2, 49).tolist()
    datum = 3 * torch.ones_like(X)
    slopes = [collected(shown, value, 9.0, 10) for value in values]
    rest = next(value for value, slope in zip(values, slopes, strict=True) if slope <= 0)
    heights = [of_states(shown, weights(value), datum, 10).item() for value in values]
    top = values[heights.index(max(heights))]
    assert rest < top - 0.05
    assert top < 2.0  # where the variance of x is that of the data, w_1^2 + w_2^2 + 1 = 9


def test_the_learner_rests_at_weights_of_length_2_13_and_the_bound_has_its_top_at_2_80(shown):
    rest, top, datum = 2.13 / 2**0.5, 2.80 / 2**0.5, 3 * torch.ones_like(X)
    assert collected(shown, rest - 0.01, 9.0, 10) > 0 > collected(shown, rest + 0.01, 9.0, 10)
    for num_steps, height in ((10, -3.48), (5, -4.42)):
        heights = [of_all(shown, weights(value), datum, num_steps).item() for value in (top - 0.02, top, top + 0.02)]
        assert heights[1] == max(heights) == pytest.approx(height, abs=0.005)


def test_with_five_steps_the_bound_would_rise_by_a_nat_and_the_cut_keeps_the_learner_down(shown):
    small, datum = weights(0.05), 3 * torch.ones_like(X)
    bottom = of_all(shown, small, datum, 5)
    slope = grad(bottom, small.weight)[0].mean().item()
    assert slope / 0.05 == pytest.approx(0.59, abs=0.01)
    top = of_all(shown, weights(2.8 / 2**0.5), datum, 5)
    assert (top - bottom).item() == pytest.approx(1.0, abs=0.02)
    assert all(collected(shown, value, 9.0, 5) < 0 for value in (0.1, 0.5, 1.0, 1.5, 2.0, 2.5))


def test_small_steps_obey_detailed_balance_up_to_the_power_three_halves():
    """The log of the quotient is that of the densities; here they are exp(-z^4 / 4)."""
    start, noise, missed = normal(20_000, seed=0), normal(20_000, seed=1), []
    for step in (4e-4, 1e-4):
        end = start - step * start**3 + (2 * step) ** 0.5 * noise
        there, back = end - start + step * start**3, start - end + step * end**3
        quotient = (there.square() - back.square()) / (4 * step)
        missed.append((quotient - (end**4 - start**4) / 4).abs().mean())
    assert missed[0] / missed[1] == pytest.approx(8, rel=0.1)


def test_over_twenty_seeds_the_bound_of_a_thousand_draws_lies_below_the_evidence() -> None:
    model = LinearGaussian(torch.full((1, 2), 2.0, dtype=torch.float64)).requires_grad_(False)
    x, zeros = torch.full((1, 1), 4.0, dtype=torch.float64), torch.zeros(500, 2, dtype=torch.float64)
    start = DiagonalGaussian(mean=zeros, log_scale=zeros)
    means = []
    for seed in range(20):
        noise = normal(1000, 500, 2, seed=seed)
        means.append(iwae_bound(model, x.expand(500, 1), start, noise).mean())
    means = torch.stack(means)
    error = means.std().item() / 20**0.5
    assert error < 0.001 and abs(means.mean().item() + 2.909) < 0.001 + 3 * error
    assert means.mean() < model.log_evidence(x).item()
    assert r"Over twenty other seeds it is $-2.909 \pm 0.001$" in prose(4)

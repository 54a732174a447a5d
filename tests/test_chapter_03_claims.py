"""What chapter 3 says of its toy, of temperature, of its walls, and that its twelve lines are those of the package."""

import ast
import heapq
import itertools
import math
from functools import cache

import pytest
import torch
from chapters import cells, prose
from oracles import seeded
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence

from pcltut.explorables.garment import garment, garment_model
from pcltut.models import Gaussian, GenerativeModel, LinearGaussian, mlp_decoder
from pcltut.samplers import gradient_ascent, run, stability_margin, ula, value_and_score_of
from pcltut.training import LPC

CURVATURE = torch.tensor([1.0, 9.0], dtype=torch.float64)


@pytest.fixture
def toy() -> LinearGaussian:
    return LinearGaussian(torch.tensor([[2.0, 2.0]], dtype=torch.float64)).requires_grad_(False)


@pytest.fixture
def observed() -> torch.Tensor:
    return torch.tensor([[3.0]], dtype=torch.float64)


def test_the_toy_is_soft_and_stiff(toy):
    torch.testing.assert_close(torch.linalg.eigvalsh(toy.posterior_precision()), CURVATURE)


def test_the_twelve_lines_are_twelve_and_give_the_gradients_of_the_package():
    (source,) = (cell.source for cell in cells(3) if "def gradients_by_hand" in cell.source)
    (function,) = ast.parse(source).body
    assert [argument.arg for argument in function.args.args] == ["model", "x", "num_steps", "step_size", "generator"]
    documentation = function.body[0]
    assert len(source.splitlines()) - (documentation.end_lineno - documentation.lineno + 1) <= 12
    names = {"torch": torch, "device": "cpu"}
    exec(source, names)
    decoder = mlp_decoder(3, (1, 4, 4), hidden=(8,), generator=seeded(0))
    model = GenerativeModel(decoder, Gaussian(0.7), latent_dim=3).double()
    x = torch.rand(6, 1, 4, 4, generator=seeded(1), dtype=torch.float64)
    torch.set_default_dtype(torch.float64)  # the chapter's noise has the default type
    try:
        by_hand = names["gradients_by_hand"](model, x, 7, 0.01, seeded(2))
    finally:
        torch.set_default_dtype(torch.float32)
    package = LPC(7, 0.01, warm_start="prior").gradients(model, None, x, generator=seeded(2)).model
    for mine, theirs in zip(by_hand, package, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-9)


def test_the_sampler_takes_seven_lines():
    (source,) = (cell.source for cell in cells(3) if "def langevin" in cell.source)
    function = ast.parse(source).body[0]
    documentation = function.body[0]
    assert function.end_lineno - (documentation.end_lineno - documentation.lineno + 1) == 7
    assert "the sampler in seven lines" in prose(3)


def test_predictive_coding_is_temperature_zero_and_draws_nothing(toy, observed):
    target = value_and_score_of(lambda z: toy.log_joint(observed, z))
    climb, cold = gradient_ascent(target, 0.05), ula(target, 0.05, temperature=0.0)
    state = climb.init(toy.sample_prior(5, generator=seeded(0))[:, None])
    assert climb.draw(state, seeded(0)) is None
    ends = [run(kernel, state, 400, generator=seeded(0))[0].z for kernel in (climb, cold)]
    assert torch.equal(*ends)
    torch.testing.assert_close(ends[0], toy.posterior(observed)[0].expand(5, 1, 2), rtol=0, atol=1e-6)


def test_on_the_same_noise_a_path_deviates_by_the_root_of_the_temperature(toy, observed):
    target = value_and_score_of(lambda z: toy.log_joint(observed, z))
    paths = {}
    for temperature in (0.0, 0.25, 1.0):
        kernel = ula(target, 0.05, temperature=temperature)
        start = kernel.init(torch.ones(3, 1, 2, dtype=torch.float64))
        paths[temperature] = run(kernel, start, 100, generator=seeded(2))[1].z
    torch.testing.assert_close(paths[0.25] - paths[0.0], 0.5 * (paths[1.0] - paths[0.0]))
    quarter = toy.ula_stationary_covariance(0.05, temperature=0.25)
    torch.testing.assert_close(quarter, 0.25 * toy.ula_stationary_covariance(0.05))


@pytest.mark.parametrize(("step_size", "nats"), [(0.002, 2.07e-5), (0.02, 0.00232), (0.1, 0.111), (0.2, 3.35)])
def test_the_bias_in_nats_is_the_sum_over_curvatures(toy, observed, step_size, nats):
    mean, covariance = toy.posterior(observed)
    law = MultivariateNormal(mean[0], toy.ula_stationary_covariance(step_size))
    bias = kl_divergence(law, MultivariateNormal(mean[0], covariance)).item()
    ratio = 1 / (1 - step_size * CURVATURE / 2)
    assert bias == pytest.approx(0.5 * (ratio - 1 - ratio.log()).sum().item(), abs=1e-10)
    assert bias == pytest.approx(nats, rel=5e-3)
    if step_size <= 0.002:
        assert bias == pytest.approx((step_size * CURVATURE).square().sum().item() / 16, rel=0.02)


@pytest.mark.parametrize("before", [0.0, 1.0])
def test_the_start_is_forgotten_as_the_unrolled_recursion_says(toy, before):
    _, directions = torch.linalg.eigh(toy.posterior_precision())
    stationary = 2 / (CURVATURE * (2 - 0.05 * CURVATURE))
    expected = stationary + (1 - 0.05 * CURVATURE) ** 20 * (before - stationary)
    after = toy.ula_covariance_after(10, 0.05, before * torch.eye(2, dtype=torch.float64))
    torch.testing.assert_close(directions.T @ after @ directions, expected.diag())


def test_a_margin_of_k_widens_the_stiffest_variance_by_k_over_k_minus_one(toy, observed):
    k = stability_margin(toy, observed, toy.posterior(observed)[0], step_size=0.05, generator=seeded(0))
    assert k == pytest.approx(2 / (0.05 * 9), rel=1e-6)
    stiff = torch.linalg.eigvalsh(toy.ula_stationary_covariance(0.05))[0].item()  # 0.143, the soft one is 1.026
    assert stiff * 9 == pytest.approx(k / (k - 1), rel=1e-6)
    wider = 4.7 / (4.7 - 1)
    assert f"{wider:.2f}" == "1.27" and f"{math.sqrt(wider):.2f}" == "1.13"
    assert "1.27 times" in prose(3) and "1.13 times" in prose(3)


@cache
def energies() -> tuple[Tensor, Tensor]:
    """The places of a grid `[161, 161, 2]` of the garment's latents, and their energies with four rows seen."""
    model, seen = garment_model(4).double(), garment()[..., :4, :].double()
    axes = torch.linspace(-3, 1.6, 161, dtype=torch.float64), torch.linspace(-1.5, 2.5, 161, dtype=torch.float64)
    grid = torch.cartesian_prod(*axes)
    return grid.view(161, 161, 2), -model.log_joint(seen, grid[:, None])[:, 0].detach().view(161, 161)


def lowest_pass(energy: list[list[float]], start: tuple[int, int], end: tuple[int, int]) -> float:
    """The height of the lowest way from `start` to `end`, over neighbors on the grid: the lowest shore floods first."""
    shore, seen = [(energy[start[0]][start[1]], start)], {start}
    while shore:
        height, (i, j) = heapq.heappop(shore)
        if (i, j) == end:
            return height
        for place in itertools.product((i - 1, i, i + 1), (j - 1, j, j + 1)):
            if place not in seen and all(0 <= index < len(energy) for index in place):
                seen.add(place)
                heapq.heappush(shore, (max(height, energy[place[0]][place[1]]), place))
    raise AssertionError("no way")


def test_the_wall_is_more_than_four_nats_high_from_both_sides():
    grid, energy = energies()
    coat = grid[..., 0] > -0.65
    floors = [divmod(energy.where(side, torch.inf).argmin().item(), 161) for side in (coat, ~coat)]
    height = lowest_pass(energy.tolist(), *floors)
    walls = [height - energy[floor].item() for floor in floors]
    assert walls == pytest.approx([4.7, 4.2], abs=0.05)
    assert "Seen from the coat the wall is 4.7 nats high, from the trousers 4.2" in prose(3)
    assert round(math.exp(4.7), -1) == 110 and round(math.exp(4.7 / 4)) == 3
    assert "one in 110 at temperature 1, and one in three at temperature 4" in prose(3)


def test_at_the_trousers_the_energy_is_stiffer_than_its_gauss_newton_curvature():
    model, seen = garment_model(4).double(), garment()[..., :4, :].double()
    floor = torch.tensor([-1.505, 0.45], dtype=torch.float64)
    hessian = torch.autograd.functional.hessian(lambda z: -model.log_joint(seen, z[None]).sum(), floor)
    k = 2 / (0.01 * torch.linalg.eigvalsh(hessian)[-1].item())
    assert math.sqrt(k / (k - 1)) == pytest.approx(1.16, abs=0.005) and "gives 1.16" in prose(3)


def test_at_the_trousers_steps_of_a_tenth_are_beyond_the_limit():
    model, seen = garment_model(4), garment()[..., :4, :]
    floors = {"trousers": (-1.5, 0.45), "coat": (0.25, 1.15)}
    margins = {
        name: stability_margin(model, seen, torch.tensor([floor]), 0.1, generator=seeded(0))
        for name, floor in floors.items()
    }
    assert margins["coat"] == pytest.approx(2.2, abs=0.05) and margins["trousers"] == pytest.approx(0.47, abs=0.02)


def test_it_opens_with_the_walk_of_chapter_2_and_ends_with_the_question_of_chapter_4():
    text = prose(3)
    idea = text[text.index("## The idea") :].split("\n\n")[1]
    assert idea.startswith("Which of the two is it") and "can give only one answer" in idea
    assert "It learns. But what does it climb? Is there a quantity that goes up?" in text[: text.index("## Exercises")]

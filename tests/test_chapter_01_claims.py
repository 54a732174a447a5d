"""What chapter 1 says in words about its running picture, and the numbers that its cells do not print."""

import math
import re
from functools import cache

import pytest
import torch
from chapters import prose
from torch import Tensor

from pcltut.data import load
from pcltut.explorables.garment import IMAGE, garment, garment_model
from pcltut.models import DiscretizedGaussian, Gaussian
from pcltut.samplers import value_and_score_of

AXIS = torch.linspace(-3.6, 3.6, 121, dtype=torch.float64)
GRID, CELL = torch.cartesian_prod(AXIS, AXIS), 0.06**2
ON_LEFT = GRID[:, 0] < -0.65  # where the trousers lie


def number(pattern: str) -> float:
    """The number that the chapter's text has in the place of the pattern's group."""
    found = re.search(pattern, prose(1))
    assert found, f"the chapter no longer says {pattern!r}"
    return float(found[1])


@cache
def energy(rows: int) -> Tensor:
    """The energy of the garment's first rows, at each point of the grid."""
    x = garment().double()[..., :rows, :]
    return -garment_model(rows).double().log_joint(x, GRID[:, None])[:, 0]


def left_share(rows: int) -> float:
    return (-energy(rows)).softmax(0)[ON_LEFT].sum().item()


def area(rows: int) -> float:
    """The smallest area that holds 95 % of the posterior."""
    held = (-energy(rows)).softmax(0).sort(descending=True).values.cumsum(0)
    return (held < 0.95).sum().item() * CELL


def test_the_picture_is_a_coat():
    assert load("fashion-mnist-mini", "validation").labels[IMAGE].item() == 4


def test_both_valleys_hold_what_is_said():
    assert number(r"trousers' (\d+) %") == round(100 * left_share(4))
    assert number(r"coat's holds (\d+) %") == round(100 * (1 - left_share(4)))
    floor = (energy(4)[ON_LEFT].min() - energy(4)[~ON_LEFT].min()).item()
    assert floor == pytest.approx(0.5, abs=0.06)
    assert number(r"Half a nat alone would make it (\d+) to") == round(100 / (1 + math.exp(-floor)))


def test_the_verdict_changes_row_by_row():
    assert number(r"With six rows the trousers hold (\d+) %") == round(100 * left_share(6))
    assert 0.25 < left_share(7) < 0.75  # doubt again
    later = (8, 10, 13, 17, 22, 28)
    assert all(left_share(rows) < 0.02 for rows in later)
    areas = [area(rows) for rows in later]
    assert areas == sorted(areas, reverse=True)


def test_all_rows_leave_a_hundredth_of_the_priors_area():
    assert 90 < 2 * math.pi * math.log(20) / area(28) < 120


def test_sigma_is_three_times_the_error_of_the_decoder():
    best = GRID[energy(28).argmin()][None]
    error = (garment().double() - garment_model().double().decode(best)).square().mean().sqrt()
    assert error.item() == pytest.approx(1 / 3, abs=0.05)


def held_out_errors() -> Tensor:
    """Squared distance of 100 held-out images to the picture at each point of the grid."""
    images = load("fashion-mnist-mini", "validation").as_float()[:100].flatten(1).double()
    return torch.cdist(images, garment_model().double().decode(GRID).flatten(1)).square()


def test_the_sigma_that_the_curved_decoder_deserves_is_its_own_error():
    squared = held_out_errors()
    weights = (-squared / (2 * 0.31**2) - GRID.square().sum(1) / 2).softmax(1)
    assert ((weights * squared).sum(1).mean() / 784).sqrt().item() == pytest.approx(0.31, abs=0.005)


def test_every_second_valley_is_one_for_a_walk_too():
    """From each low point of the grid a walk of gradient steps goes down; the ends are different points."""
    model = garment_model().double()
    images = load("fashion-mnist-mini", "validation").as_float()[:100].double()
    surface = (held_out_errors() / 2 + GRID.square().sum(1) / 2).view(-1, 1, 121, 121)
    lowest = (surface == -torch.nn.functional.max_pool2d(-surface, 3, 1, 1))[:, 0]
    lowest[:, [0, -1]] = lowest[:, :, [0, -1]] = False
    image, row, column = lowest.nonzero().T
    x, z = images[image], torch.stack([AXIS[row], AXIS[column]], 1)
    target = value_and_score_of(lambda z: model.log_joint(x, z))
    value, score = target(z)
    rate = torch.full_like(value, 1e-3)
    for _ in range(300):
        there = z + rate[:, None] * score
        new_value, new_score = target(there)
        better = new_value > value
        z, score = torch.where(better[:, None], there, z), torch.where(better[:, None], new_score, score)
        value, rate = torch.where(better, new_value, value), torch.where(better, 1.2 * rate, rate / 2)
    higher = []
    for i in range(100):
        ends, heights = z[image == i], -value[image == i]
        other = (ends - ends[heights.argmin()]).norm(dim=1) > 0.3
        assert other.any(), f"image {i} has one valley"
        higher.append((heights[other].min() - heights.min()).item())
    assert 60 < sorted(higher)[50] < 70
    assert sum(height < 3 for height in higher) == 7


def test_a_grid_in_32_dimensions_has_as_many_points_as_is_said():
    assert number(r"121\^\{32\} \\approx 10\^\{(\d+)\}") == round(32 * math.log10(121))


@pytest.mark.parametrize(("sigma", "least", "most"), [(0.02, 0.005, 0.01), (0.002, 0.6, 0.7)])
def test_density_times_width_holds_where_sigma_is_wider_than_a_bin(sigma: float, least: float, most: float):
    """At the levels within one sigma of the mean, which is a level."""
    level = torch.linspace(-1, 1, 256, dtype=torch.float64)
    smooth, binned = Gaussian(sigma).to(level), DiscretizedGaussian(sigma).to(level)
    masses = binned.log_mass_table(level[166]).exp()
    approximate = smooth.log_prob(level[:, None], level[166]).exp() * 2 / 255
    near = (level - level[166]).abs() <= sigma
    assert least < (approximate / masses - 1)[near].abs().max().item() < most
    assert masses.sum().item() == pytest.approx(1, abs=1e-10)

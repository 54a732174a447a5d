"""The landscape of a half-seen garment, run in node: energies, valleys and areas against the model's own."""

import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from in_node import in_node
from torch import Tensor

from pcltut.explorables.garment import garment, garment_model
from pcltut.explorables.landscape import Landscape
from pcltut.samplers import value_and_score_of


def on_the_landscape(body: str, folder: Path, **given: object):
    """What `body` returns, which also sees the decoder as `network`, and the picture."""
    widget = Landscape()
    given |= {"decoder": widget.decoder, "picture": widget.picture}
    names = """
    const network = new js.Decoder(given.decoder.sizes, js.unpackHalves(given.decoder.weights));
    const {picture} = given;
    """
    return in_node("landscape", names + body, folder, **given)


@cache
def seen(rows: int) -> Tensor:
    """The rows as the page has them: rounded to four digits."""
    picture = torch.tensor(Landscape().picture, dtype=torch.float64).view(1, 1, 28, 28)
    assert (picture - garment()).abs().max() <= 1e-4
    return picture[..., :rows, :]


def energy(z: Tensor, rows: int) -> Tensor:
    """Minus the model's log-joint, for each row of `z`, without its constant (sigma is 1)."""
    constant = (28 * rows + 2) / 2 * math.log(2 * math.pi)
    return -garment_model(rows).double().log_joint(seen(rows), z[:, None])[:, 0] - constant


def plane(points: int) -> Tensor:
    """A grid from -3.5 to 3.5, row by row from the top."""
    axis = torch.linspace(-3.5, 3.5, points, dtype=torch.float64)
    return torch.cartesian_prod(axis.flip(0), axis).flip(1)


def score(z: Tensor, rows: int) -> Tensor:
    """The gradient of the model's log-joint, for each row of `z`."""
    model, x = garment_model(rows).double(), seen(rows)
    return value_and_score_of(lambda z: model.log_joint(x, z))(z[:, None])[1][:, 0]


def area_of_95_percent(energies: Tensor, cell: float) -> float:
    """The smallest number of cells that hold 95 % of the mass, the last one in part, times a cell's area."""
    held = energies.neg().softmax(0).sort(descending=True).values.cumsum(0).numpy()
    return np.interp(0.95, np.concatenate([[0], held]), np.arange(len(held) + 1)) * cell


@pytest.mark.parametrize("rows", [0, 4, 28])
def test_the_two_errors_add_up_to_minus_log_joint(tmp_path: Path, rows: int):
    z = torch.randn(6, 2, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    body = "return given.z.map((z) => js.errorsAt(network, z, picture.slice(0, 28 * given.rows)));"
    got = on_the_landscape(body, tmp_path, z=z.tolist(), rows=rows)
    model = garment_model(rows).double()
    pixels = -model.log_likelihood(seen(rows), z[:, None])[:, 0] - 14 * rows * math.log(2 * math.pi)
    prior = -model.log_prior(z) - math.log(2 * math.pi)
    np.testing.assert_allclose([each["pixels"] for each in got], pixels, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose([each["prior"] for each in got], prior, rtol=1e-9)
    np.testing.assert_allclose([each["energy"] for each in got], energy(z, rows), rtol=1e-9)


@pytest.mark.parametrize("rows", [0, 4, 28])
def test_the_area_of_95_percent_is_a_sum_over_a_grid(tmp_path: Path, rows: int):
    body = """
    const energies = new js.EnergyGrid(network, picture).energies(given.rows);
    const {lowest, level, area} = js.survey(energies);
    return {energies: [...energies], lowest, level, area};
    """
    got = on_the_landscape(body, tmp_path, rows=rows)
    expected = energy(plane(71), rows)
    np.testing.assert_allclose(got["energies"], expected, rtol=1e-9, atol=1e-12)
    assert got["lowest"] == pytest.approx(expected.min().item(), rel=1e-9, abs=1e-12)
    assert got["area"] == pytest.approx(area_of_95_percent(expected, 0.1**2), rel=1e-9)
    below = expected.neg().softmax(0)[expected <= got["level"] * (1 + 1e-9)].sum().item()
    assert 0.95 <= below < 0.98  # within a level of the energy; the cells are coarse where the posterior is narrow
    assert got["area"] == pytest.approx(area_of_95_percent(energy(plane(141), rows), 0.05**2), rel=0.03)
    if rows == 0:  # a disk: the square of its radius has an exponential law
        assert got["area"] == pytest.approx(2 * math.pi * math.log(20), rel=0.01)


@pytest.mark.parametrize("rows", [4, 6])
def test_the_two_valleys_hold_what_flows_into_them(tmp_path: Path, rows: int):
    body = "return js.survey(new js.EnergyGrid(network, picture).energies(given.rows)).valleys;"
    got = on_the_landscape(body, tmp_path, rows=rows)
    share = energy(plane(71), rows).neg().softmax(0)
    end, share = plane(71)[share > 1e-6], share[share > 1e-6]
    for _ in range(100):
        step = 0.05 * score(end, rows)
        end = end + step * (0.1 / step.norm(dim=1, keepdim=True).clamp(min=0.1))
    for valley in got[:2]:
        bottom = torch.tensor(valley["z"], dtype=torch.float64)
        flown = share[(end - bottom).norm(dim=1) < 0.15].sum().item()
        assert valley["share"] == pytest.approx(flown, abs=0.005)
        assert valley["share"] > 0.03
    assert got[0]["share"] + got[1]["share"] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("rows", [4, 28])
def test_downhill_is_down_and_ends_where_the_score_vanishes(tmp_path: Path, rows: int):
    starts = [[-1.2, -0.4], [0.5, 0.5], [1.0, 2.0]]
    body = "return given.starts.map((z) => js.descend(network, z, picture.slice(0, 28 * given.rows)));"
    for path in on_the_landscape(body, tmp_path, rows=rows, starts=starts):
        along = energy(torch.tensor(path, dtype=torch.float64), rows)
        assert (along.diff() < 0).all()
        assert score(torch.tensor(path[-1:], dtype=torch.float64), rows).norm() < 0.02


def test_with_all_rows_a_dent_in_the_valley_is_no_valley_of_its_own(tmp_path: Path):
    body = "return js.survey(new js.EnergyGrid(network, picture).energies(28)).valleys.map((valley) => valley.share);"
    shares = on_the_landscape(body, tmp_path)
    assert shares[0] > 1 - 1e-9


def test_a_contour_of_the_prior_is_a_circle(tmp_path: Path):
    body = "return new js.Grid(3.5, 71).contour(new js.EnergyGrid(network, picture).energies(0), 2);"
    points = np.array(on_the_landscape(body, tmp_path)).reshape(-1, 2)
    np.testing.assert_allclose(np.hypot(*points.T), 2, atol=0.01)
    assert len({tuple(np.sign(point)) for point in points}) >= 4  # all around

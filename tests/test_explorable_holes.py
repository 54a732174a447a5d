"""The explorable of holes, run in node: density, edge and coverage are pcltut's, its latents those of posteriors."""

from pathlib import Path

import numpy as np
import pytest
import torch
from in_node import in_node
from oracles import normal, seeded

from pcltut.data import load
from pcltut.evaluation import density_coverage
from pcltut.explorables.garment import garment, garment_model
from pcltut.explorables.holes import CELLS, REACH, Holes, decoder_in_bytes, garment_latents
from pcltut.models import GaussianMixture

MIXTURE = GaussianMixture(
    torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64),
    torch.tensor([[-1.5, 0.5], [1.0, 1.0], [0.5, -2.0]], dtype=torch.float64),
    torch.tensor([[[0.6, 0], [0.3, 0.5]], [[0.8, 0], [-0.4, 0.3]], [[0.4, 0], [0, 0.9]]], dtype=torch.float64),
)


def as_shown(latents: torch.Tensor) -> Holes:
    return Holes(latents, MIXTURE)


def test_density_and_edge_are_those_of_the_package(tmp_path: Path):
    points = 2 * normal(200, 2, seed=1)
    body = "return given.points.map((z) => js.logDensity(given.parts, z));"
    there = in_node("holes", body, tmp_path, points=points.tolist(), parts=as_shown(points).density)
    assert there == pytest.approx(MIXTURE.log_prob(points).tolist(), abs=2e-3)  # parts have four digits
    body = "return [0, 0.05, 0.5, 0.961, 1].map((share) => js.quantile(given.values, share));"
    there = in_node("holes", body, tmp_path, values=points[:, 0].tolist())
    assert there == pytest.approx(points[:, 0].quantile(torch.tensor([0, 0.05, 0.5, 0.961, 1]).double()).tolist())


def test_pictures_in_bytes_are_the_decoders(tmp_path: Path):
    points = 1.5 * normal(50, 2, seed=7)
    body = """
    const decoder = js.decoderOf(given.decoder);
    return given.points.map((z) => [...decoder.decode(z)]);
    """
    there = torch.tensor(in_node("holes", body, tmp_path, points=points.tolist(), decoder=decoder_in_bytes()))
    exact = garment_model().decode(points.float()).flatten(1)
    error = (there - exact).abs()
    assert error.mean() < 0.012 and error.max() < 0.12, f"{error.mean():.4f} {error.max():.4f}"


def test_draws_of_the_fitted_density_follow_it(tmp_path: Path):
    body = """
    const noise = new js.Noise(1);
    return Array.from({ length: 20000 }, () => js.drawFitted(given.parts, noise));
    """
    drawn = torch.tensor(in_node("holes", body, tmp_path, parts=as_shown(normal(9, 2, seed=1)).density)).double()
    mean = MIXTURE.weights @ MIXTURE.means
    covariances = MIXTURE.cholesky @ MIXTURE.cholesky.mT
    second = torch.einsum(
        "k,kij->ij", MIXTURE.weights, covariances + MIXTURE.means[:, :, None] * MIXTURE.means[:, None]
    )
    assert (drawn.mean(0) - mean).abs().max() < 4 * 1.6 / len(drawn) ** 0.5
    assert (drawn.T @ drawn / len(drawn) - second).abs().max() < 4 * 3.5 / len(drawn) ** 0.5
    edge = MIXTURE.log_prob(MIXTURE.sample(20000, generator=seeded(2))).quantile(0.05)
    assert (MIXTURE.log_prob(drawn) < edge).double().mean() == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize("k", [1, 5])
def test_coverage_is_that_of_the_package(tmp_path: Path, k: int):
    real, drawn = normal(80, 2, seed=3), 0.7 * normal(40, 2, seed=4)
    body = "return js.covered(given.real, js.radii(given.real, given.k), given.drawn);"
    there = in_node("holes", body, tmp_path, real=real.tolist(), drawn=drawn.tolist(), k=k)
    assert np.mean(there) == pytest.approx(density_coverage(real, drawn, num_neighbors=k)[1], rel=1e-12)


def test_perfect_draws_get_what_the_page_calls_perfect(tmp_path: Path):
    sets = np.random.default_rng(0).normal(size=(300, 120, 2))
    body = """
    const found = given.sets.map((z) => js.covered(z.slice(0, 80), js.radii(z.slice(0, 80), 5), z.slice(80)));
    return [found, js.perfectCoverage(80, 40, 5)];
    """
    found, expected = in_node("holes", body, tmp_path, sets=sets.tolist())
    shares = np.mean(found, axis=1)
    assert np.mean(shares) == pytest.approx(expected, abs=4 * np.std(shares) / 300**0.5)


def test_latents_are_draws_of_the_exact_posterior():
    """Their mean and spread for one image are those of a finer sum over the plane, and no draw leaves the grid."""
    x = garment()
    drawn = garment_latents(x.expand(4000, -1, -1, -1), generator=seeded(5))
    axis = torch.linspace(-REACH, REACH, 401)
    plane = torch.cartesian_prod(axis, axis)
    mass = garment_model().log_joint(x, plane[:, None]).flatten().double().softmax(0)
    mean = mass @ plane.double()
    covariance = (mass[:, None] * (plane - mean)).T @ (plane - mean)
    cell = 2 * REACH / (CELLS - 1)
    assert (drawn.mean(0) - mean).abs().max() < 4 * covariance.diagonal().max().sqrt() / 4000**0.5 + cell / 10
    wide = covariance.diagonal() + cell**2 / 12
    assert (drawn.var(0) / wide - 1).abs().max() < 0.15
    assert drawn.abs().max() <= REACH + cell


@pytest.fixture(scope="module")
def latents() -> torch.Tensor:
    images = load("fashion-mnist-mini", "validation").as_float()[:200]
    return garment_latents(images, generator=seeded(6))


def test_the_aggregate_posterior_is_wider_than_the_prior(latents: torch.Tensor):
    assert 1.6 < latents.square().mean() < 2.5


def test_python_chooses_what_is_shown(latents: torch.Tensor):
    widget = Holes(latents, MIXTURE, source="fitted", stretch=2.0, seed=3)
    assert (widget.source, widget.stretch, widget.place, widget.seed) == ("fitted", 2.0, [0.0, 0.0], 3)
    assert np.array(widget.latents) == pytest.approx(latents.numpy(), abs=1e-4)
    assert len(widget.density) == 3 and widget.density[1] == [0.3, 1.0, 1.0, 0.8, -0.4, 0.3]

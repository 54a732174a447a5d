"""The explorable of neighbors, run in node: its measures are pcltut's, its points and places do what they promise."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from in_node import in_node

from pcltut.evaluation import density_coverage, precision_recall
from pcltut.explorables.neighbors import Neighbors

LAW = [(-1.3, 0.9, 0.45), (0.9, -0.6, 0.75)]  # centers and standard deviations of the two crowds, equally likely


def by_pcltut(real: object, fake: object, k: int) -> list[float]:
    real, fake = (torch.tensor(points, dtype=torch.float64) for points in (real, fake))
    return [*density_coverage(real, fake, num_neighbors=k), *precision_recall(real, fake, num_neighbors=k)]


def perfect_coverage(n: int, m: int, k: int) -> float:
    return 1 - math.prod((n - i) / (n + m - i) for i in range(1, k + 1))


MEASURES = ["density", "coverage", "precision", "recall"]


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_the_measures_are_those_of_the_package(tmp_path: Path, k: int):
    generator = np.random.default_rng(k)
    real, fake = generator.normal(size=(40, 2)), 0.2 + 1.5 * generator.normal(size=(12, 2))
    body = "return [js.measures(given.real, given.fake, given.k), js.measures(given.fake, given.real, given.k)];"
    there, swapped = in_node("neighbors", body, tmp_path, real=real.tolist(), fake=fake.tolist(), k=k)
    assert [there[name] for name in MEASURES] == pytest.approx(by_pcltut(real, fake, k), rel=1e-12)
    assert [swapped[name] for name in MEASURES] == pytest.approx(by_pcltut(fake, real, k), rel=1e-12)
    assert there["density"] != pytest.approx(swapped["density"], rel=0.05)  # the order of the two sets matters
    assert there["perfectCoverage"] == pytest.approx(perfect_coverage(40, 12, k), rel=1e-12)


def test_a_point_on_the_rim_of_a_ball_is_outside(tmp_path: Path):
    real, fake = [[-1, 0], [0, 0], [1, 0]], [[-2, 0], [2, 0]]  # balls of radius 1 around real points, 4 around fakes
    got = in_node("neighbors", "return js.measures(given.real, given.fake, 1);", tmp_path, real=real, fake=fake)
    assert [got[name] for name in MEASURES] == by_pcltut(real, fake, 1) == [0, 0, 0, 1]


@pytest.mark.parametrize("k", [1, 3, 5])
def test_what_the_buttons_do(tmp_path: Path, k: int):
    """A huddle wins in density and loses coverage, spread points the other way round; both numbers are pcltut's."""
    body = """
    const noise = new js.Noise(given.seed), real = js.crowdPoints(noise, 40);
    const sets = { draws: js.crowdPoints(noise, 12), huddle: js.huddled(real, given.k),
      spread: js.spreadOut(real, given.k) };
    const measured = Object.entries(sets).map(([name, fake]) => [name, js.measures(real, fake, given.k)]);
    return { real, sets, measured: Object.fromEntries(measured) };
    """
    got = in_node("neighbors", body, tmp_path, seed=Neighbors().seed, k=k)
    for name, fake in got["sets"].items():
        measured = [got["measured"][name][measure] for measure in MEASURES]
        assert measured == pytest.approx(by_pcltut(got["real"], fake, k), rel=1e-12), name
    draws, huddle, spread = (got["measured"][name] for name in ("draws", "huddle", "spread"))
    assert huddle["density"] > max(2, 1.5 * spread["density"], 1.5 * draws["density"])
    assert huddle["coverage"] < 0.5 * perfect_coverage(40, 12, k) and huddle["precision"] == 1
    assert spread["coverage"] > max(perfect_coverage(40, 12, k) + 0.2, draws["coverage"])

    real = np.array(got["real"])  # the huddle lies in nearly as many balls as any spot of a finer grid
    axis = np.linspace(-2.8, 2.8, 281)
    spots = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 1, 2)
    ball = np.sort(np.linalg.norm(real[:, None] - real, axis=-1), axis=1)[:, k]
    most = (np.linalg.norm(spots - real, axis=-1) < ball).sum(1).max()
    assert huddle["hits"] == [max(huddle["hits"])] * 12 and huddle["hits"][0] >= most - 1


def test_the_chapter_tells_what_the_page_shows(tmp_path: Path):
    """The numbers of chapter 8 beside the drawing, as pcltut counts them on the page's points."""
    body = """
    const noise = new js.Noise(given.seed), real = js.crowdPoints(noise, 40);
    return [real, js.crowdPoints(noise, 12), js.huddled(real, 3), js.spreadOut(real, 3)];
    """
    real, draws, huddle, spread = in_node("neighbors", body, tmp_path, seed=Neighbors().seed)
    density, coverage, precision, recall = by_pcltut(real, huddle, Neighbors().num_neighbors)
    assert (round(density, 2), round(coverage, 2), precision, recall) == (2.67, 0.20, 1, 0)
    assert by_pcltut(real, spread, 3)[1] == 1 and round(perfect_coverage(40, 12, 3), 2) == 0.56
    before = by_pcltut(real, draws, 3)
    assert before[0] == pytest.approx(1, abs=0.1) and before[1] == pytest.approx(0.56, abs=0.1) and before[2] == 1
    after = [by_pcltut(real, [*draws[:j], [-2.6, -2.6], *draws[j + 1 :]], 3) for j in range(12)]
    assert [each[2] for each in after] == pytest.approx([11 / 12] * 12)
    assert max(each[3] for each in after) > before[3]  # the far fake's own ball is huge


def test_draws_from_the_real_law_get_what_the_page_calls_perfect(tmp_path: Path):
    """Their mean density is 1 and their mean coverage 1 - prod (n - i) / (n + m - i), within four standard errors."""
    body = """
    return Array.from({ length: 2000 }, (_, seed) => {
      const noise = new js.Noise(1000 + seed), real = js.crowdPoints(noise, 40);
      const { density, coverage } = js.measures(real, js.crowdPoints(noise, 12), 3);
      return [density, coverage];
    });
    """
    drawn = np.array(in_node("neighbors", body, tmp_path))
    error = drawn.std(0) / math.sqrt(len(drawn))
    assert (np.abs(drawn.mean(0) - [1, perfect_coverage(40, 12, 3)]) < 4 * error).all()


def test_the_real_law_has_the_moments_of_two_crowds(tmp_path: Path):
    points = np.array(in_node("neighbors", "return js.crowdPoints(new js.Noise(1), 20000);", tmp_path))
    centers, spreads = np.array([row[:2] for row in LAW]), np.array([row[2] for row in LAW])
    second = (centers**2).mean(0) + (spreads**2).mean()
    assert np.abs(points.mean(0) - centers.mean(0)).max() < 4 * 1.4 / math.sqrt(20000)
    assert np.abs((points**2).mean(0) - second).max() < 4 * 2.0 / math.sqrt(20000)

"""The explorables' mathematics, run in node, against pcltut, torch and numpy on the same noise."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from in_node import in_node

from pcltut.explorables.explorable import SCRIPTS, script
from pcltut.explorables.garment import garment, garment_model, packed_decoder
from pcltut.samplers import ula, value_and_score_of


def test_noise_is_standard_normal_and_a_function_of_seed_and_index(tmp_path: Path):
    body = """
    const draw = (seed) => [...new js.Noise(seed).normals(20000)];
    return {a: draw(1), again: draw(1), b: draw(2)};
    """
    drawn = in_node("core", body, tmp_path)
    assert drawn["a"] == drawn["again"]
    a, b = np.array(drawn["a"]), np.array(drawn["b"])
    error = 1 / math.sqrt(len(a))
    assert abs(a.mean()) < 4 * error and abs(a.var() - 1) < 4 * error * math.sqrt(2)
    assert abs((a**4).mean() - 3) < 4 * error * math.sqrt(96)  # the fourth moment's own variance is 105 - 9
    assert abs((a[1:] * a[:-1]).mean()) < 4 * error and abs((a * b).mean()) < 4 * error


def test_linear_algebra(tmp_path: Path):
    generator = np.random.default_rng(0)
    root = generator.normal(size=(4, 4))
    matrix, vector = root @ root.T + np.eye(4), generator.normal(size=4)
    points = generator.normal(size=(30, 3))
    body = """
    const {a, v, points} = given, small = [[a[0][0], a[0][1]], [a[1][0], a[1][1]]];
    return {
      product: js.multiply(a, js.transpose(a)), applied: js.apply(a, v),
      solved: js.solve(a, v), inverse: js.inverse(a), eigen: js.eigen2(small),
      total: js.logSumExp(v.map((value) => 1000 + value)), moments: js.meanAndCovariance(points),
      shifted: js.combine(a, js.identity(4), -2), half: js.scaled(a, 0.5),
    };
    """
    got = in_node("core", body, tmp_path, a=matrix.tolist(), v=vector.tolist(), points=points.tolist())
    values, vectors = np.linalg.eigh(matrix[:2, :2])
    expected = {
        "product": matrix @ matrix.T,
        "applied": matrix @ vector,
        "solved": np.linalg.solve(matrix, vector),
        "inverse": np.linalg.inv(matrix),
        "total": 1000 + np.log(np.exp(vector).sum()),
        "shifted": matrix - 2 * np.eye(4),
        "half": matrix / 2,
    }
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-10, atol=1e-10, err_msg=name)
    np.testing.assert_allclose(got["eigen"]["values"], values[::-1], rtol=1e-12)
    for mine, theirs in zip(got["eigen"]["vectors"], vectors.T[::-1], strict=True):
        assert abs(np.dot(mine, theirs)) == pytest.approx(1)
    np.testing.assert_allclose(got["moments"]["mean"], points.mean(0), rtol=1e-10)
    np.testing.assert_allclose(got["moments"]["covariance"], np.cov(points.T), rtol=1e-10)


@pytest.mark.parametrize("rows", [4, 28])
def test_the_decoder_and_its_score_are_those_of_the_model(tmp_path: Path, rows: int):
    z = torch.randn(7, 2, generator=torch.Generator().manual_seed(3))
    seen = garment()[..., :rows, :]
    body = """
    const decoder = new js.Decoder(given.decoder.sizes, js.unpackHalves(given.decoder.weights));
    return given.z.map((z) => {
      const {value, score} = decoder.logJointAndScore(z, given.seen, 1);
      return {value, score, image: [...decoder.decode(z)]};
    });
    """
    given = {"decoder": packed_decoder(), "z": z.tolist(), "seen": seen.flatten().tolist()}
    got = in_node("core", body, tmp_path, **given)
    model = garment_model(rows)
    value, score = value_and_score_of(lambda z: model.log_joint(seen, z))(z[:, None])
    image = garment_model().decode(z).flatten(1)
    np.testing.assert_allclose([each["value"] for each in got], value[:, 0], rtol=1e-5)
    np.testing.assert_allclose([each["score"] for each in got], score[:, 0], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose([each["image"] for each in got], image, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("temperature", [0.0, 1.0, 2.5])
def test_a_langevin_step_is_that_of_ula(tmp_path: Path, temperature: float):
    generator = torch.Generator().manual_seed(4)
    z, noise = torch.randn(2, 5, 1, 3, generator=generator, dtype=torch.float64)
    kernel = ula(value_and_score_of(lambda z: -(z**4).sum(-1) / 4), 0.03, temperature=temperature)
    expected = kernel.step(kernel.init(z), noise)[0].z[:, 0]
    body = """
    return given.z.map((z, i) =>
      js.langevinStep(z, z.map((v) => -(v ** 3)), 0.03, given.temperature, given.noise[i]));
    """
    got = in_node("core", body, tmp_path, z=z[:, 0].tolist(), noise=noise[:, 0].tolist(), temperature=temperature)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)


def wavy(points: np.ndarray) -> np.ndarray:
    """An energy with a few valleys, for each row of `points`."""
    x, y = points.T
    return np.cos(2 * x) + np.sin(3 * y) + 0.1 * (x + 0.3) ** 2 + 0.2 * (y - 0.2) ** 2


def test_the_grid_goes_row_by_row_from_the_top_and_finds_the_nearest_point(tmp_path: Path):
    body = """
    const grid = new js.Grid(2, 41), plane = new js.Plane(300, 2, [0.5, 1]);
    return {points: grid.points, spacing: grid.spacing, cells: given.z.map((z) => grid.cellAt(z)),
      there: given.z.map((z) => plane.at(z)), back: given.z.map((z) => plane.under(...plane.at(z))),
      clipped: plane.clip([9, -9])};
    """
    z = np.random.default_rng(1).uniform(-1, 1, size=(20, 2))
    got = in_node("charts", body, tmp_path, z=z.tolist())
    axis = np.linspace(-2, 2, 41)
    points = np.array([[x, y] for y in axis[::-1] for x in axis])
    np.testing.assert_allclose(got["points"], points, atol=1e-12)
    assert got["spacing"] == pytest.approx(0.1)
    nearest = np.linalg.norm(points - z[:, None], axis=-1).argmin(1)
    assert got["cells"] == nearest.tolist()
    np.testing.assert_allclose(got["there"], 150 + (z - [0.5, 1]) * [75, -75])  # y points down on a page
    np.testing.assert_allclose(got["back"], z)
    assert got["clipped"] == [2.5, -1]


def steepest_descent(energies: np.ndarray, start: int) -> int:
    """The cell of a square grid where going from cell to lowest neighboring cell ends."""
    side = math.isqrt(len(energies))
    while True:
        row, column = divmod(start, side)
        near = [
            r * side + c
            for r in range(max(0, row - 1), min(side, row + 2))
            for c in range(max(0, column - 1), min(side, column + 2))
        ]
        lowest = min(near, key=lambda cell: energies[cell])
        if lowest == start:
            return start
        start = lowest


def test_valleys_are_where_steepest_descent_ends_and_shallow_ones_are_merged(tmp_path: Path):
    body = """
    const grid = new js.Grid(3, 61);
    return {points: grid.points, valleys: [0, 0.3, 100].map((sill) => [...grid.valleys(given.energies, sill)])};
    """
    axis = np.linspace(-3, 3, 61)
    energies = wavy(np.array([[x, y] for y in axis[::-1] for x in axis]))
    all_of_them, deep, one = in_node("charts", body, tmp_path, energies=energies.tolist())["valleys"]
    assert all_of_them == [steepest_descent(energies, cell) for cell in range(len(energies))]
    assert 1 < len(set(deep)) < len(set(all_of_them)) and set(deep) < set(all_of_them)
    assert set(one) == {energies.argmin()}


def test_a_contour_lies_where_the_function_has_its_value(tmp_path: Path):
    body = "return new js.Grid(3, 241).contour(given.values, 0.5);"
    axis = np.linspace(-3, 3, 241)
    points = np.array([[x, y] for y in axis[::-1] for x in axis])
    values = wavy(points)
    pieces = np.array(in_node("charts", body, tmp_path, values=values.tolist()))
    np.testing.assert_allclose(wavy(pieces.reshape(-1, 2)), 0.5, atol=2e-3)
    assert np.linalg.norm(pieces[:, 0] - pieces[:, 1], axis=1).max() < 0.036  # within a triangle of the grid
    above = (values > 0.5).reshape(241, 241)
    crossed = (above[1:] != above[:-1]).sum() + (above[:, 1:] != above[:, :-1]).sum()
    diagonal = (above[1:, :-1] != above[:-1, 1:]).sum()
    ends, count = np.unique(pieces.reshape(-1, 2).round(9), axis=0, return_counts=True)
    assert len(ends) == crossed + diagonal  # the line crosses every edge that has the value in it,
    assert set(count) <= {1, 2} and (np.abs(ends[count == 1]) > 2.999).any(1).all()  # and ends at the rim only


def test_scales_are_straight_or_straight_in_the_logarithm(tmp_path: Path):
    body = """
    return [js.scale(2, -6, 10, 50)(0), js.logScale(0.1, 1000, 0, 8)(1), js.clamp(0, -1, 5), js.clamp(0, 7, 5)];
    """
    assert in_node("charts", body, tmp_path) == pytest.approx([20, 2, 0, 5])


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("*.js")), ids=lambda path: path.name)
def test_a_script_is_short(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 250


BOOK = Path(__file__).resolve().parents[1] / "book"


@pytest.mark.parametrize("chapter", sorted(BOOK.glob("[0-9][0-9]_*.ipynb")), ids=lambda path: path.stem)
def test_the_scripts_of_a_page_are_light(chapter: Path):
    """Each widget of a page carries its own joined text."""
    imported = set(re.findall(r"from pcltut\.explorables\.(\w+) import", chapter.read_text(encoding="utf-8")))
    texts = [script(name) for name in imported if (SCRIPTS / f"{name}.js").is_file()]
    assert sum(len(text.encode()) for text in texts) <= 60_000


def test_the_joined_text_holds_what_a_script_imports_once_and_before_it():
    text = script("stretched")
    places = [text.index(words) for words in ("class Noise", "class StretchedCrowd", "class StretchedPosterior")]
    assert places == sorted(places) and "class Plane" in text and "class Plane" not in script("verdicts")
    assert text.count("class Noise") == 1 and not re.search(r"^import|^ *//", text, re.MULTILINE)

"""The explorables' mathematics, run in node, against pcltut, torch and numpy on the same noise."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from in_node import in_node

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

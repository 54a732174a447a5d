"""The path weights of the explorable, run in node, against pcltut's path bound and oracle on the same noise."""

import numpy as np
import pytest
import torch
from in_node import in_node
from torch import Tensor

from pcltut.evaluation import annealing, path_bound, ula_path_bound
from pcltut.evaluation.annealing import Bridges
from pcltut.models import DiagonalGaussian, LinearGaussian
from pcltut.samplers import ula

MODEL = LinearGaussian(torch.tensor([[8.0**0.5]], dtype=torch.float64)).requires_grad_(False)
PRIOR = DiagonalGaussian(torch.zeros(1, 1, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64))
SETTINGS = [
    {"x": 4.0, "stepSize": 0.05, "numSteps": 16, "annealed": True},
    {"x": -2.5, "stepSize": 0.15, "numSteps": 7, "annealed": True},
    {"x": 4.0, "stepSize": 0.05, "numSteps": 16, "annealed": False},
    {"x": 1.0, "stepSize": 0.2, "numSteps": 1, "annealed": True},
]


WALK = """
const steps = js.ulaSteps(given.x, given.stepSize, given.numSteps, given.annealed);
const walk = (back) => given.noise.map((row) => js.walkPath(steps, (t) => row[t], back));
const weigh = (paths) => paths.map((path) => js.logWeight(steps, path));
"""


def x_of(setting: dict) -> Tensor:
    return torch.tensor([[setting["x"]]], dtype=torch.float64)


def shares_of(setting: dict) -> list[float]:
    steps = setting["numSteps"]
    return [t / steps if setting["annealed"] else 1.0 for t in range(1, steps + 1)]


def weights_there(setting: dict, noise: Tensor, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """The log-weights that pcltut's path bound gives for `noise`, one row a path: the start's, then each step's."""
    columns = iter(noise.T)

    def replayed(shape: torch.Size, **_: object) -> Tensor:
        return next(columns).reshape(shape)

    with monkeypatch.context() as patched:
        patched.setattr(path_bound, "standard_normal", replayed)
        patched.setattr(annealing, "standard_normal", replayed)
        return ula_path_bound(
            MODEL, x_of(setting), PRIOR, setting["stepSize"], setting["numSteps"], annealed=setting["annealed"],
            num_samples=len(noise), generator=torch.Generator(),
        )[:, 0]  # fmt: skip


def path_back(setting: dict, noise: Tensor) -> Tensor:
    """Paths `[paths, steps + 1]` from the oracle's posterior back, by pcltut's ULA kernel on pcltut's bridges."""
    bridges = Bridges(MODEL, x_of(setting), PRIOR)
    mean, covariance = MODEL.posterior(x_of(setting))
    states = [mean + covariance.sqrt() * noise[:, :1, None]]
    for share, column in zip(shares_of(setting)[::-1], noise.T[1:], strict=True):
        kernel = ula(bridges.target(share), setting["stepSize"])
        states.append(kernel.step(kernel.init(states[-1]), column[:, None, None])[0].z)
    return torch.cat(states[::-1], -1)[:, 0]


def weights_of(setting: dict, path: Tensor) -> Tensor:
    """Eq. eq-path-bound of given paths, with the densities of pcltut's model and the scores of its bridges."""
    bridges, step_size = Bridges(MODEL, x_of(setting), PRIOR), setting["stepSize"]
    points = [bridges.evaluate(z[:, None, None]) for z in path.T]
    total = MODEL.log_joint(x_of(setting), points[-1].z) - MODEL.log_prior(points[0].z)
    for share, before, after in zip(shares_of(setting), points[:-1], points[1:], strict=True):
        there = after.z - before.z - step_size * before.score(share)
        back = before.z - after.z - step_size * after.score(share)
        total = total + (there.square() - back.square()).sum(-1) / (4 * step_size)
    return total[:, 0]


def exact_points(setting: dict) -> Tensor:
    """Noise over which the plain mean of a quadratic function is its exact mean over standard normal noise."""
    size = setting["numSteps"] + 1
    root = size**0.5 * torch.eye(size, dtype=torch.float64)
    return torch.cat([root, -root])


@pytest.mark.parametrize("setting", SETTINGS)
def test_log_weights_and_bounds_are_those_of_the_package_on_the_same_noise(tmp_path, setting, monkeypatch):
    noise = torch.randn(40, setting["numSteps"] + 1, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    body = WALK + "return {there: weigh(walk(false)), back: weigh(walk(true)), paths: walk(true).map((z) => [...z])};"
    got = in_node("path_weights", body, tmp_path, noise=noise.tolist(), **setting)
    there, paths = weights_there(setting, noise, monkeypatch), path_back(setting, noise)
    back = weights_of(setting, paths)
    np.testing.assert_allclose(got["paths"], paths, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(got["there"], there, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(got["back"], back, rtol=1e-6, atol=1e-6)
    assert np.mean(got["there"]) == pytest.approx(there.mean().item(), rel=1e-6)
    assert np.mean(got["back"]) == pytest.approx(back.mean().item(), rel=1e-6)


@pytest.mark.parametrize("setting", SETTINGS)
def test_expected_bounds_are_the_package_s_exact_means(tmp_path, setting, monkeypatch):
    """The log-weight is quadratic in the noise, so few points give its mean without any chance."""
    body = WALK + "return {...js.expectedBounds(steps), evidence: js.logEvidence(given.x)};"
    got = in_node("path_weights", body, tmp_path, noise=[], **setting)
    points = exact_points(setting)
    lower = weights_there(setting, points, monkeypatch).mean().item()
    upper = weights_of(setting, path_back(setting, points)).mean().item()
    evidence = MODEL.log_evidence(x_of(setting)).item()
    assert got["evidence"] == pytest.approx(evidence, rel=1e-12)
    assert got["lower"] == pytest.approx(lower, rel=1e-8) and got["upper"] == pytest.approx(upper, rel=1e-8)
    assert lower < evidence < upper


def test_the_same_weight_is_unbiased_both_ways(tmp_path):
    """E[w] = p(x) over paths there, E[1 / w] = 1 / p(x) over paths back, at a step size with a large bias of ULA."""
    setting = SETTINGS[1]
    noise = torch.randn(20_000, setting["numSteps"] + 1, generator=torch.Generator().manual_seed(5))
    body = WALK + "return {there: weigh(walk(false)), back: weigh(walk(true))};"
    got = in_node("path_weights", body, tmp_path, noise=noise.tolist(), **setting)
    evidence = MODEL.log_evidence(x_of(setting)).item()
    for excess in (np.array(got["there"]) - evidence, evidence - np.array(got["back"])):
        ratio = np.exp(excess)
        assert abs(ratio.mean() - 1) < 4.5 * ratio.std() / len(ratio) ** 0.5


def test_the_step_size_that_is_called_best_has_the_narrowest_gap(tmp_path, monkeypatch):
    best = in_node("path_weights", "return js.bestStepSize(4, 16, true);", tmp_path)

    def gap(step_size: float) -> float:
        setting = SETTINGS[0] | {"stepSize": step_size}
        points = exact_points(setting)
        upper = weights_of(setting, path_back(setting, points)).mean()
        return (upper - weights_there(setting, points, monkeypatch).mean()).item()

    assert best["gap"] == pytest.approx(gap(best["stepSize"]), rel=1e-8)
    assert best["gap"] < min(gap(best["stepSize"] * factor) for factor in (0.3, 0.6, 1.5))

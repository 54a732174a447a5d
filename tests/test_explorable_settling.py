"""The mathematics of chapter 2's explorable, run in node, against pcltut's chain, eigenvalues and training."""

import math
from pathlib import Path

import pytest
import torch
from in_node import in_node
from traitlets import TraitError

from pcltut.explorables.settling import Settling
from pcltut.models import LinearGaussian
from pcltut.samplers import gradient_ascent, run, stability_margin, value_and_score_of

SCALE, STATES, RATE = 0.5, 20, 0.005  # of the view "learn"


def settled(model: LinearGaussian, x: torch.Tensor, z: torch.Tensor, step_size: float, num_steps: int):
    """State and trace of the package's chain."""
    kernel = gradient_ascent(value_and_score_of(lambda z: model.log_joint(x, z)), step_size)
    return run(kernel, kernel.init(z), num_steps, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("step_size", [0.02, 0.088, 0.1])  # it creeps, overshoots, and is thrown out
def test_the_path_is_that_of_gradient_ascent_and_the_factors_are_those_of_the_curvature(
    tmp_path: Path, step_size: float
):
    body = """
    const valley = new js.Valley(js.TOY);
    const path = valley.path(given.start, given.step, 60);
    return {toy: js.TOY, path, factors: valley.factors(given.step), answer: valley.answer,
      distances: path.map((z) => valley.distances(z))};
    """
    got = in_node("settling", body, tmp_path, start=Settling().start, step=step_size)
    toy = got["toy"]
    model = LinearGaussian(torch.tensor(toy["weight"], dtype=torch.float64), scale=toy["scale"]).requires_grad_(False)
    x, start = (torch.tensor([row], dtype=torch.float64) for row in (toy["image"], Settling().start))
    state, trace = settled(model, x, start, step_size, 60)
    expected = torch.cat([trace.z, state.z[None]])[:, 0]
    mean, precision = model.posterior(x)[0], model.posterior_precision()
    curvatures, directions = torch.linalg.eigh(precision)
    away = expected - mean
    distances = torch.cat([(away @ directions).abs().flip(1), away.norm(dim=1, keepdim=True)], 1)

    def close(ours: object, theirs: torch.Tensor) -> None:
        torch.testing.assert_close(torch.tensor(ours, dtype=torch.float64), theirs, rtol=1e-9, atol=1e-9)

    close(got["path"], expected)
    close(got["answer"], mean[0])
    close(got["factors"], 1 - step_size * curvatures.flip(0))
    close(got["distances"], distances)


def force_of_points(weight: float, step_size: float, variance: float) -> float:
    """The mean gradient of log p(x, z) in the weight at the last of STATES states of the package's chain.

    It is of second order in data and start, so plus and minus one deviation of both give its exact mean.
    """
    x, z = both_signs(variance)
    model = scalar(weight)
    last = settled(model, x, z, step_size, STATES - 1)[0].z.detach()
    return torch.autograd.grad(model.log_joint(x, last).mean(), [model.weight])[0].item()


def force_of_evidence(weight: float, variance: float) -> float:
    """The mean gradient of the exact log-evidence in the weight."""
    model = scalar(weight)
    return torch.autograd.grad(model.log_evidence(both_signs(variance)[0]).mean(), [model.weight])[0].item()


def both_signs(variance: float) -> tuple[torch.Tensor, torch.Tensor]:
    signs = torch.tensor([1.0, -1.0], dtype=torch.float64)
    x, z = torch.meshgrid(math.sqrt(variance) * signs, signs, indexing="ij")
    return x.reshape(-1, 1), z.reshape(-1, 1)


def scalar(weight: float) -> LinearGaussian:
    return LinearGaussian(torch.tensor([[weight]], dtype=torch.float64), scale=SCALE)


@pytest.mark.parametrize(("step_size", "variance", "start"), [(0.088, 3.0, 0.5), (0.04, 8.0, 0.5), (0.1, 1.0, 2.05)])
def test_the_weight_learns_as_from_settled_points_and_as_from_the_evidence(
    tmp_path: Path, step_size: float, variance: float, start: float
):
    body = """
    const {step, variance, start} = given;
    return {rate: js.LEARNER.rate, states: js.LEARNER.states, scale: js.LEARNER.scale,
      point: [...js.learn((w) => js.pointForce(w, step, variance), 30, start)],
      spread: [...js.learn((w) => js.spreadForce(w, variance), 30, start)]};
    """
    got = in_node("settling", body, tmp_path, step=step_size, variance=variance, start=start)
    assert (got["rate"], got["states"], got["scale"]) == (RATE, STATES, SCALE)
    point, spread = [start], [start]
    for _ in range(30):
        point.append(point[-1] + RATE * force_of_points(point[-1], step_size, variance))
        spread.append(spread[-1] + RATE * force_of_evidence(spread[-1], variance))
    assert got["point"] == pytest.approx(point, rel=1e-9)
    assert got["spread"] == pytest.approx(spread, rel=1e-9)


@pytest.mark.parametrize(("step_size", "variance"), [(0.088, 3.0), (0.1, 8.0), (0.03, 0.5)])
def test_learning_from_settled_points_ends_near_the_edge_and_learning_from_the_posterior_at_the_data(
    tmp_path: Path, step_size: float, variance: float
):
    body = """
    const end = (force) => js.learn(force)[js.LEARNER.updates];
    return {point: end((w) => js.pointForce(w, given.step, given.variance)),
      spread: end((w) => js.spreadForce(w, given.variance))};
    """
    got = in_node("settling", body, tmp_path, step=step_size, variance=variance)
    below, there, above = (force_of_points(got["point"] + shift, step_size, variance) for shift in (-0.05, 0, 0.05))
    assert below > 0 > above
    assert abs(there) < 0.01 * min(below, -above)
    x, z = both_signs(variance)
    margin = stability_margin(scalar(got["point"]), x, z, step_size, generator=torch.Generator().manual_seed(0))
    assert 1 < margin < 2 / 1.75
    assert got["spread"] ** 2 + SCALE**2 == pytest.approx(variance)  # maximum likelihood


def test_python_sets_the_parameters():
    explorable = Settling(view="learn", step_size=0.05, start=[1.0, 2.0], variance=4.0, caption="Drag.")
    assert explorable.get_state()["view"] == "learn"
    with pytest.raises(TraitError):
        explorable.view = "layers"
    with pytest.raises(TraitError):
        explorable.start = [1.0]

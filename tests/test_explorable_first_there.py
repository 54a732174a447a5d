"""The race of four starts, computed in node, against the linear-Gaussian model and torch's own divergence."""

from pathlib import Path

import numpy as np
import pytest
import torch
from in_node import in_node
from torch.distributions import MultivariateNormal, kl_divergence

from pcltut.explorables.first_there import FirstThere
from pcltut.models import DiagonalGaussian, LinearGaussian
from pcltut.objectives import jeffreys_loss

MEAN = torch.full((2,), 0.8, dtype=torch.float64)
AXES = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64) / 2**0.5  # along the ridge, across it


def shown_race(correlation: float, step_size: float, folder: Path) -> dict:
    """The race as the page computes it: for each start its law, its distance and the words, after 0 to 100 steps."""
    body = """
    const state = js.race(given.correlation, given.step);
    const runners = state.runners.map((runner) => ({...runner, laws: runner.laws.slice(0, 101)}));
    const told = Array.from({length: 101}, (_, t) => js.finding(state, t, given.step));
    return {...state, runners, told};
    """
    state = in_node("first_there", body, folder, correlation=correlation, step=step_size)
    return {**state, "runners": {runner["key"]: runner for runner in state["runners"]}}


def model_with_correlation(correlation: float) -> LinearGaussian:
    covariance = 0.1 * torch.tensor([[1.0, correlation], [correlation, 1.0]], dtype=torch.float64)
    root = torch.linalg.cholesky(torch.linalg.inv(covariance) - torch.eye(2).double())
    return LinearGaussian(root.T).requires_grad_(False)


def starts(model: LinearGaussian) -> dict[str, tuple[torch.Tensor, float]]:
    """Mean and variance of each start, from the chapter's optima and the prior."""
    precision = model.posterior_precision()
    inner, outer = 1 / precision[0, 0].item(), torch.linalg.inv(precision)[0, 0].item()
    encoders = {"reverse": inner, "jeffreys": (inner * outer) ** 0.5, "forward": outer}
    return {"prior": (torch.zeros_like(MEAN), 1.0)} | {name: (MEAN, value) for name, value in encoders.items()}


def distances(model: LinearGaussian, start: tuple, step_size: float, count: int) -> list[float]:
    """KL of the chain's law from the posterior, after 0, 1, ..., count steps."""
    posterior = MultivariateNormal(MEAN, precision_matrix=model.posterior_precision())
    forget = torch.eye(2).double() - step_size * model.posterior_precision()
    errors, covariances = [start[0] - MEAN], [start[1] * torch.eye(2).double()]
    for _ in range(count):
        errors.append(forget @ errors[-1])
        covariances.append(model.ula_covariance_after(1, step_size, covariances[-1]))
    laws = MultivariateNormal(MEAN + torch.stack(errors), torch.stack(covariances))
    return kl_divergence(laws, posterior).tolist()


@pytest.mark.parametrize(("correlation", "step_size"), [(0.9, 0.002), (0.6, 0.01), (0.95, 0.008)])
def test_laws_and_distances_are_those_of_the_model(tmp_path: Path, correlation: float, step_size: float):
    model, shown = model_with_correlation(correlation), shown_race(correlation, step_size, tmp_path)
    assert set(shown["runners"]) == {"reverse", "jeffreys", "forward", "prior"}
    for name, start in starts(model).items():
        runner = shown["runners"][name]
        assert runner["start"]["variance"] == pytest.approx(start[1], rel=1e-12)
        for t in (0, 1, 10, 100):
            law = model.ula_covariance_after(t, step_size, start[1] * torch.eye(2).double())
            rotated = AXES @ law @ AXES.T
            np.testing.assert_allclose(runner["laws"][t]["variance"], rotated.diagonal(), rtol=1e-9)
            assert abs(rotated[0, 1]) < 1e-12  # so that two variances are the whole of the law
        expected = distances(model, start, step_size, 400)
        count = min(len(runner["distance"]), len(expected))
        assert count > 100
        np.testing.assert_allclose(runner["distance"][:count], expected[:count], rtol=1e-8, atol=1e-10)
        late = [t for t, value in enumerate(expected) if value > shown["end"] + 0.01]
        assert runner["arrival"] == (late[-1] + 1 if late else 0)
    ula = MultivariateNormal(MEAN, model.ula_stationary_covariance(step_size))
    posterior = MultivariateNormal(MEAN, precision_matrix=model.posterior_precision())
    assert shown["end"] == pytest.approx(kl_divergence(ula, posterior).item(), rel=1e-9)


def test_the_jeffreys_start_is_where_the_package_loss_is_flat(tmp_path: Path):
    model, shown = model_with_correlation(0.9), shown_race(0.9, 0.002, tmp_path)
    log_scale = torch.full((1, 2), shown["runners"]["jeffreys"]["start"]["variance"]).double().log() / 2
    log_scale.requires_grad_()
    precision = model.posterior_precision()
    x = (torch.linalg.inv(model.weight.T) @ precision @ MEAN)[None]  # of which the posterior's mean is MEAN
    torch.testing.assert_close(model.posterior(x)[0][0], MEAN)
    points = 2**0.5 * torch.cat([torch.eye(2), -torch.eye(2)]).double()[:, None]  # mean 0, covariance I
    samples = MEAN + points @ torch.linalg.cholesky(torch.linalg.inv(precision)).T
    loss = jeffreys_loss(model, x, DiagonalGaussian(MEAN[None], log_scale), points, samples)
    assert torch.autograd.grad(loss.sum(), log_scale)[0].abs().max() < 1e-6


def test_the_lead_passes_from_the_narrow_to_the_wide(tmp_path: Path):
    widget = FirstThere()
    model = model_with_correlation(widget.correlation)
    told = shown_race(widget.correlation, widget.step_size, tmp_path)["told"]
    gaps = {name: distances(model, start, widget.step_size, 30) for name, start in starts(model).items()}
    leaders = [min(gaps, key=lambda name: gaps[name][t]) for t in range(31)]
    assert list(dict.fromkeys(leaders)) == ["reverse", "jeffreys", "forward"]
    assert [said["leader"] for said in told[:31]] == leaders
    assert (
        leaders[widget.steps] == "forward"
        and f"{gaps['forward'][widget.steps]:.3f} nats" in told[widget.steps]["words"]
    )
    assert "one step" in told[1]["words"] and "Before" in told[0]["words"]


@pytest.mark.parametrize(
    ("correlation", "step_size", "words"),
    [
        (0.97, 0.01, "beyond the edge of stability"),
        (0.05, 0.002, "nothing to choose"),
        (0.9, 0.019, "make a good start worse"),
        (0.6, 0.01, "forgotten"),
    ],
)
def test_where_the_start_does_not_decide_nobody_is_named(
    tmp_path: Path, correlation: float, step_size: float, words: str
):
    said = shown_race(correlation, step_size, tmp_path)["told"][60]
    assert words in said["words"] and "leader" not in said

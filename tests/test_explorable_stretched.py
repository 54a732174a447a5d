"""The stretched posterior's crowd, run in node, against pcltut's ULA and RMSPreconditioner on the same noise."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from in_node import in_node

from pcltut.explorables.stretched import Stretched
from pcltut.models import LinearGaussian
from pcltut.samplers import RMSPreconditioner, ula, value_and_score_of

# Of a crowd: where it starts, the noise of its steps, and what it has become.
CROWD = """
const {steps, ...options} = given;
const crowd = new js.StretchedCrowd(options);
const start = crowd.z;
const {index} = crowd.noise; // what the start has used up
for (let t = 0; t < steps; t++) crowd.step();
const replay = new js.Noise(options.seed);
replay.index = index;
const noise = Array.from({length: steps}, () => start.map(() => [...replay.normals(2)]));
const {mean, covariance} = crowd;
return {start, noise, z: crowd.z, scale: crowd.scale(), ratios: crowd.ratios(), mean, covariance};
"""
SETTINGS = {"ratio": 100.0, "stepSize": 0.01, "decay": 0.9, "freezeAfter": 20, "walkers": 30, "seed": 5}


def stretched_model(ratio: float) -> LinearGaussian:
    """Its posterior has the precision diag(1, ratio)."""
    weight = torch.tensor([[0.0, math.sqrt(ratio - 1)]], dtype=torch.float64)
    return LinearGaussian(weight).requires_grad_(False)


def rms(share: str, decay: float, freeze_after: int | None = None) -> RMSPreconditioner:
    return RMSPreconditioner(decay, share=share, freeze_after=freeze_after)


@pytest.mark.parametrize(
    ("name", "preconditioner"),
    [
        ("none", lambda decay: None),
        ("datum", lambda decay: rms("datum", decay)),
        ("batch", lambda decay: rms("batch", decay)),
        ("frozen", lambda decay: rms("batch", decay, 20)),
    ],
)
@pytest.mark.parametrize(("ratio", "step_size", "decay"), [(100.0, 0.01, 0.9), (9.0, 0.1, 0.99)])
def test_every_walker_is_where_ula_puts_it(tmp_path: Path, name, preconditioner, ratio, step_size, decay):
    changes = {"ratio": ratio, "stepSize": step_size, "decay": decay, "preconditioner": name}
    got = in_node("stretched", CROWD, tmp_path, steps=50, **SETTINGS | changes)
    start, noise, arrived = (torch.tensor(got[key], dtype=torch.float64) for key in ("start", "noise", "z"))
    model, x = stretched_model(ratio), torch.zeros(1, 1, dtype=torch.float64)
    kernel = ula(value_and_score_of(lambda z: model.log_joint(x, z)), step_size, preconditioner=preconditioner(decay))
    state, visited = kernel.init(start[:, None]), [start]
    for each in noise:
        state, _ = kernel.step(state, each[:, None])
        visited.append(state.z[:, 0])
    assert (arrived - start).abs().max() > 0.5
    torch.testing.assert_close(arrived, visited[-1], rtol=0, atol=1e-8)

    mean, covariance = 0.0, 0.0  # what the page measures: an average of the crowd's moments over recent steps
    for t, z in enumerate(visited):
        rate = max(3 / (t + 3), 1 / 600)
        mean = mean + rate * (z.mean(0) - mean)
        covariance = covariance + rate * (z.T.cov() - covariance)
    np.testing.assert_allclose(got["mean"], mean, atol=1e-8)
    np.testing.assert_allclose(got["covariance"], covariance, atol=1e-8)
    np.testing.assert_allclose(got["ratios"], covariance.diagonal() * torch.tensor([1, ratio]), atol=1e-6)


@pytest.mark.parametrize(("ratio", "step_size"), [(100.0, 0.01), (25.0, 0.06)])
@pytest.mark.parametrize("scale", [[1.0, 1.0], [0.8, 0.11]])
def test_the_closed_form_is_the_linear_models(tmp_path: Path, ratio, step_size, scale):
    body = "return [1, given.ratio].map((l, k) => js.settled(given.step, l, given.scale[k]));"
    got = in_node("stretched", body, tmp_path, ratio=ratio, step=step_size, scale=scale)
    model, diagonal = stretched_model(ratio), torch.tensor(scale, dtype=torch.float64)
    settled = model.ula_stationary_covariance(step_size, preconditioner=diagonal)
    truth = model.posterior(torch.zeros(1, 1, dtype=torch.float64))[1]
    np.testing.assert_allclose([form["ratio"] for form in got], (settled / truth).diagonal(), rtol=1e-12)
    # eq-condition-number: the mean falls by e in 1 / (gamma M lambda) steps, for small steps
    factor = 1 - step_size * diagonal * model.posterior_precision().diagonal()
    assert factor[0] ** got[0]["steps"] == pytest.approx(math.exp(-1), rel=0.04)


def test_beyond_the_limit_there_is_no_closed_form_and_only_the_stiff_direction_explodes(tmp_path: Path):
    with pytest.raises(ValueError, match=r"expected 0 < step_size < 0\.02"):
        stretched_model(100.0).ula_stationary_covariance(0.03)
    body = """
    const crowd = new js.StretchedCrowd({...given, preconditioner: "none", stepSize: 0.03});
    for (let t = 0; t < 200; t++) crowd.step();
    return {exploded: crowd.exploded, none: js.settled(0.03, 100, 1).ratio === Infinity};
    """
    assert in_node("stretched", body, tmp_path, **SETTINGS) == {"exploded": [False, True], "none": True}


def test_frozen_crowds_have_the_law_that_the_linear_model_gives_their_scale(tmp_path: Path):
    body = """
    const crowd = new js.StretchedCrowd({...given, preconditioner: "frozen", freezeAfter: 200});
    for (let t = 0; t < 1500; t++) crowd.step();
    return {ratios: crowd.ratios(), scale: crowd.scale()};
    """
    got = in_node("stretched", body, tmp_path, **SETTINGS | {"stepSize": 0.05, "walkers": 500})
    diagonal = torch.tensor(got["scale"], dtype=torch.float64)
    expected = stretched_model(100.0).ula_stationary_covariance(0.05, preconditioner=diagonal).diagonal()
    np.testing.assert_allclose(got["ratios"], expected * torch.tensor([1.0, 100.0]), rtol=0.03)  # some 3 errors


def test_the_bias_of_an_own_scale_is_that_of_the_documentation(tmp_path: Path):
    told = re.search(r"E z\^2 is ([\d.]+), ([\d.]+) and ([\d.]+)\s+for decays of \.9, \.99 and \.999", rms_text())
    body = """
    const crowd = new js.StretchedCrowd({...given, preconditioner: "datum"});
    for (let t = 0; t < 2000; t++) crowd.step();
    const long = [0.9, 0.99, 0.999].map((decay) => js.longRun(0.01, 1, decay));
    return {soft: crowd.ratios()[0], long, stiff: js.longRun(0.001, 100, 0.9),
      other: js.longRun(0.01, 100, 0.9) === undefined};
    """
    got = in_node("stretched", body, tmp_path, **SETTINGS | {"walkers": 500})
    assert got["long"] == [float(number) for number in told.groups()]
    assert got["other"]
    assert got["soft"] == pytest.approx(got["long"][0], abs=0.1)  # some two errors of 500 walkers over 600 steps

    # The stiff direction with a step ten times smaller is the soft one in other units.
    assert got["stiff"] == got["long"][0]


def rms_text() -> str:
    return " ".join(RMSPreconditioner.__doc__.split())


def test_a_stiff_direction_is_a_soft_one_in_other_units():
    """With M of each walker's own, curvature c and step s act as curvature 1 and step s sqrt(c)."""
    noise = torch.randn(200, 6, 1, 1, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    ends = []
    for curvature, step_size in ((1.0, 0.01), (100.0, 0.001)):
        target = value_and_score_of(lambda z, c=curvature: -0.5 * c * z.square().sum(-1))
        kernel = ula(target, step_size, preconditioner=RMSPreconditioner(0.9, 1e-12))
        state = kernel.init(torch.ones(6, 1, 1, dtype=torch.float64) / math.sqrt(curvature))
        for each in noise:
            state, _ = kernel.step(state, each)
        ends.append(state.z * math.sqrt(curvature))
    torch.testing.assert_close(*ends, rtol=0, atol=1e-8)


def test_python_can_set_what_a_reader_can():
    widget = Stretched(preconditioner="batch", ratio=25.0, caption="Squeeze it.")
    assert (widget.preconditioner, widget.ratio, widget.step_size, widget.decay) == ("batch", 25.0, 0.01, 0.9)
    with pytest.raises(Exception, match="preconditioner"):
        Stretched(preconditioner="everything")

"""What strangers' targets and starts did to chains; each test is named after the kind of fault."""

import math

import pytest
import torch
from oracles import normal, seeded, skewed

from pcltut.models import LinearGaussian
from pcltut.samplers import (
    ChainDiverged,
    corrected_ula,
    gradient_ascent,
    hmc,
    mala,
    riemannian_ula,
    run,
    ula,
    underdamped,
    value_and_score_of,
)

KERNELS = {
    "ula": lambda target: ula(target, 0.1),
    "gradient_ascent": lambda target: gradient_ascent(target, 0.1),
    "corrected_ula": lambda target: corrected_ula(target, 0.1, torch.eye(3, dtype=torch.float64)),
    "mala": lambda target: mala(target, 0.1),
    "hmc": lambda target: hmc(target, 0.1, num_leapfrog=2),
    "underdamped": lambda target: underdamped(target, 0.1, friction=1.0),
    "riemannian_ula": lambda target: riemannian_ula(target, 0.1, eps=0.5, divergence=False),
}
WRONG_SHAPES = {
    "one number for all chains": lambda z: (-z.square().sum(), -2 * z),
    "summed over chains and kept": lambda z: (-z.square().sum(-1).sum(0), -2 * z),
    "one number for each latent": lambda z: (-z.square(), -2 * z),
    "a trailing axis": lambda z: (-z.square().sum(-1, keepdim=True), -2 * z),
    "score summed": lambda z: (-z.square().sum(-1), -2 * z.sum(-1)),
    "score without its chains": lambda z: (-z.square().sum(-1), -2 * z[0]),
}


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
@pytest.mark.parametrize("target", WRONG_SHAPES.values(), ids=WRONG_SHAPES)
def test_a_target_of_the_wrong_shape_is_named_at_once(kernel, target):
    made = kernel(target)
    with pytest.raises(ValueError, match=r"got a target with .*, expected \(5, 2\) and \(5, 2, 3\)"):
        run(made, made.init(normal(5, 2, 3, seed=1)), 3, generator=seeded(2))


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
@pytest.mark.parametrize("on_divergence", ["raise", "restart"])
@pytest.mark.parametrize("where", ["data", "start"])
def test_a_start_that_is_not_finite_is_named_and_no_step_size_blamed(kernel, on_divergence, where):
    """NaN in one row of x, or of z: MALA and HMC would never move that chain, and count nothing."""
    x, z = normal(4, 5, seed=3), normal(4, 3, seed=4)
    (x if where == "data" else z)[2, 1] = math.nan
    model = LinearGaussian(normal(5, 3, seed=5), scale=0.8).requires_grad_(False)
    made = kernel(value_and_score_of(lambda z: model.log_joint(x, z)))
    with pytest.raises(ValueError, match=r"start where .* in 1 of 4 chains, expected .*check the data"):
        run(made, made.init(z), 3, generator=seeded(6), on_divergence=on_divergence)


@pytest.mark.parametrize("keep", ["all", "last"])
def test_a_start_that_is_finite_and_diverges_blames_the_step_size(keep):
    kernel = ula(lambda z: (-50 * z.square().sum(-1), -100 * z), 0.1)
    with pytest.raises(ChainDiverged, match="lower step_size"):
        run(kernel, kernel.init(torch.ones(2, 3)), 500, generator=seeded(1), keep=keep)


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize(
    "call",
    [
        lambda: ula(skewed, "0.1"),
        lambda: ula(skewed, 0.1, temperature="1"),
        lambda: mala(skewed, None),
        lambda: hmc(skewed, 0.1, num_leapfrog=2.0),
        lambda: underdamped(skewed, 0.1, friction="1"),
        lambda: underdamped(skewed, 0.1, friction=1.0, temperature=0.0),
        lambda: riemannian_ula(skewed, 0.1, eps=None),
        lambda: run(ula(skewed, 0.1), ula(skewed, 0.1).init(torch.zeros(2, 3)), 2.0, generator=seeded(1)),
        lambda: run(ula(skewed, 0.1), ula(skewed, 0.1).init(torch.zeros(2, 3)), 2, generator=seeded(1), keep=True),
    ],
)
def test_values_that_cannot_be_handled_are_named_in_one_line(call):
    with pytest.raises(ValueError, match=r"^got .*, expected .*; "):
        call()


def test_a_score_without_a_graph_is_refused_where_it_would_drop_the_divergence_term():
    kernel = riemannian_ula(value_and_score_of(lambda z: -z.square().sum(-1)), 0.1, eps=0.5)
    with pytest.raises(ValueError, match="differentiable=True"):
        run(kernel, kernel.init(torch.ones(2, 3)), 1, generator=seeded(1))


def test_every_kernels_trace_begins_at_its_start():
    """z_0 .. z_{T-1}, with log-density and score there, whichever kernel; the returned state is z_T."""
    z = normal(4, 3, seed=7)
    for name, make in KERNELS.items():
        kernel = make(skewed)
        state, trace = run(kernel, kernel.init(z), 6, generator=seeded(8))
        assert torch.equal(trace.z[0], z), name
        log_density, score = skewed(trace.z)
        torch.testing.assert_close(trace.log_density, log_density, msg=name)
        torch.testing.assert_close(trace.score, score, msg=name)
        _, rest = run(kernel, state, 1, generator=seeded(9))
        assert torch.equal(rest.z[0], state.z), name

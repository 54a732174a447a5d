"""LPC with MALA and HMC: the theta-gradient belongs to accepted states, never to proposals."""

import pytest
import torch
from oracles import close, linear_weight, normal, seeded

from pcltut.models import LinearGaussian
from pcltut.samplers import ConstantPreconditioner, RMSPreconditioner, hmc, mala, run, value_and_score_of
from pcltut.training import LPC

SCALE = torch.tensor([0.6, 1.0, 1.4], dtype=torch.float64)
ALGORITHMS = [
    LPC(7, 0.08, warm_start="prior", kernel="mala"),
    LPC(7, 0.08, warm_start="prior", kernel="mala", accumulate="after-burn-in", temperature=0.7),
    LPC(7, 0.08, warm_start="prior", kernel="mala", preconditioner=ConstantPreconditioner(SCALE)),
    LPC(5, 0.4, warm_start="prior", kernel="hmc", num_leapfrog=3, accumulate="last"),
]


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda a: f"{a.kernel}-{a.accumulate}-{a.temperature}")
def test_theta_gradient_is_the_mean_over_accepted_states(algorithm):
    model, x = LinearGaussian(linear_weight(), scale=0.7), normal(8, 5, seed=1)
    passes = []
    model.decoder.register_forward_hook(lambda *_: passes.append(1))
    gradients = algorithm.gradients(model, None, x, generator=seeded(2))

    used = {"all": algorithm.num_steps, "last": 1, "after-burn-in": algorithm.num_steps - algorithm.num_steps // 2}
    leapfrog = algorithm.num_leapfrog if algorithm.kernel == "hmc" else 1
    # The start, each proposal or leapfrog point, and a pass of its own for each state that teaches the decoder.
    assert (
        len(passes) == gradients.decoder_evaluations == 1 + algorithm.num_steps * leapfrog + used[algorithm.accumulate]
    )

    generator = seeded(2)
    start = model.sample_prior(8, generator=generator)
    target = value_and_score_of(lambda z: model.log_joint(x, z))
    if algorithm.kernel == "mala":
        shared = {"temperature": algorithm.temperature, "preconditioner": algorithm.preconditioner}
        kernel = mala(target, algorithm.step_size, **shared)
    else:
        kernel = hmc(target, algorithm.step_size, num_leapfrog=leapfrog)
    state, trace = run(kernel, kernel.init(start), algorithm.num_steps, generator=generator)
    assert 0.05 < trace.acceptance.mean() < 0.98  # some proposals are refused: the two kinds of state differ
    close(gradients.acceptance, trace.acceptance.mean())
    states = torch.cat([trace.z[1:], state.z[None]])[-used[algorithm.accumulate] :]  # z_1 .. z_T
    expected = torch.autograd.grad(-model.log_joint(x, states).mean(), [model.weight, model.bias])
    for actual, value in zip(gradients.model, expected, strict=True):
        close(actual, value)


def test_an_adaptive_preconditioner_is_refused():
    with pytest.raises(ValueError, match=r"RMSPreconditioner\(.*ConstantPreconditioner"):
        LPC(3, 0.1, kernel="mala", preconditioner=RMSPreconditioner())


def test_named_algorithms_say_what_they_are():
    hoffman = LPC.hoffman2017(4, 0.1, num_leapfrog=5)
    assert (hoffman.kernel, hoffman.num_leapfrog, hoffman.accumulate, hoffman.warm_start) == (
        "hmc",
        5,
        "last",
        "reverse",
    )
    with pytest.raises(TypeError):
        LPC.algorithm_1(10, 1e-3)  # every open choice is to be stated
    choices = {"warm_start": "jeffreys", "accumulate": "all", "encoder_states": "last"}
    algorithm = LPC.algorithm_1(10, 1e-3, **choices, decay=0.9, eps=1e-6, share="batch", freeze_after=None)
    assert "decay=0.9, eps=1e-06, share='batch'" in repr(algorithm) and algorithm.warm_start == "jeffreys"

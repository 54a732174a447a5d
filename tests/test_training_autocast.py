"""Reduced precision under autocast: products of matrices alone; the chain, its score and the sums stay float32."""

import math

import torch

from pcltut.models import LinearGaussian
from pcltut.samplers import run, ula
from pcltut.training.gradients import MeanGradient, joint_target

WEIGHT = torch.tensor([[1.0, 0.3], [-0.5, 0.8], [0.2, -1.1]])
MODEL = LinearGaussian(WEIGHT, scale=0.7)
X = torch.tensor([[0.6, -0.4, 1.1]])
STEP_SIZE, CHAINS, NUM_STEPS = 0.2, 4000, 60  # a step large enough that its bias exceeds the test's error


def test_chains_in_bfloat16_have_the_stationary_law_of_float32(no_shape_checks) -> None:
    """Mean and covariance of many chains, against ULA's closed form, within 4.5 standard errors."""
    generator = torch.Generator().manual_seed(0)
    kernel = ula(joint_target(MODEL, X, list(MODEL.decoder.parameters())), STEP_SIZE)
    with torch.autocast("cpu", torch.bfloat16):
        state, _ = run(kernel, kernel.init(torch.zeros(CHAINS, 1, 2)), NUM_STEPS, generator=generator, keep="last")
    assert state.z.dtype == torch.float32
    z = state.z[:, 0]
    mean, exact = MODEL.posterior(X)
    covariance = MODEL.ula_stationary_covariance(STEP_SIZE)
    error = (covariance.diagonal() / CHAINS).sqrt()
    assert ((z.mean(0) - mean[0]).abs() < 4.5 * error).all()
    variances = covariance.diagonal()
    assert ((z.var(0) - variances).abs() < 4.5 * variances * math.sqrt(2 / CHAINS)).all()
    assert ((variances - exact.diagonal()) > 0.1 * variances).all()


def test_sums_of_gradients_stay_in_float32(no_shape_checks) -> None:
    """Their error is bfloat16's rounding of one product, eight bits, not that of a sum."""
    theta = list(MODEL.decoder.parameters())
    z = torch.randn(50, 1, 2, generator=torch.Generator().manual_seed(1))
    totals = []
    for enabled in (False, True):
        total = MeanGradient(theta)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            for point in z:
                log_joint, _, *terms = joint_target(MODEL, X, theta)(point)
                assert log_joint.dtype == torch.float32
                total.add(log_joint, terms)
        totals.append([gradient.clone() for gradient in total.descent()])
    for exact, reduced in zip(*totals, strict=True):
        assert reduced.dtype == torch.float32
        torch.testing.assert_close(reduced, exact, rtol=0.0, atol=2.0**-7 * exact.abs().max().item() + 0.02)

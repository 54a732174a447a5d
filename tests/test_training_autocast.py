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
    """Their error is that of products alone: each factor and each product is rounded once, to a relative 2^-9."""
    theta, scale = list(MODEL.decoder.parameters()), MODEL.scale.item()
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
    points, weight = z[:, 0], WEIGHT.abs()
    residual = ((X - points @ WEIGHT.T) / scale**2).abs()
    # The mean image: three roundings (weight, latent, sum). Then its residual, the latent and the product, one each.
    error = 2.0**-9 * (3 * points.abs() @ weight.T / scale**2 + 3 * residual)
    bounds = (error.T @ points.abs() / len(points), error.mean(0))
    for exact, reduced, bound in zip(*totals, bounds, strict=True):
        assert reduced.dtype == torch.float32
        assert ((reduced - exact).abs() <= bound).all() and (reduced != exact).any()

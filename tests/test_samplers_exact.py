"""Kernels whose stationary law is the target itself: MALA, HMC, and on Gaussian targets corrected ULA and BAOAB.

Sampler bugs hide at small steps: the targets are skewed or correlated and the steps large, acceptance .5 to .9.
"""

import pytest
import torch
from oracles import assert_covariance, assert_mean, close, linear_weight, normal, seeded, skewed, skewed_moments

from pcltut.models import LinearGaussian
from pcltut.samplers import (
    ConstantPreconditioner,
    corrected_ula,
    hmc,
    mala,
    riemannian_ula,
    run,
    ula,
    underdamped,
    value_and_score_of,
)

M = torch.tensor([0.5, 1.0, 1.5, 2.0])
SCALED = ConstantPreconditioner(M)


def states(kernel, *, shape=(1500, 4), warm_up=150, kept=40, between=3, seed=0) -> torch.Tensor:
    """States `[time, chain, latent]` after the start is forgotten, and the mean acceptance of the last step."""
    generator = seeded(seed)
    state, _ = run(kernel, kernel.init(torch.zeros(*shape)), warm_up, generator=generator, keep="last")
    seen = []
    for _ in range(kept):
        state, trace = run(kernel, state, between, generator=generator, keep="last")
        seen.append(state.z.double())
    return torch.stack(seen), trace.acceptance


METROPOLIS = {
    "mala": lambda temperature: mala(skewed, 1.1 * temperature, temperature=temperature),
    "mala-scale": lambda temperature: mala(skewed, 0.9 * temperature, temperature=temperature, preconditioner=SCALED),
    "hmc": lambda temperature: hmc(skewed, 1.1, num_leapfrog=3, temperature=temperature),
    "hmc-scale": lambda temperature: hmc(skewed, 0.9, num_leapfrog=2, temperature=temperature, preconditioner=SCALED),
}


@pytest.mark.parametrize("temperature", [1.0, 0.6])
@pytest.mark.parametrize("name", METROPOLIS)
def test_metropolis_kernels_leave_a_skewed_target_exact_at_large_steps(name, temperature):
    z, acceptance = states(METROPOLIS[name](temperature))
    assert 0.3 < acceptance.mean() < 0.93
    mean, variance, third = skewed_moments(temperature)
    by_chain = z.movedim(1, 0)  # chains are independent of each other, their states are not
    assert_mean(by_chain.mean(1), torch.full((4,), mean))
    assert_mean((by_chain - mean).square().mean(1), torch.full((4,), variance))
    assert_mean(((by_chain - mean) ** 3).mean(1), torch.full((4,), third))


@pytest.mark.parametrize("preconditioner", [None, ConstantPreconditioner(M.double())])
def test_hmc_with_one_leapfrog_step_is_mala(preconditioner):
    z = normal(50, 4, seed=1)
    one = mala(skewed, 0.5, preconditioner=preconditioner)
    other = hmc(skewed, 1.0, num_leapfrog=1, preconditioner=preconditioner)
    noise = one.draw(one.init(z), seeded(2))
    (first, info), (second, info_other) = one.step(one.init(z), noise), other.step(other.init(z), noise)
    close(first.z, second.z)
    close(info.acceptance, info_other.acceptance)


def test_mala_acceptance_is_the_ratio_of_joint_densities():
    """Detailed balance, point by point: p(z) q(z' | z) a(z, z') = p(z') q(z | z') a(z', z)."""
    step_size, z = 0.7, normal(200, 2, seed=3)
    kernel = mala(skewed, step_size)
    noise = kernel.draw(kernel.init(z), seeded(4))
    proposal = z + step_size * skewed(z)[1] + (2 * step_size) ** 0.5 * noise.normal
    _, info = kernel.step(kernel.init(z), noise)

    def log_flow(a, b):
        law = torch.distributions.Normal(a + step_size * skewed(a)[1], (2 * step_size) ** 0.5)
        return skewed(a)[0] + law.log_prob(b).sum(-1)

    close(info.acceptance, (log_flow(proposal, z) - log_flow(z, proposal)).exp().clamp(max=1))


@pytest.mark.parametrize("make", [mala, lambda t, h: hmc(t, h, num_leapfrog=2)])
def test_a_ratio_that_is_not_a_number_rejects(make):
    def broken(z):
        log_density, score = skewed(z)
        return torch.where(z[..., 0] > 0, torch.nan, log_density), torch.where(z[..., :1] > 0, torch.nan, score)

    kernel = make(broken, 0.5)
    state, trace = run(kernel, kernel.init(torch.full((300, 2), -1.0)), 50, generator=seeded(0))
    assert (state.z[:, 0] <= 0).all() and torch.isfinite(state.score).all()
    assert (trace.acceptance == 0).any() and (trace.acceptance > 0).any()


@pytest.fixture
def gaussian():
    model = LinearGaussian(linear_weight(), scale=0.8)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    x = normal(1, 5, seed=5)
    mean, covariance = model.posterior(x)
    return model, value_and_score_of(lambda z: model.log_joint(x.expand(len(z), -1), z)), mean, covariance


def gaussian_states(kernel, num=6000, steps=120, seed=7):
    state = kernel.init(torch.zeros(num, 3, dtype=torch.float64))
    return run(kernel, state, steps, generator=seeded(seed), keep="last")[0].z


@pytest.mark.parametrize("with_scale", [False, True])
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_corrected_ula_is_exact_on_a_gaussian_at_large_steps(gaussian, with_scale, temperature):
    model, target, mean, covariance = gaussian
    precision = model.posterior_precision()
    scale = 1 / precision.diagonal() if with_scale else None
    root = torch.ones(3) if scale is None else scale.sqrt()
    largest = torch.linalg.eigvalsh(root[:, None] * precision * root).max().item()
    preconditioner = None if scale is None else ConstantPreconditioner(scale)
    kernel = corrected_ula(target, 1.3 / largest, precision, temperature=temperature, preconditioner=preconditioner)
    assert_covariance(gaussian_states(kernel) - mean, temperature * covariance)
    with pytest.raises(ValueError, match="lower step_size"):
        corrected_ula(target, 2.01 / largest, precision, preconditioner=preconditioner)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_underdamped_is_exact_on_a_gaussian_at_large_steps(gaussian, temperature):
    model, target, mean, covariance = gaussian
    largest = torch.linalg.eigvalsh(model.posterior_precision()).max().item()
    kernel = underdamped(target, 1.5 / largest**0.5, friction=1.0, temperature=temperature)
    assert_covariance(gaussian_states(kernel) - mean, temperature * covariance)


def test_underdamped_is_less_biased_than_ula_at_the_same_number_of_evaluations():
    """On the skewed target at h^2 / 2 = gamma, both far from their limits: what earns the kernel its place."""
    gamma = 0.25
    errors = []
    for kernel in (underdamped(skewed, (2 * gamma) ** 0.5, friction=2.0), ula(skewed, gamma)):
        z, _ = states(kernel, kept=30)
        errors.append((z.var().item() - skewed_moments()[1]) / skewed_moments()[1])
    assert abs(errors[0]) < 0.25 * abs(errors[1])


@pytest.mark.slow
@pytest.mark.parametrize(("divergence", "expected"), [(False, 1.6148), (True, 1.0)])
def test_riemannian_steps_need_their_divergence_term(divergence, expected):
    """Stationary density pi / M without it, E z^2 = 1.6148 for eps = .5 on N(0, 1); the step's own bias is O(gamma)."""
    moments = []
    for step_size in (0.02, 0.01):
        target = value_and_score_of(lambda z: -0.5 * z.square().sum(-1), differentiable=True)
        kernel = riemannian_ula(target, step_size, eps=0.5, divergence=divergence)
        state = kernel.init(expected**0.5 * normal(20000, 1, seed=8))
        _, trace = run(kernel, state, int(8 / step_size), generator=seeded(9))
        moments.append(trace.z[len(trace.z) // 2 :].square().mean((0, 2)))
    extrapolated = 2 * moments[1] - moments[0]
    assert_mean(extrapolated, expected)


def test_only_the_diverged_chains_are_restarted_and_counted():
    def edge(z):
        return z.sum(-1), torch.where(z > 3, torch.inf, 1.0)

    kernel = ula(edge, 0.1)
    start = kernel.init(normal(400, 1, seed=10))
    _, trace = run(kernel, start, 60, generator=seeded(11), on_divergence="restart")
    assert trace.num_restarts > 0 and torch.isfinite(trace.z).all()
    # Chains that never crossed the edge take the very path they would take alone.
    generator, z, path = seeded(11), start.z, []
    for _ in range(60):
        path.append(z)
        z = z + 0.1 * edge(z)[1] + 0.2**0.5 * torch.randn(z.shape, generator=generator, dtype=z.dtype)
    calm = (torch.stack(path) < 3).all(0)[:, 0]
    assert calm.any() and torch.equal(torch.stack(path)[:, calm], trace.z[:, calm])

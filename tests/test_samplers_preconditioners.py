"""Running preconditioners: their algebra against a plain loop, and the bias that they bring."""

import numpy as np
import pytest
import torch
from oracles import assert_mean, close, normal, seeded, standard_error

from pcltut.samplers import ChainState, ConstantPreconditioner, RMSPreconditioner, run, ula


def standard_normal(z):
    return -0.5 * z.square().sum(-1), -z


def second_moment(preconditioner, decay: float, shape: tuple[int, ...]) -> tuple[float, float]:
    """E z^2 on the standard normal with steps of 0.01, and its standard error over the last dimension.

    The running moment starts at its mean, 1: the first scale would otherwise be 1 / |score|, whose kicks have no finite
    variance and take a long burn-in to die out.
    """
    kernel, generator = ula(standard_normal, 0.01, preconditioner=preconditioner), seeded(1)
    z = normal(*shape, seed=2, dtype=torch.float32)
    memory = preconditioner.init(z)
    for _ in range(int(20 / (1 - decay))):
        _, memory = preconditioner.update(memory, torch.ones_like(z))
    state, _ = run(kernel, ChainState(z, memory), 1500, generator=generator, keep="last")
    total = torch.zeros(shape[-1], dtype=torch.float64)
    for _ in range(250):
        state, _ = run(kernel, state, 10, generator=generator, keep="last")
        total += state.z.double().square().flatten(0, -2).mean(0)
    return total.mean().item() / 250, standard_error(total).item() / 250


@pytest.mark.slow
@pytest.mark.parametrize(("decay", "expected"), [(0.9, 1.780), (0.99, 1.328), (0.999, 1.051)])
def test_a_preconditioner_for_each_chain_widens_the_law(decay, expected):
    moment, error = second_moment(RMSPreconditioner(decay, 1e-8), decay, (300, 100))
    assert error < 0.004
    assert moment == pytest.approx(expected, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("decay", "num_chains", "expected"),
    [(0.9, 8, 1.113), (0.9, 64, 1.018), (0.9, 250, 1.009), (0.99, 8, 1.049), (0.99, 64, 1.010), (0.99, 250, 1.007)],
)
def test_sharing_over_the_batch_leaves_a_bias_of_one_over_the_chains(decay, num_chains, expected):
    num_copies = 10_000 // num_chains  # each latent coordinate is an independent copy of the experiment
    preconditioner = RMSPreconditioner(decay, 1e-8, share="batch")
    moment, error = second_moment(preconditioner, decay, (num_chains, num_copies))
    assert error < 0.004
    assert moment == pytest.approx(expected, abs=0.01)


def test_a_frozen_preconditioner_has_no_bias():
    """Given M the chain is plain ULA with steps gamma M: E z^2 = 2 / (2 - gamma M), coordinate by coordinate."""
    preconditioner = RMSPreconditioner(0.9, 1e-8, freeze_after=50)
    kernel, generator = ula(standard_normal, 0.3, preconditioner=preconditioner), seeded(3)
    state, _ = run(kernel, kernel.init(normal(200, 100, seed=4)), 50, generator=generator, keep="last")
    scale, _ = preconditioner.update(state.preconditioner, -state.z)
    state, _ = run(kernel, state, 150, generator=generator, keep="last")
    later, _ = preconditioner.update(state.preconditioner, -state.z)
    assert torch.equal(later, scale) and scale.std() > 0.05
    assert scale.max() * 0.3 < 1.9
    assert_mean((state.z.square() - 2 / (2 - 0.3 * scale)).flatten(), 0.0)


@pytest.mark.parametrize("share", ["datum", "batch"])
@pytest.mark.parametrize("freeze_after", [None, 4])
def test_update_follows_its_formula(share, freeze_after):
    decay, eps = 0.8, 0.03
    preconditioner = RMSPreconditioner(decay, eps, share=share, freeze_after=freeze_after)
    scores = normal(7, 2, 5, 3, seed=5).numpy()  # updates, chains, images, latents
    state, moment, power = preconditioner.init(torch.zeros(2, 5, 3, dtype=torch.float64)), 0.0, 1.0
    for index, score in enumerate(scores):
        if freeze_after is None or index < freeze_after:
            square = score**2 if share == "datum" else (score**2).mean((0, 1))
            moment, power = decay * moment + (1 - decay) * square, power * decay
        scale, state = preconditioner.update(state, torch.from_numpy(score))
        expected = 1 / (eps + np.sqrt(moment / (1 - power)))
        close(scale.expand(2, 5, 3), np.broadcast_to(expected, (2, 5, 3)).copy())


def test_first_scale_is_one_over_the_current_score():
    """The bias correction makes the first v exactly the first squared score: v is updated before it is used."""
    preconditioner = RMSPreconditioner(0.99, 1e-12)
    score = normal(4, 3, seed=6)
    scale, _ = preconditioner.update(preconditioner.init(score), score)
    close(scale, 1 / score.abs())


def test_eps_is_added_to_the_root():
    preconditioner = RMSPreconditioner(0.5, 0.25)
    scale, _ = preconditioner.update(preconditioner.init(torch.zeros(1, 1)), torch.full((1, 1), 0.5))
    assert scale.item() == pytest.approx(1 / (0.25 + 0.5))  # sqrt(v + eps) would give 1 / 0.707


@pytest.mark.parametrize("share", ["datum", "batch"])
def test_kernel_scales_each_step_by_the_score_at_its_own_start(share):
    """The whole chain against a loop in numpy: v holds the score before the move, noise enters with sqrt(M)."""
    decay, eps, step_size, temperature = 0.7, 0.01, 0.2, 0.6
    preconditioner = RMSPreconditioner(decay, eps, share=share)
    kernel = ula(standard_normal, step_size, temperature=temperature, preconditioner=preconditioner)
    noises = normal(6, 5, 3, seed=7).numpy()
    state = kernel.init(normal(5, 3, seed=8))
    z, moment = state.z.numpy(), 0.0
    for index, noise in enumerate(noises):
        score = -z
        square = score**2 if share == "datum" else (score**2).mean(0)
        moment = decay * moment + (1 - decay) * square
        scale = 1 / (eps + np.sqrt(moment / (1 - decay ** (index + 1))))
        z = z + step_size * scale * score + np.sqrt(2 * step_size * temperature * scale) * noise
        state, _ = kernel.step(state, torch.from_numpy(noise))
        close(state.z, z)


def test_sharing_couples_chains_through_the_scale_alone():
    kernel = ula(standard_normal, 0.1, preconditioner=RMSPreconditioner(0.9, share="batch"))
    z, noise = normal(5, 3, seed=9), normal(5, 3, seed=10)
    other = z.clone()
    other[0, 1] += 1.0
    first, second = (kernel.step(kernel.init(start), noise)[0].z for start in (z, other))
    is_same = first == second
    assert is_same[1:, [0, 2]].all() and not is_same[:, 1].any()  # another coordinate has a scale of its own


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("share", ["datum", "batch"])
def test_state_keeps_the_chains_type(dtype, share):
    preconditioner = RMSPreconditioner(0.9, share=share)
    kernel = ula(standard_normal, 0.1, preconditioner=preconditioner)
    state, _ = run(kernel, kernel.init(torch.ones(4, 3, dtype=dtype)), 3, generator=seeded(11))
    assert state.z.dtype == dtype


def test_constant_scale_is_handed_on_unchanged():
    scale = torch.tensor([0.5, 1.0, 2.0])
    preconditioner = ConstantPreconditioner(scale)
    state = preconditioner.init(torch.zeros(4, 3))
    for _ in range(3):
        actual, state = preconditioner.update(state, torch.ones(4, 3))
        assert torch.equal(actual.expand(4, 3), scale.expand(4, 3))


def test_repr_shows_the_arguments():
    text = repr(RMSPreconditioner(0.95, 1e-6, share="batch", freeze_after=12))
    for part in ("RMSPreconditioner", "0.95", "1e-06", "batch", "12"):
        assert part in text
    first, second = (repr(ConstantPreconditioner(torch.tensor([value, 1.0]))) for value in (0.5, 2.0))
    assert "ConstantPreconditioner" in first and first != second

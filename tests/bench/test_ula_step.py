"""What one ULA step costs beside a bare pass of its log-joint, with jitted JAX for comparison: `make bench`."""

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import pytest
import torch

from pcltut.models import Gaussian, GenerativeModel, mlp_decoder
from pcltut.samplers import ula
from pcltut.training.gradients import joint_target

LATENT_DIM, HIDDEN, EVENT, CHAINS = 32, (512, 512), (784,), 250
STEP_SIZE, SCALE = 1e-4, 0.3
ROUNDS, CALLS = 30, 10
ALLOWED = 1.10


def torch_step_and_bare_pass() -> tuple[Callable[[], object], Callable[[], object]]:
    generator = torch.Generator().manual_seed(0)
    model = GenerativeModel(mlp_decoder(LATENT_DIM, EVENT, hidden=HIDDEN, generator=generator), Gaussian(SCALE), 32)
    x = torch.rand(CHAINS, *EVENT, generator=generator) * 2 - 1
    z = torch.randn(CHAINS, LATENT_DIM, generator=generator)
    kernel = ula(joint_target(model, x, list(model.parameters())), STEP_SIZE)
    state = kernel.init(z)

    def step() -> None:
        kernel.step(state, kernel.draw(state, generator))

    def bare() -> None:
        leaf = z.detach().requires_grad_()
        torch.autograd.grad(model.log_joint(x, leaf).sum(), (leaf, *model.parameters()))

    return step, bare


def jax_step() -> Callable[[], object]:
    """The same step, theta-gradients summed along, compiled by JAX."""
    keys = jax.random.split(jax.random.key(0), 8)
    sizes = (LATENT_DIM, *HIDDEN, *EVENT)
    layers = [
        (jax.random.normal(key, (a, b)) / a**0.5, jnp.zeros(b))
        for key, a, b in zip(keys, sizes[:-1], sizes[1:], strict=False)
    ]
    x = jax.random.uniform(keys[4], (CHAINS, *EVENT), minval=-1)
    z = jax.random.normal(keys[5], (CHAINS, LATENT_DIM))

    def log_joint(z, theta):
        layers, log_scale = theta
        hidden = z
        for index, (weight, bias) in enumerate(layers):
            hidden = hidden @ weight + bias
            hidden = jax.nn.silu(hidden) if index < len(layers) - 1 else hidden
        residual = (x - hidden) / jnp.exp(log_scale)
        return -0.5 * (residual**2).sum() - x.size * log_scale - 0.5 * (z**2).sum()

    @jax.jit
    def step(z, theta, total, key):
        score, gradient = jax.grad(log_joint, argnums=(0, 1))(z, theta)
        noise = jax.random.normal(key, z.shape)
        return z + STEP_SIZE * score + (2 * STEP_SIZE) ** 0.5 * noise, jax.tree.map(jnp.add, total, gradient)

    theta = (layers, jnp.log(SCALE))
    total = jax.tree.map(jnp.zeros_like, theta)
    return lambda: jax.block_until_ready(step(z, theta, total, keys[6]))


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    for _ in range(CALLS):
        work()
    return (time.perf_counter() - start) / CALLS


@pytest.mark.usefixtures("two_threads")
def test_ula_step_costs_little_more_than_its_pass(benchmark, capsys):
    """Theta-gradient included, in turns within one run; the medians of the rounds' ratios decide."""
    works = [*torch_step_and_bare_pass(), jax_step()]
    for work in works:
        seconds(work)
    rows = []
    benchmark.pedantic(lambda: rows.append([seconds(work) for work in works]), rounds=ROUNDS)
    times = torch.tensor(rows)
    ratio = (times[:, 0] / times[:, 1]).median().item()
    against_jax = (times[:, 0] / times[:, 2]).median().item()
    step, bare, jitted = (1e3 * times.median(0).values).tolist()
    benchmark.extra_info.update(step_ms=step, bare_ms=bare, jax_ms=jitted, ratio=ratio, against_jax=against_jax)
    with capsys.disabled():
        print(f"\nULA step {step:.1f} ms, bare pass {bare:.1f} ms, jitted JAX {jitted:.1f} ms")
        print(f"step / bare pass {ratio:.3f}, step / JAX {against_jax:.2f}")
    assert ratio <= ALLOWED

"""Beside other programs: the whole training step in JAX, and the inner loops of the nearest public packages.

In each comparison both sides are in one process with the same affinity. With one thread XLA is told so by its flags,
which the command sets before it starts.
"""

import importlib.util
import statistics
from collections.abc import Callable, Iterator

import torch

from pcltut.bench.problems import Problem, problems
from pcltut.bench.table import Row
from pcltut.bench.timing import Ratio, compare
from pcltut.bench.training import NUM_STEPS
from pcltut.samplers import mala, ula, value_and_score_of
from pcltut.training import LPC, TrainingState

JAX_GOAL = 1.0
STEP_SIZE = 1e-4
ABSENT = {
    "jpc": "pip found no release where this was written",
    "pcx": "0.6.2 needs jax below 0.5, the tests have 0.10",
}


def whole_step(threads: int, rounds: int, device: str) -> Iterator[Row]:
    """Chain, both gradients and both Adam steps, beside the same jitted by JAX."""
    for problem in problems():
        name = f"{problem.name}, whole training step / JAX"
        if not _installed("jax", "optax"):
            yield Row("c", name, threads, goal=JAX_GOAL, note="jax or optax is not installed")
            continue
        from pcltut.bench.jax_step import JaxTraining

        state = TrainingState.init(
            LPC(NUM_STEPS, STEP_SIZE),
            problem.model,
            problem.x,
            generator=problem.generator,
            encoder=problem.encoder,
            batch_size=problem.batch,
        )
        works = {"ours": state.step, "jax": JaxTraining(problem, NUM_STEPS, STEP_SIZE).step}
        yield _row("c", name, works, threads, rounds, JAX_GOAL)


def inner_loops(threads: int, rounds: int, device: str) -> Iterator[Row]:
    """One step of the same sampler on the same density with as many chains."""
    problem = problems()[0]
    target = value_and_score_of(lambda z: problem.model.log_joint(problem.x, z))
    for name, kernel in {"ULA": ula(target, STEP_SIZE), "MALA": mala(target, STEP_SIZE)}.items():
        if not _installed("blackjax"):
            yield Row("d", f"{name} / blackjax", threads, note="blackjax is not installed")
            continue
        state = kernel.init(problem.z)
        works = {
            "ours": lambda k=kernel, s=state: k.step(s, k.draw(s, problem.generator)),
            "theirs": _blackjax(problem, name),
        }
        yield _row("d", f"{name} step / blackjax (jitted)", works, threads, rounds)
    if _installed("posteriors"):
        kernel = ula(target, STEP_SIZE)
        state = kernel.init(problem.z)
        works = {
            "ours": lambda: kernel.step(state, kernel.draw(state, problem.generator)),
            "theirs": _posteriors(problem),
        }
        yield _row("d", "ULA step / posteriors' SGLD", works, threads, rounds)
    else:
        yield Row("d", "ULA step / posteriors' SGLD", threads, note="posteriors is not installed")
    for name, reason in ABSENT.items():
        yield Row("d", name, threads, note=f"not installed: {reason}")


def _row(group: str, name: str, works: dict, threads: int, rounds: int, goal: float | None = None) -> Row:
    found = compare(works, rounds)
    (_, ours), (_, theirs) = found.items()
    ratio = Ratio.of([a / b for a, b in zip(ours, theirs, strict=True)])
    return Row(group, name, threads, ratio, goal, 1e3 * statistics.median(ours))


def _blackjax(problem: Problem, name: str) -> Callable[[], object]:
    import blackjax
    import jax
    import jax.numpy as jnp

    from pcltut.bench.jax_step import array, network

    weights, decode = network(list(problem.model.decoder))
    x, scale = array(problem.x.flatten(1)), float(problem.model.likelihood.scale)
    keys = jax.random.split(jax.random.key(0), problem.batch)

    def log_joint(z, x):
        return -0.5 * (((x - decode(weights, z)) / scale) ** 2).sum() - 0.5 * (z**2).sum()

    z = array(problem.z)
    if name == "ULA":
        sampler = blackjax.sgld(lambda z, x: jax.grad(lambda z: log_joint(z, x))(z))
        step = jax.jit(lambda z: sampler.step(keys[0], z, x, STEP_SIZE))
        return lambda: jax.block_until_ready(step(z))

    def one(key, z, x):
        sampler = blackjax.mala(lambda z: log_joint(z, x), STEP_SIZE)
        return sampler.step(key, sampler.init(z))[0].position

    many = jax.jit(jax.vmap(one))
    return lambda: jax.block_until_ready(many(keys, z, jnp.asarray(x)))


def _posteriors(problem: Problem) -> Callable[[], object]:
    import posteriors

    def log_joint(z: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        values = problem.model.log_joint(x, z["z"])
        return values.sum(), values

    sampler = posteriors.sgmcmc.sgld.build(log_joint, lr=STEP_SIZE)
    state = sampler.init({"z": problem.z})
    return lambda: sampler.update(state, problem.x, inplace=False)


def _installed(*names: str) -> bool:
    return all(importlib.util.find_spec(name) for name in names)

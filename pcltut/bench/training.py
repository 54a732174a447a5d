"""Training steps beside their bare passes, beside the plain way, and how they grow."""

import math
import statistics
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from pcltut.bench.problems import Problem, problems
from pcltut.bench.table import Row
from pcltut.bench.timing import Ratio, compare, synchronizer
from pcltut.noise import standard_normal
from pcltut.samplers import RMSPreconditioner, ula
from pcltut.training import IWAE, LPC, VAE, Algorithm
from pcltut.training.gradients import MeanGradient, encoder_descent, joint_target

NUM_STEPS, NUM_DRAWS = 10, 8
STEP_GOAL, PLAIN_WAY_GOAL, ULA_GOAL = 1.05, 0.70, 1.10
ROWS = {
    "plain": LPC(NUM_STEPS, 1e-4),
    "shared M": LPC(NUM_STEPS, 1e-2, preconditioner=RMSPreconditioner(share="batch")),
    "Jeffreys": LPC(NUM_STEPS, 1e-4, warm_start="jeffreys"),
    "incremental": LPC(NUM_STEPS, 1e-4, incremental=True),
}


def training_steps(threads: int, rounds: int, device: str) -> Iterator[Row]:
    """Both networks' gradients of one batch beside T fused passes and one of the encoder."""
    for problem in problems(device):
        works: dict[str, Callable[[], object]] = {"bare": lambda p=problem: p.bare(NUM_STEPS)}
        works |= {name: updates(problem, algorithm) for name, algorithm in ROWS.items()}
        yield from beside("a", problem, works, "bare", threads, rounds, device, STEP_GOAL)
    problem = problems(device)[0]
    works = {"bare pass": problem.fused_pass, "one ULA step": ula_step(problem)}
    yield from beside("a", problem, works, "bare pass", threads, rounds, device, ULA_GOAL)


def plain_way(threads: int, rounds: int, device: str) -> Iterator[Row]:
    """The fused step beside a chain of scores whose stored states the decoder learns from in a second pass."""
    for problem in problems(device):
        works = {
            "second pass over the trajectory": lambda p=problem: two_passes(p),
            "one pass for both": updates(problem, ROWS["plain"]),
        }
        name = "second pass over the trajectory"
        yield from beside("b", problem, works, name, threads, rounds, device, PLAIN_WAY_GOAL)


def other_algorithms(threads: int, rounds: int, device: str) -> Iterator[Row]:
    """VAE and IWAE beside the passes that they are made of."""
    for problem in problems(device):
        works = {"bare": lambda p=problem: p.bare(1), "VAE": updates(problem, VAE())}
        yield from beside("f", problem, works, "bare", threads, rounds, device)
        works = {"bare": lambda p=problem: p.bare(NUM_DRAWS), f"IWAE({NUM_DRAWS})": updates(problem, IWAE(NUM_DRAWS))}
        yield from beside("f", problem, works, "bare", threads, rounds, device)


def slopes(threads: int, rounds: int, device: str) -> Iterator[Row]:
    """Exponents of a step's time in what it should be linear in, or less: 1 is linear."""
    sizes: dict[str, dict[int, Callable[[], object]]] = {
        "T": {t: updates(Problem("", "mlp", (1, 28, 28), 100, device=device), LPC(t, 1e-4)) for t in (5, 20, 80)},
        "batch": {
            b: updates(Problem("", "mlp", (1, 28, 28), b, device=device), LPC(5, 1e-4)) for b in (125, 500, 2000)
        },
        "latent size": {
            d: updates(Problem("", "mlp", (1, 28, 28), 250, latent_dim=d, device=device), LPC(5, 1e-4))
            for d in (16, 64, 256)
        },
        "image side": {
            s: updates(Problem("", "mlp", (3, s, s), 64, device=device), LPC(5, 1e-4)) for s in (16, 32, 64)
        },
    }
    for name, works in sizes.items():
        found = compare({str(n): work for n, work in works.items()}, rounds, synchronize=synchronizer(device))
        seconds = [statistics.median(found[str(size)]) for size in works]
        exponent = np.polyfit(np.log(list(works)), np.log(seconds), 1)[0]
        note = ", ".join(f"{size}: {1e3 * each:.3g} ms" for size, each in zip(works, seconds, strict=True))
        yield Row("e", f"time against {name}", threads, float(exponent), note=note)


def beside(
    group: str,
    problem: Problem,
    works: dict[str, Callable[[], object]],
    reference: str,
    threads: int,
    rounds: int,
    device: str,
    goal: float | None = None,
) -> Iterator[Row]:
    """A row for each work but the reference, with its ratio to that."""
    found = compare(works, rounds, synchronize=synchronizer(device))
    for name, seconds in found.items():
        if name != reference:
            ratio = Ratio.of([a / b for a, b in zip(seconds, found[reference], strict=True)])
            milliseconds = 1e3 * statistics.median(seconds)
            yield Row(group, f"{problem.name}, {name}", threads, ratio, goal, milliseconds)


def updates(problem: Problem, algorithm: Algorithm) -> Callable[[], object]:
    """All gradients of one batch; no weight is moved."""

    def work() -> None:
        for _ in algorithm.updates(problem.model, problem.encoder, problem.x, generator=problem.generator):
            pass

    return work


def ula_step(problem: Problem) -> Callable[[], object]:
    """One step of all chains, theta-gradient included."""
    theta = list(problem.model.parameters())
    kernel = ula(joint_target(problem.model, problem.x, theta), 1e-4)
    state, total = kernel.init(problem.z), MeanGradient(theta)

    def work() -> None:
        _, info = kernel.step(state, kernel.draw(state, problem.generator))
        total.add(info.log_density, info.aux)

    return work


def two_passes(problem: Problem) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
    """What a first implementation does: sample, keep the states, then differentiate their mean log-joint.

    Gives that gradient, and the encoder's descent.
    """
    model, generator, step_size = problem.model, problem.generator, 1e-4
    target, theta = joint_target(model, problem.x), list(model.parameters())
    q = problem.encoder(problem.x)
    z_0 = q.sample(problem.noise)
    states, first_score = [z_0.detach()], None
    for _ in range(NUM_STEPS):
        _, score = target(states[-1])
        first_score = score if first_score is None else first_score
        noise = standard_normal(score.shape, generator=generator)
        states.append(states[-1] + step_size * score + math.sqrt(2 * step_size) * noise)
    gradient = torch.autograd.grad(model.log_joint(problem.x, torch.stack(states[:-1])).mean(), theta)
    return gradient, encoder_descent(list(problem.encoder.parameters()), q, z_0, first_score, None)

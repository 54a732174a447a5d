"""The loop that repeats transitions: `walk` yields each step, `run` keeps them."""

from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from pcltut.arguments import one_of, whole_number
from pcltut.samplers.kernel import ChainState, Kernel, StepInfo, check_start, select_chains


class ChainDiverged(FloatingPointError):
    """A chain left the finite numbers: its step size is beyond the stability limit."""


class Step(NamedTuple):
    """One step of a walk: the state after it, what it saw before it, how many diverged chains were started again."""

    state: ChainState
    info: StepInfo
    num_restarts: int = 0


class Trace(NamedTuple):
    """The `StepInfo` of each kept step, stacked on a new first axis.

    After T steps `z` holds z_0 .. z_{T-1} for every kernel, with `log_density` and `score` there; the state that `run`
    returns holds z_T. `acceptance` is that of the step from there. `num_restarts` counts diverged chains that `run`
    started again.
    """

    z: Float[Tensor, "kept *chain batch latent"]
    log_density: Float[Tensor, "kept *chain batch"]
    score: Float[Tensor, "kept *chain batch latent"]
    acceptance: Float[Tensor, "kept *chain batch"] | None = None
    num_restarts: int = 0


def walk(
    kernels: Iterable[Kernel],
    state: ChainState,
    *,
    generator: torch.Generator,
    on_divergence: Literal["raise", "restart"] = "raise",
) -> Iterator[Step]:
    """Take one step of each kernel in turn, handing the state on, and yield each.

    Args:
        kernels: one for each step; they may differ in their targets, as along annealing bridges.
        state: from `kernel.init(z)`, or where an earlier walk ended.
        generator: source of the noise, on the device of `z`.
        on_divergence: "restart" each chain that left the finite numbers at the state it had when this walk began, and
            count it; with "raise" nothing is looked at here, the caller is to look at the end. Not for running
            preconditioners.
    """
    one_of("on_divergence", on_divergence, ("raise", "restart"))
    start = state
    for index, kernel in enumerate(kernels):
        state, info = kernel.step(state, kernel.draw(state, generator))
        num_restarts = 0
        if on_divergence == "restart":
            if index == 0:
                check_start(info.z, info.log_density, info.score)
            state, num_restarts = _restart_diverged(state, info, start)
        yield Step(state, info, num_restarts)


def run(
    kernel: Kernel,
    state: ChainState,
    num_steps: int,
    *,
    generator: torch.Generator,
    keep: Literal["all", "last"] = "all",
    on_divergence: Literal["raise", "restart"] = "raise",
) -> tuple[ChainState, Trace]:
    """Apply a kernel `num_steps` times and hand the state on: T steps equal T runs of one.

    Args:
        state: from `kernel.init(z)`, or what an earlier run returned.
        generator: source of the noise, on the device of `z`.
        keep: "all" steps in the trace, or the "last" alone (memory does not grow with `num_steps` then).
        on_divergence: "raise", or "restart" diverged chains as `walk` does.

    Raises:
        ChainDiverged: a chain left the finite numbers.
        ValueError: it was not in the finite numbers when it started.
    """
    num_steps = whole_number("num_steps", num_steps, remedy="a run of no steps has no trace")
    one_of("keep", keep, ("all", "last"))
    first, infos, num_restarts = None, [], 0
    for step in walk(repeat(kernel, num_steps), state, generator=generator, on_divergence=on_divergence):
        first = step.info if first is None else first
        if keep == "last":
            infos.clear()
        infos.append(step.info[:4])
        num_restarts += step.num_restarts
    if not bool(torch.isfinite(step.state.z).all()):
        check_start(*first[:3])
        raise ChainDiverged(
            f"the chain left the finite numbers within {num_steps} steps; lower step_size below 2 over the largest "
            "curvature of the energy (pcltut.samplers.stability_margin measures it)"
        )
    stacked = [None if values[0] is None else torch.stack(values) for values in zip(*infos, strict=True)]
    return step.state, Trace(*stacked, num_restarts=num_restarts)


def _restart_diverged(state: ChainState, info: StepInfo, start: ChainState) -> tuple[ChainState, int]:
    """Put chains that left the finite numbers back to `start`, leave the others alone, and count them.

    Lost is a chain whose new position is not finite, or whose log-density or score was not where the step began: a
    position overflows long after the target does.

    Raises:
        ValueError: the kernel has a running preconditioner, whose memory of the lost chain cannot be trusted.
    """
    if state.preconditioner is not None:
        raise ValueError(
            "got a kernel with a running preconditioner, expected one without or with a constant one; its memory of a "
            "diverged chain cannot be used again, so raise on divergence and lower step_size"
        )
    finite = torch.isfinite(state.z).all(-1) & torch.isfinite(info.score).all(-1) & torch.isfinite(info.log_density)
    count = int((~finite).sum())
    return (select_chains(finite, state, start), count) if count else (state, 0)

"""What a transition is, and the loop that repeats it. Randomness enters at one place, `Kernel.draw`."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

Target = Callable[[Tensor], tuple[Tensor, Tensor]]


class ChainDiverged(FloatingPointError):
    """A chain left the finite numbers: its step size is beyond the stability limit."""


class ChainState(NamedTuple):
    """What the next step needs: the position `z` `[*chain, batch, latent]` and what its kernel keeps beside it.

    Kernels that evaluate the target where they arrive (MALA, HMC, underdamped) keep `log_density` and `score` of `z`;
    the underdamped one also its `momentum`; preconditioned ones the preconditioner's state.
    """

    z: Tensor
    preconditioner: Any = None
    log_density: Tensor | None = None
    score: Tensor | None = None
    momentum: Tensor | None = None


class StepInfo(NamedTuple):
    """What one step saw.

    A point `z` of the chain with the target's log-density and score there: for ULA the state before the step, for
    kernels that evaluate the target where they arrive the state after it. `acceptance` is the probability with which a
    Metropolis step accepts its proposal, None for kernels that always move.
    """

    z: Tensor
    log_density: Tensor
    score: Tensor
    acceptance: Tensor | None = None


class MetropolisNoise(NamedTuple):
    """The randomness of one step with a Metropolis test: a normal for each latent, a uniform for each chain."""

    normal: Tensor
    uniform: Tensor


Noise = Tensor | MetropolisNoise | None


class Kernel(NamedTuple):
    """A Markov transition in three parts.

    `init(z)` gives the first state; `draw(state, generator)` the noise of one step (None if it needs none);
    `step(state, noise)` is pure and deterministic and gives the next state with a `StepInfo`.
    """

    init: Callable[[Tensor], ChainState]
    draw: Callable[[ChainState, torch.Generator], Noise]
    step: Callable[[ChainState, Noise], tuple[ChainState, StepInfo]]


class Trace(NamedTuple):
    """The `StepInfo` of each kept step, stacked on a new first axis.

    After T steps of ULA `z` holds z_0 .. z_{T-1}, the points where `log_density` and `score` were evaluated; the state
    that `run` returns holds z_T. The other kernels evaluate z_1 .. z_T. `num_restarts` counts diverged chains that
    `run` started again.
    """

    z: Float[Tensor, "kept *chain batch latent"]
    log_density: Float[Tensor, "kept *chain batch"]
    score: Float[Tensor, "kept *chain batch latent"]
    acceptance: Float[Tensor, "kept *chain batch"] | None = None
    num_restarts: int = 0


def score_of(log_density: Callable[[Tensor], Tensor]) -> Target:
    """A target from a log-density: `z -> (log_density, score)`, the score being the gradient of the sum.

    Of a log-joint it gives the posterior's score (:eq:`eq-posterior-score`). Summing is right because each value
    depends on its own row of `z` alone; a mean would shrink each chain's score.
    """

    def total_and_values(z: Tensor) -> tuple[Tensor, Tensor]:
        values = log_density(z)
        return values.sum(), values

    grad_and_value = torch.func.grad_and_value(total_and_values, has_aux=True)

    def target(z: Tensor) -> tuple[Tensor, Tensor]:
        score, (_, values) = grad_and_value(z)
        return values.detach(), score.detach()

    return target


def check_step_size(step_size: float) -> None:
    """Raise ValueError unless a step size is positive."""
    if not 0 < step_size < float("inf"):
        raise ValueError(f"got step_size={step_size}, expected a positive number; try 1e-3")


def standard_normal(like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal noise of a tensor's shape and type, drawn on the generator's device."""
    return torch.randn(like.shape, generator=generator, device=generator.device, dtype=like.dtype)


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
        on_divergence: "raise", or "restart" each chain that left the finite numbers at the state it had when this run
            began, and count it; the other chains are not touched. Not for running preconditioners.

    Raises:
        ChainDiverged: a chain left the finite numbers.
    """
    if num_steps < 1:
        raise ValueError(f"got num_steps={num_steps}, expected at least 1; a run of no steps has no trace")
    if keep not in ("all", "last"):
        raise ValueError(f"got keep={keep!r}, expected 'all' or 'last'; choose one of them")
    if on_divergence not in ("raise", "restart"):
        raise ValueError(f"got on_divergence={on_divergence!r}, expected 'raise' or 'restart'; choose one of them")
    start, num_restarts = state, 0
    infos: list[StepInfo] = []
    for _ in range(num_steps):
        state, info = kernel.step(state, kernel.draw(state, generator))
        if on_divergence == "restart":
            state, count = restart_diverged(state, start)
            num_restarts += count
        if keep == "last":
            infos.clear()
        infos.append(info)
    if not bool(torch.isfinite(state.z).all()):
        raise ChainDiverged(
            f"the chain left the finite numbers within {num_steps} steps; lower step_size below 2 over the largest "
            "curvature of the energy (pcltut.samplers.stability_margin measures it)"
        )
    columns = [None if values[0] is None else torch.stack(values) for values in zip(*infos, strict=True)]
    return state, Trace(*columns, num_restarts=num_restarts)


def restart_diverged(state: ChainState, start: ChainState) -> tuple[ChainState, int]:
    """Put chains with a position that is not finite back to `start`, leave the others alone, and count them.

    Raises:
        ValueError: the kernel has a running preconditioner, whose memory of the lost chain cannot be trusted.
    """
    if state.preconditioner is not None:
        raise ValueError(
            "got a kernel with a running preconditioner, expected one without or with a constant one; its memory of a "
            "diverged chain cannot be used again, so raise on divergence and lower step_size"
        )
    lost = ~torch.isfinite(state.z).all(-1)
    count = int(lost.sum())
    if count == 0:
        return state, 0
    fields = {
        name: torch.where(lost[..., None] if new.ndim > lost.ndim else lost, getattr(start, name), new)
        for name, new in state._asdict().items()
        if isinstance(new, Tensor)
    }
    return state._replace(**fields), count

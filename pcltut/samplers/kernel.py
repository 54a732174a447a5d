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
    """What the next step needs: the position `z` `[*chain, batch, latent]` and the preconditioner's state."""

    z: Tensor
    preconditioner: Any = None


class StepInfo(NamedTuple):
    """Where a step evaluated the target, and what it found: for ULA the state before the step."""

    z: Tensor
    log_density: Tensor
    score: Tensor


class Kernel(NamedTuple):
    """A Markov transition in three parts.

    `init(z)` gives the first state; `draw(state, generator)` the noise of one step (None if it needs none);
    `step(state, noise)` is pure and deterministic and gives the next state with a `StepInfo`.
    """

    init: Callable[[Tensor], ChainState]
    draw: Callable[[ChainState, torch.Generator], Tensor | None]
    step: Callable[[ChainState, Tensor | None], tuple[ChainState, StepInfo]]


class Trace(NamedTuple):
    """The `StepInfo` of each kept step, stacked on a new first axis.

    After T steps of ULA `z` holds z_0 .. z_{T-1}, the points where `log_density` and `score` were evaluated; the state
    that `run` returns holds z_T.
    """

    z: Float[Tensor, "kept *chain batch latent"]
    log_density: Float[Tensor, "kept *chain batch"]
    score: Float[Tensor, "kept *chain batch latent"]


def score_of(log_density: Callable[[Tensor], Tensor]) -> Target:
    """A target from a log-density: `z -> (log_density, score)`, the score being the gradient of the sum.

    Summing is right because each value depends on its own row of `z` alone; a mean would shrink each chain's score.
    """

    def total_and_values(z: Tensor) -> tuple[Tensor, Tensor]:
        values = log_density(z)
        return values.sum(), values

    grad_and_value = torch.func.grad_and_value(total_and_values, has_aux=True)

    def target(z: Tensor) -> tuple[Tensor, Tensor]:
        score, (_, values) = grad_and_value(z)
        return values.detach(), score.detach()

    return target


def run(
    kernel: Kernel,
    state: ChainState,
    num_steps: int,
    *,
    generator: torch.Generator,
    keep: Literal["all", "last"] = "all",
) -> tuple[ChainState, Trace]:
    """Apply a kernel `num_steps` times and hand the state on: T steps equal T runs of one.

    Args:
        state: from `kernel.init(z)`, or what an earlier run returned.
        generator: source of the noise, on the device of `z`.
        keep: "all" steps in the trace, or the "last" alone (memory does not grow with `num_steps` then).

    Raises:
        ChainDiverged: a chain left the finite numbers.
    """
    if num_steps < 1:
        raise ValueError(f"got num_steps={num_steps}, expected at least 1; a run of no steps has no trace")
    if keep not in ("all", "last"):
        raise ValueError(f"got keep={keep!r}, expected 'all' or 'last'; choose one of them")
    infos: list[StepInfo] = []
    for _ in range(num_steps):
        state, info = kernel.step(state, kernel.draw(state, generator))
        if keep == "last":
            infos.clear()
        infos.append(info)
    if not bool(torch.isfinite(state.z).all()):
        raise ChainDiverged(
            f"the chain left the finite numbers within {num_steps} steps; lower step_size below 2 over the largest "
            "curvature of the energy (pcltut.samplers.stability_margin measures it)"
        )
    return state, Trace(*(torch.stack(values) for values in zip(*infos, strict=True)))

"""What a transition is. Randomness enters at one place, `Kernel.draw`."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pcltut.arguments import real_number
from pcltut.noise import standard_normal

# z -> (log_density [*chain, batch], score [*chain, batch, latent]); whatever it returns beyond these two is `aux`.
Target = Callable[[Tensor], tuple[Any, ...]]


class ChainState(NamedTuple):
    """What the next step needs: the position `z` `[*chain, batch, latent]` and what its kernel keeps beside it.

    Kernels that evaluate the target where they arrive (MALA, HMC, underdamped) keep `log_density`, `score` and `aux` of
    `z`; the underdamped one also its `momentum`; preconditioned ULA the preconditioner's state.
    """

    z: Tensor
    preconditioner: Any = None
    log_density: Tensor | None = None
    score: Tensor | None = None
    aux: tuple[Any, ...] = ()
    momentum: Tensor | None = None


class StepInfo(NamedTuple):
    """What one step saw: the point `z` from which it started, with the target's log-density, score and `aux` there.

    `acceptance` is the probability with which a Metropolis step accepts its proposal, None for kernels that always
    move.
    """

    z: Tensor
    log_density: Tensor
    score: Tensor
    acceptance: Tensor | None = None
    aux: tuple[Any, ...] = ()


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


def value_and_score_of(log_density: Callable[[Tensor], Tensor], *, differentiable: bool = False) -> Target:
    """A target from a log-density: `z -> (log_density, score)`, the score being the gradient of the sum.

    Of a log-joint it gives the posterior's score (:eq:`eq-posterior-score`). Summing is right because each value
    depends on its own row of `z` alone; a mean would shrink each chain's score.

    Args:
        differentiable: keep the graph behind the score, which `riemannian_ula` needs and no other kernel does.
    """

    def total_and_values(z: Tensor) -> tuple[Tensor, Tensor]:
        values = log_density(z)
        return values.sum(), values

    grad_and_value = torch.func.grad_and_value(total_and_values, has_aux=True)

    def target(z: Tensor) -> tuple[Tensor, Tensor]:
        score, (_, values) = grad_and_value(z)
        return (values, score) if differentiable else (values.detach(), score.detach())

    return target


def check_step_size(step_size: float) -> float:
    """A positive step size as a float, or a ValueError."""
    return real_number("step_size", step_size, above=0.0, remedy="try 1e-3")


def evaluate(target: Target, z: Tensor) -> tuple[Tensor, Tensor, tuple[Any, ...]]:
    """Log-density, score and `aux` at `z`, or a ValueError unless there is one value a chain and a score like `z`."""
    found = target(z)
    if not isinstance(found, tuple) or len(found) < 2:
        raise ValueError(
            "got a target that returns one thing, expected log-density and score; make one from a log-density with "
            "value_and_score_of(log_density)"
        )
    log_density, score, *aux = found
    if log_density.shape != z.shape[:-1] or score.shape != z.shape:
        raise ValueError(
            f"got a target with log_density of shape {tuple(log_density.shape)} and score of shape "
            f"{tuple(score.shape)} at z of shape {tuple(z.shape)}, expected {tuple(z.shape[:-1])} and "
            f"{tuple(z.shape)}; sum over the last dimension alone"
        )
    return log_density, score, tuple(aux)


def check_start(z: Tensor, log_density: Tensor, score: Tensor) -> None:
    """Raise ValueError unless position, log-density and score of a chain's start are finite."""
    finite = torch.isfinite(log_density) & torch.isfinite(score).all(-1) & torch.isfinite(z).all(-1)
    if not bool(finite.all()):
        lost = int((~finite).sum())
        raise ValueError(
            f"got a start where log-density or score is not finite in {lost} of {finite.numel()} chains, expected "
            "finite ones; check the data, the weights and the start"
        )


def draw_normal(state: ChainState, generator: torch.Generator) -> Tensor:
    """Standard normal noise for each latent of each chain: `Kernel.draw` of kernels without a Metropolis test."""
    return standard_normal(state.z.shape, generator=generator, dtype=state.z.dtype)


def select_chains(chosen: Tensor, state: ChainState, other: ChainState) -> ChainState:
    """For each chain the fields of `state` where it is chosen, else those of `other`, `aux` included."""

    def select(ours: Tensor | None, theirs: Tensor | None) -> Tensor | None:
        if ours is None or theirs is None:
            return None
        return torch.where(chosen.reshape(chosen.shape + (1,) * (ours.ndim - chosen.ndim)), ours, theirs)

    aux = tuple(select(ours, theirs) for ours, theirs in zip(state.aux, other.aux, strict=True))
    fields = {name: select(getattr(state, name), getattr(other, name)) for name in ("z", "log_density", "score")}
    return other._replace(**fields, aux=aux, momentum=select(state.momentum, other.momentum))

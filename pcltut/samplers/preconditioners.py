"""Diagonal preconditioners M for Langevin steps: a pure `init` and `update`, like a gradient transformation's."""

import dataclasses
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from pcltut.arguments import one_of, real_number, whole_number
from pcltut.distributed import mean_over_processes


@runtime_checkable
class Preconditioner(Protocol):
    """`init(z)` gives a state, `update(state, score)` the diagonal of M and the next state."""

    def init(self, z: Tensor) -> Any: ...

    def update(self, state: Any, score: Tensor) -> tuple[Tensor, Any]: ...


@dataclasses.dataclass(frozen=True, eq=False)
class ConstantPreconditioner:
    """A fixed diagonal M, which leaves ULA's stationary law as close to the target as plain ULA does.

    Args:
        diagonal: of M, positive.
    """

    diagonal: Float[Tensor, "*batch latent"]

    def __post_init__(self) -> None:
        if not isinstance(self.diagonal, Tensor) or not self.diagonal.is_floating_point() or not self.diagonal.numel():
            raise ValueError(f"got a diagonal {self.diagonal!r}, expected a tensor of floats; use torch.tensor([...])")
        if not bool((self.diagonal > 0).all() & torch.isfinite(self.diagonal).all()):
            raise ValueError(
                f"got a diagonal with entries from {self.diagonal.min().item():.3g} to "
                f"{self.diagonal.max().item():.3g}, expected positive finite ones; change them"
            )

    def init(self, z: Tensor) -> None:
        """No state."""

    def update(self, state: None, score: Tensor) -> tuple[Tensor, None]:
        """M as it is."""
        return self.diagonal, None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ConstantPreconditioner) and torch.equal(self.diagonal, other.diagonal)

    def __hash__(self) -> int:
        return hash(tuple(self.diagonal.shape))

    def __repr__(self) -> str:
        mean = self.diagonal.mean().item()
        return f"ConstantPreconditioner(shape={tuple(self.diagonal.shape)}, mean={mean:.6g})"


class RMSState(NamedTuple):
    """The running second moment of the score and the number of updates it holds."""

    second_moment: Tensor
    num_updates: int


@dataclasses.dataclass(frozen=True)
class RMSPreconditioner:
    r"""RMSProp's scaling with Adam's bias correction, from a running second moment of the score.

    .. math:: v_t = b\, v_{t-1} + (1 - b)\, g_t^2, \qquad M_t = \frac{1}{\epsilon + \sqrt{v_t / (1 - b^t)}}

    with b = `decay`, and g_t the current score: v is updated before it is used. Source: Zahid, Guo and Fountas (2024),
    equations (18)-(20), with the metric's divergence term omitted; b, eps, the order and the sharing are choices of
    ours.

    Biased: M depends on the position it moves. On a standard normal with steps of 0.01, E z^2 is 1.780, 1.328 and 1.051
    for decays of .9, .99 and .999 with `share="datum"`; sharing over 250 chains leaves 1.009 and 1.007 at .9 and .99
    (plain ULA has 1.005). A frozen M has no such bias; with `share="datum"` freeze it late or with a
    larger eps, for a wild first score can freeze it near 0. See :eq:`eq-rms` and :eq:`eq-precond-bias`.

    Args:
        share: "datum", each chain and coordinate on its own; "batch", the mean of g^2 over all chains and images (of
            all processes, if there are several); or "process", the same over this process's part of them.
        freeze_after: number of updates after which M stays as it is; None for never.
    """

    decay: float = 0.99
    eps: float = 1e-8
    share: Literal["datum", "batch", "process"] = "datum"
    freeze_after: int | None = None

    def __post_init__(self) -> None:
        decay = real_number("decay", self.decay, at_least=0.0, below=1.0, remedy="try 0.99")
        object.__setattr__(self, "decay", decay)
        object.__setattr__(self, "eps", real_number("eps", self.eps, above=0.0, remedy="try 1e-8"))
        one_of("share", self.share, ("datum", "batch", "process"))
        if self.freeze_after is not None:
            freeze_after = whole_number("freeze_after", self.freeze_after, remedy="or None to never freeze")
            object.__setattr__(self, "freeze_after", freeze_after)

    def init(self, z: Tensor) -> RMSState:
        """No score seen yet."""
        shape = z.shape if self.share == "datum" else z.shape[-1:]
        return RMSState(torch.zeros(shape, dtype=z.dtype, device=z.device), 0)

    def update(self, state: RMSState, score: Tensor) -> tuple[Tensor, RMSState]:
        """M from all scores so far, this one included."""
        if self.freeze_after is None or state.num_updates < self.freeze_after:
            square = score.square()
            if self.share != "datum":
                square = square.flatten(0, -2).mean(0)
            if self.share == "batch":
                square = mean_over_processes(square, score[..., 0].numel())
            moment = self.decay * state.second_moment + (1 - self.decay) * square
            state = RMSState(moment, state.num_updates + 1)
        corrected = state.second_moment / (1 - self.decay**state.num_updates)
        return 1 / (self.eps + corrected.sqrt()), state

"""Diagonal preconditioners M for Langevin steps: a pure `init` and `update`, like a gradient transformation's."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Preconditioner(NamedTuple):
    """`init(z)` gives a state, `update(state, score)` the diagonal of M and the next state; `constant` is a fixed M."""

    init: Callable[[Tensor], Any]
    update: Callable[[Any, Tensor], tuple[Tensor, Any]]
    name: str = "preconditioner"
    constant: Tensor | None = None

    def __repr__(self) -> str:
        return self.name


class RMSState(NamedTuple):
    """The running second moment of the score and the number of updates it holds."""

    second_moment: Tensor
    num_updates: int


def constant_preconditioner(scale: Float[Tensor, "*batch latent"]) -> Preconditioner:
    """A fixed diagonal M = `scale`, which leaves ULA's stationary law as close to the target as plain ULA does.

    Raises:
        ValueError: an entry is not positive.
    """
    if not bool((scale > 0).all()):
        raise ValueError(
            f"got a scale with entries down to {scale.min().item():.3g}, expected positive ones; raise them"
        )
    name = f"constant_preconditioner(shape={tuple(scale.shape)}, mean={scale.mean().item():.6g})"
    return Preconditioner(lambda z: None, lambda state, score: (scale, state), name, scale)


def rms_preconditioner(
    decay: float = 0.99,
    eps: float = 1e-8,
    *,
    share: Literal["chain", "batch"] = "chain",
    freeze_after: int | None = None,
) -> Preconditioner:
    r"""RMSProp's scaling with Adam's bias correction, from a running second moment of the score.

    .. math:: v_t = b\, v_{t-1} + (1 - b)\, g_t^2, \qquad M_t = \frac{1}{\epsilon + \sqrt{v_t / (1 - b^t)}}

    with b = `decay`, and g_t the current score: v is updated before it is used. Source: Zahid, Guo and Fountas (2024),
    equations (18)-(20), with the metric's divergence term omitted; b, eps, the order and the sharing are choices of
    ours.

    Biased: M depends on the position it moves. On a standard normal with steps of 0.01, E z^2 is 1.780, 1.328 and 1.051
    for decays of .9, .99 and .999 with `share="chain"`; sharing over 250 chains leaves 1.009 and 1.007 at .9 and .99
    (plain ULA has 1.005). A frozen M has no such bias; with `share="chain"` freeze it late or with a
    larger eps, for a wild first score can freeze it near 0. See :eq:`eq-rms` and :eq:`eq-precond-bias`.

    Args:
        share: "chain", each chain and coordinate on its own, or "batch", the mean of g^2 over all chains and images.
        freeze_after: number of updates after which M stays as it is; None for never.
    """
    if not 0 <= decay < 1:
        raise ValueError(f"got decay={decay}, expected 0 <= decay < 1; try 0.99")
    if eps <= 0:
        raise ValueError(f"got eps={eps}, expected a positive number; try 1e-8")
    if share not in ("chain", "batch"):
        raise ValueError(f"got share={share!r}, expected 'chain' or 'batch'; choose one of them")
    if freeze_after is not None and freeze_after < 1:
        raise ValueError(f"got freeze_after={freeze_after}, expected at least 1 update; or None to never freeze")

    def init(z: Tensor) -> RMSState:
        shape = z.shape if share == "chain" else z.shape[-1:]
        return RMSState(torch.zeros(shape, dtype=z.dtype, device=z.device), 0)

    def update(state: RMSState, score: Tensor) -> tuple[Tensor, RMSState]:
        if freeze_after is None or state.num_updates < freeze_after:
            square = score.square()
            if share == "batch":
                square = square.flatten(0, -2).mean(0)
            state = RMSState(decay * state.second_moment + (1 - decay) * square, state.num_updates + 1)
        corrected = state.second_moment / (1 - decay**state.num_updates)
        return 1 / (eps + corrected.sqrt()), state

    arguments = f"decay={decay}, eps={eps}, share={share!r}, freeze_after={freeze_after}"
    return Preconditioner(init, update, f"rms_preconditioner({arguments})")

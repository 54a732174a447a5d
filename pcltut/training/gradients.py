"""What an algorithm hands to the optimizers, and what it adds up along a chain."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pcltut.models import DiagonalGaussian, GenerativeModel
from pcltut.samplers import ChainDiverged, ChainState, StepInfo, Target
from pcltut.samplers.kernel import evaluate
from pcltut.training.outer_products import KeepOuterProducts, OuterProduct


class Gradients(NamedTuple):
    """Descent directions for both networks, taken at the same parameters, and what was seen on the way.

    `model` and `encoder` hold one tensor for each trained parameter, or none where a network is not to move: the
    gradient of the loss averaged over images (and, for the model, over the states used). `loss` and `log_joint` are
    scalars in nats an image. `chain` is the last state of the chain, if there was one; `acceptance` its mean acceptance
    probability (NaN without a Metropolis test); `num_restarts` counts the chains that diverged and were started again.
    """

    model: Sequence[Tensor]
    encoder: Sequence[Tensor]
    loss: Tensor
    log_joint: Tensor
    decoder_evaluations: int = 0
    chain: ChainState | None = None
    acceptance: Tensor | float = math.nan
    num_restarts: int = 0


def trained_parameters(module: nn.Module | None) -> list[nn.Parameter]:
    """The parameters that require a gradient, in the module's order; none for no module."""
    return [] if module is None else [p for p in module.parameters() if p.requires_grad]


def joint_target(model: GenerativeModel, x: Tensor, parameters: Sequence[nn.Parameter] = ()) -> Target:
    """The sampler's target `log_joint(x, z)`, with the gradients of its sum for `parameters` as `aux`.

    One forward and one backward pass give log-joint, score and theta-gradient together. The latter belongs to the point
    that was evaluated: for ULA a state of the chain, for MALA and HMC a proposal, which is not what theta learns from.
    It is one list of terms for each parameter, to be added up by `MeanGradient`.
    """

    def target(z: Tensor) -> tuple[Any, ...]:
        z = z.detach().requires_grad_()
        with torch.enable_grad():
            with KeepOuterProducts(parameters) as kept:
                values = model.log_joint(x, z)
            # Summed, never averaged: each chain's score must not depend on how many chains there are.
            score, *gradients = torch.autograd.grad(values.sum(), (z, *parameters), allow_unused=True)
        terms = [
            kept.factors[parameter] + ([] if gradient is None else [gradient])
            for parameter, gradient in zip(parameters, gradients, strict=True)
        ]
        return values.detach(), score, *terms

    return target


def scaled(gradients: Sequence[Tensor], factor: float) -> Sequence[Tensor]:
    """Fresh gradients times a number: in place, unless autograd gave two parameters one and the same memory."""
    memory = {gradient.untyped_storage().data_ptr() for gradient in gradients}
    if len(memory) < len(gradients) or not all(gradient.is_contiguous() for gradient in gradients):
        return torch._foreach_mul(gradients, factor)
    torch._foreach_mul_(gradients, factor)
    return gradients


def look_at(target: Target, z: Tensor) -> StepInfo:
    """A pass of its own at a state that no kernel evaluated with this target."""
    log_density, score, aux = evaluate(target, z)
    return StepInfo(z, log_density, score, aux=aux)


class MeanGradient:
    """The decoder's gradient and the log-joint, averaged over the states that teach it and over the images."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        # Sums of their own: autograd may give two parameters one and the same tensor as their gradient.
        self.total = [torch.empty_like(parameter, requires_grad=False) for parameter in parameters]
        self.log_joints: list[Tensor] = []
        self.num_terms = 0  # images and states in the total

    @torch.no_grad()
    def add(self, log_joint: Tensor, theta_gradient: Sequence[Sequence[Tensor | OuterProduct]]) -> None:
        """Add one state of all chains: its log-joints, and the gradient of their sum, by terms for each parameter."""
        for total, terms in zip(self.total, theta_gradient, strict=True):
            if self.num_terms == 0 and not terms:
                total.zero_()
            for index, term in enumerate(terms):
                begins = self.num_terms == 0 and index == 0
                if isinstance(term, OuterProduct):
                    total.addmm_(term.delta.t(), term.input, beta=0 if begins else 1)
                elif begins:
                    total.copy_(term)
                else:
                    total.add_(term)
        self.log_joints.append(log_joint.mean())
        self.num_terms += log_joint.numel()

    def descent(self) -> Sequence[Tensor]:
        """Minus the mean gradient of the states since the last call, until `add` is called; none if there were none."""
        if not self.total or not self.num_terms:
            return ()
        torch._foreach_mul_(self.total, -1 / self.num_terms)
        self.num_terms = 0
        return self.total

    def log_joint(self) -> Tensor:
        """The mean log-joint over all states and images, in nats.

        Raises:
            ChainDiverged: there is none, since every step that should teach lost a chain.
        """
        if not self.log_joints:
            raise ChainDiverged("a chain was lost and started again in every step that teaches; lower step_size")
        return torch.stack(self.log_joints).mean()


class ChainHealth:
    """Mean acceptance and number of restarts along a chain."""

    def __init__(self) -> None:
        self.acceptances: list[Tensor] = []
        self.num_restarts = 0

    def add(self, acceptance: Tensor | None, num_restarts: int) -> None:
        """Add one step of all chains."""
        if acceptance is not None:
            self.acceptances.append(acceptance.mean())
        self.num_restarts += num_restarts

    def acceptance(self) -> Tensor | float:
        """The mean over steps; NaN without a Metropolis test."""
        return torch.stack(self.acceptances).mean() if self.acceptances else math.nan


class ForwardKL:
    """Adds up the gradient of `sum_t log q(z_t | x)` with respect to q's mean and log-scale.

    See `pcltut.objectives.forward_kl_loss`, whose gradient this is, state by state: both sums stay as small as q, so
    memory does not grow with the chain; one pass back through the encoder at the end turns them into phi's gradient.
    The states are data here: nothing flows back into the chain.
    """

    def __init__(self, q: DiagonalGaussian) -> None:
        self.q = DiagonalGaussian(q.mean.detach(), q.log_scale.detach())
        self.mean_gradient = torch.zeros_like(self.q.mean)
        self.log_scale_gradient = torch.zeros_like(self.q.mean)
        self.num_states = 0

    def add(self, z: Tensor) -> None:
        """Add one state of the chain."""
        normalized = (z.detach() - self.q.mean) / self.q.scale
        self.mean_gradient += normalized / self.q.scale
        self.log_scale_gradient += normalized.square() - 1
        self.num_states += 1


def encoder_descent(
    parameters: Sequence[nn.Parameter],
    q: DiagonalGaussian | None,
    z_0: Tensor,
    first_score: Tensor | None,
    forward_kl: ForwardKL | None,
) -> Sequence[Tensor]:
    """The encoder's descent direction, in one pass back through it: what flows into q, summed over the loss's terms.

    Args:
        first_score: of the chain at its start `z_0`, for a loss with the reverse KL: it is the gradient that the
            reparameterized ELBO sends back to z_0 (:eq:`eq-first-gradient`).
        forward_kl: what the chain's states add up to, for a loss with the forward KL.
    """
    if q is None or not parameters:
        return ()
    outputs: list[Tensor] = []
    inflow: list[Tensor] = []
    if first_score is not None:
        outputs += [z_0, q.entropy().sum()]
        inflow += [first_score, torch.ones_like(outputs[-1])]
    if forward_kl is not None:
        outputs += [q.mean, q.log_scale]
        inflow += [total / forward_kl.num_states for total in (forward_kl.mean_gradient, forward_kl.log_scale_gradient)]
    return scaled(torch.autograd.grad(outputs, parameters, inflow), -1 / len(z_0))

"""What an algorithm hands to the optimizers, and what it collects along a chain."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pcltut.models import DiagonalGaussian, GenerativeModel
from pcltut.samplers import ChainState


class Gradients(NamedTuple):
    """Descent directions for both networks, taken at the same parameters, and what was seen on the way.

    `model` and `encoder` hold one tensor for each trained parameter: the gradient of the loss averaged over images
    (and, for the model, over the states used). `loss` and `log_joint` are scalars in nats an image. `chain` is the last
    state of the chain, if there was one; `acceptance` its mean acceptance probability (NaN without a Metropolis test);
    `num_restarts` counts the chains that diverged and were started again.
    """

    model: Sequence[Tensor]
    encoder: Sequence[Tensor]
    loss: Tensor
    log_joint: Tensor
    decoder_evaluations: int
    chain: ChainState | None = None
    acceptance: Tensor | float = math.nan
    num_restarts: int = 0


def trained_parameters(module: nn.Module | None) -> list[nn.Parameter]:
    """The parameters that require a gradient, in the module's order; none for no module."""
    return [] if module is None else [p for p in module.parameters() if p.requires_grad]


class FusedTarget:
    """A sampler's target that also adds up theta-gradients: one forward and one backward pass give both.

    For ULA the point evaluated is the chain's state, so the gradients belong to states of the chain. Kernels that
    evaluate proposals (MALA, HMC) must run with `collect` unset: their theta-gradient belongs to the state after
    acceptance, and costs a pass of its own.
    """

    def __init__(self, model: GenerativeModel, x: Tensor) -> None:
        self.model = model
        self.x = x
        self.parameters = trained_parameters(model)
        self.collect = False
        # Sums of their own: autograd may give two parameters one and the same tensor as their gradient.
        self.model_gradient = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.log_joint = x.new_zeros(())
        self.num_collected = 0
        self.num_evaluations = 0

    def __call__(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Log-joint and score at `z`; adds the theta-gradient of the summed log-joint while `collect` is set."""
        z = z.detach().requires_grad_()
        with torch.enable_grad():
            values = self.model.log_joint(self.x, z)
            # Summed, never averaged: each chain's score must not depend on how many chains there are.
            inputs = (z, *self.parameters) if self.collect else (z,)
            score, *model_gradient = torch.autograd.grad(values.sum(), inputs)
        self.num_evaluations += 1
        values = values.detach()
        if self.collect:
            self._add(model_gradient, values)
        return values, score

    def _add(self, model_gradient: list[Tensor], values: Tensor) -> None:
        if model_gradient:
            torch._foreach_add_(self.model_gradient, model_gradient)
        self.log_joint = self.log_joint + values.mean()
        self.num_collected += 1


class ForwardKL:
    """Adds up the gradient of `sum_t log q(z_t | x)` with respect to q's mean and log-scale.

    Both gradients are sums over the states, so memory does not grow with the chain; one pass back through the encoder
    at the end turns them into phi's gradient. The states are data here: nothing flows back into the chain.
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

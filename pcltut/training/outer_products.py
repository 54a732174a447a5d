"""The gradient of a linear layer's weight, multiplied into a sum instead of being made and then added.

Autograd makes a matrix as large as the weight for each state of a chain, and adding it reads and writes as much again.
The matrix is a product of two thin ones, `delta^T input` with a row for each image: kept as they are, BLAS adds their
product to the sum in one go.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class OuterProduct(NamedTuple):
    """The gradient `delta^T input` of a weight `[out, in]`: `delta` `[rows, out]`, `input` `[rows, in]`."""

    delta: Tensor
    input: Tensor


class KeepOuterProducts(TorchFunctionMode):
    """While it is entered, linear layers with one of these weights keep factors in place of a weight's gradient.

    What flows back through the layer, and to its bias, is as ever. After the backward pass `factors` holds each
    weight's outer products, one for each call. Under autocast nothing is kept.
    """

    def __init__(self, weights: Sequence[nn.Parameter]) -> None:
        super().__init__()
        self.factors: dict[nn.Parameter, list[OuterProduct]] = {weight: [] for weight in weights}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Every torch function called within comes by here; all but linear layers pass."""
        return (self._linear if func is functional.linear else func)(*args, **(kwargs or {}))

    def _linear(self, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        if weight not in self.factors or torch.is_autocast_enabled(input.device.type):
            return functional.linear(input, weight, bias)
        return _Linear.apply(input, weight, bias, self.factors[weight])


class _Linear(torch.autograd.Function):
    """A linear layer whose backward pass appends the factors of its weight's gradient to a list."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, weight: Tensor, bias: Tensor | None, factors: list[OuterProduct]) -> Tensor:
        ctx.save_for_backward(input, weight)
        ctx.factors = factors
        return functional.linear(input, weight, bias)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, delta: Tensor) -> tuple[Tensor | None, ...]:
        input, weight = ctx.saved_tensors
        rows = delta.flatten(0, -2) if delta.ndim > 1 else delta[None]
        ctx.factors.append(OuterProduct(rows, input.detach().reshape(len(rows), -1)))
        to_input = delta @ weight if ctx.needs_input_grad[0] else None
        return to_input, None, rows.sum(0) if ctx.needs_input_grad[2] else None, None

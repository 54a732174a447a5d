"""What training asks of an algorithm."""

import math
from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from pcltut.models import GaussianEncoder, GenerativeModel
from pcltut.samplers import ChainState
from pcltut.training.gradients import Gradients


@runtime_checkable
class Algorithm(Protocol):
    """All that training asks of an algorithm; one of your own derives from it and writes `gradients`.

    A frozen dataclass can be resumed from a checkpoint: its fields are compared by value.
    """

    @property
    def uses_encoder(self) -> bool:
        """Whether `gradients` needs an encoder."""
        return True

    @property
    def keeps_chains(self) -> bool:
        """Whether each image's chain goes on where it ended when the image was last seen."""
        return False

    def gradients(
        self,
        model: GenerativeModel,
        encoder: GaussianEncoder | None,
        x: Tensor,
        *,
        generator: torch.Generator,
        start: Tensor | None = None,
    ) -> Gradients:
        """Both networks' descent directions for the batch `x` at their present parameters; changes none of them.

        Args:
            start: `[batch, latent]`, where chains that are kept go on.
        """
        ...

    def updates(
        self,
        model: GenerativeModel,
        encoder: GaussianEncoder | None,
        x: Tensor,
        *,
        generator: torch.Generator,
        start: Tensor | None = None,
    ) -> Iterator[Gradients]:
        """The gradients of one batch, each followed by a step of the optimizers before the next is computed."""
        yield self.gradients(model, encoder, x, generator=generator, start=start)

    def stability_margin(self, model: GenerativeModel, x: Tensor, chain: ChainState) -> float:
        """The chain's distance from divergence (`pcltut.samplers.stability_margin`); NaN where it has no meaning."""
        return math.nan

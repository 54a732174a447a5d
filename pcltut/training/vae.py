"""The variational autoencoder, under the same roof so that the comparison is like for like."""

import dataclasses

import torch
from torch import Tensor

from pcltut.arguments import whole_number
from pcltut.models import GaussianEncoder, GenerativeModel
from pcltut.noise import standard_normal
from pcltut.objectives import elbo
from pcltut.training.algorithm import Algorithm
from pcltut.training.gradients import Gradients, scaled, trained_parameters


@dataclasses.dataclass(frozen=True)
class VAE(Algorithm):
    """Both networks climb the reparameterized ELBO (Kingma and Welling, 2014).

    Args:
        num_samples: draws from the encoder for each image and update.
    """

    num_samples: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "num_samples", whole_number("num_samples", self.num_samples, remedy="one is usual"))

    @torch.inference_mode(False)
    @torch.enable_grad()
    def gradients(
        self,
        model: GenerativeModel,
        encoder: GaussianEncoder,
        x: Tensor,
        *,
        generator: torch.Generator,
        start: Tensor | None = None,
    ) -> Gradients:
        """Gradients of minus the ELBO for both networks, by one backward pass; changes no parameter."""
        q = encoder(x)
        noise = standard_normal((self.num_samples, *q.mean.shape), generator=generator, dtype=q.mean.dtype)
        bound = elbo(model, x, q, noise)
        descent = bound_descent(model, encoder, bound)
        bound = bound.detach()
        log_joint = (bound - q.entropy().detach()).mean()
        return Gradients(*descent, -bound.mean(), log_joint, decoder_evaluations=self.num_samples)


def bound_descent(
    model: GenerativeModel, encoder: GaussianEncoder, bound: Tensor
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Descent directions of both networks for minus the mean of a bound, one value an image."""
    model_parameters, encoder_parameters = trained_parameters(model), trained_parameters(encoder)
    gradients = torch.autograd.grad(bound.sum(), (*model_parameters, *encoder_parameters))
    descent = scaled(gradients, -1 / len(bound))
    return tuple(descent[: len(model_parameters)]), tuple(descent[len(model_parameters) :])

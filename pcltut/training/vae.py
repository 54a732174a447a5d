"""The variational autoencoder, under the same roof so that the comparison is like for like."""

import dataclasses

import torch
from torch import Tensor

from pcltut.models import GaussianEncoder, GenerativeModel
from pcltut.objectives import elbo
from pcltut.training.gradients import Gradients, trained_parameters


@dataclasses.dataclass(frozen=True)
class VAE:
    """Both networks climb the reparameterized ELBO (Kingma and Welling, 2014).

    Args:
        num_samples: draws from the encoder for each image and update.
    """

    num_samples: int = 1

    def __post_init__(self) -> None:
        if self.num_samples < 1:
            raise ValueError(f"got num_samples={self.num_samples}, expected at least 1; one is usual")

    @property
    def uses_encoder(self) -> bool:
        """Always true, since without an encoder there is no ELBO to climb."""
        return True

    @property
    def keeps_chains(self) -> bool:
        """Never: there are no chains."""
        return False

    def gradients(
        self, model: GenerativeModel, encoder: GaussianEncoder, x: Tensor, generator: torch.Generator
    ) -> Gradients:
        """Gradients of minus the ELBO for both networks, by one backward pass; changes no parameter."""
        q = encoder(x)
        shape = (self.num_samples, *q.mean.shape)
        noise = torch.randn(shape, generator=generator, device=generator.device, dtype=q.mean.dtype)
        bound = elbo(model, x, q, noise)
        model_parameters, encoder_parameters = trained_parameters(model), trained_parameters(encoder)
        gradients = torch.autograd.grad(bound.sum(), (*model_parameters, *encoder_parameters))
        descent = torch._foreach_mul(gradients, -1 / len(x))
        bound = bound.detach()
        return Gradients(
            model=descent[: len(model_parameters)],
            encoder=descent[len(model_parameters) :],
            loss=-bound.mean(),
            log_joint=(bound - q.entropy().detach()).mean(),
            decoder_evaluations=self.num_samples,
        )

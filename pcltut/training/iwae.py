"""The importance-weighted autoencoder: a VAE with a tighter bound, at the price of more decoder passes."""

import dataclasses
import math

import torch
from torch import Tensor

from pcltut.models import GaussianEncoder, GenerativeModel
from pcltut.training.gradients import Gradients, trained_parameters


@dataclasses.dataclass(frozen=True)
class IWAE:
    """Both networks climb the importance-weighted bound with K draws (Burda, Grosse and Salakhutdinov, 2016).

    With `num_samples=1` it is the VAE, with one more draw's noise in its gradient (the entropy is sampled too). More
    draws help the decoder and starve the encoder: the signal in its gradient falls relative to the noise, by the root
    of K (Rainforth et al., 2018).

    Args:
        num_samples: K, draws from the encoder for each image and update; all of them pass through the decoder.
    """

    num_samples: int

    def __post_init__(self) -> None:
        if self.num_samples < 1:
            raise ValueError(f"got num_samples={self.num_samples}, expected at least 1; 8 is a usual choice")

    @property
    def uses_encoder(self) -> bool:
        """Always true, since the draws come from it."""
        return True

    @property
    def keeps_chains(self) -> bool:
        """Never: there are no chains."""
        return False

    def gradients(
        self, model: GenerativeModel, encoder: GaussianEncoder, x: Tensor, generator: torch.Generator
    ) -> Gradients:
        """Gradients of minus the bound for both networks, by one backward pass; changes no parameter."""
        q = encoder(x)
        shape = (self.num_samples, *q.mean.shape)
        noise = torch.randn(shape, generator=generator, device=generator.device, dtype=q.mean.dtype)
        z = q.sample(noise)
        log_joint = model.log_joint(x, z)
        bound = (log_joint - q.log_prob(z)).logsumexp(0) - math.log(self.num_samples)  # objectives.iwae_bound
        model_parameters, encoder_parameters = trained_parameters(model), trained_parameters(encoder)
        gradients = torch.autograd.grad(bound.sum(), (*model_parameters, *encoder_parameters))
        descent = torch._foreach_mul(gradients, -1 / len(x))
        return Gradients(
            model=descent[: len(model_parameters)],
            encoder=descent[len(model_parameters) :],
            loss=-bound.detach().mean(),
            log_joint=log_joint.detach().mean(),
            decoder_evaluations=self.num_samples,
        )

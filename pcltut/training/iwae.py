"""The importance-weighted autoencoder: a VAE with a tighter bound, at the price of more decoder passes."""

import dataclasses

import torch
from torch import Tensor

from pcltut.arguments import whole_number
from pcltut.models import GaussianEncoder, GenerativeModel
from pcltut.noise import standard_normal
from pcltut.objectives import log_mean_weight
from pcltut.training.algorithm import Algorithm
from pcltut.training.gradients import Gradients
from pcltut.training.vae import bound_descent


@dataclasses.dataclass(frozen=True)
class IWAE(Algorithm):
    """Both networks climb the importance-weighted bound with K draws (Burda, Grosse and Salakhutdinov, 2016).

    With `num_samples=1` it is the VAE, with one more draw's noise in its gradient (the entropy is sampled too). More
    draws help the decoder and starve the encoder: the signal in its gradient falls relative to the noise, by the root
    of K (Rainforth et al., 2018).

    Args:
        num_samples: K, draws from the encoder for each image and update; all of them pass through the decoder.
    """

    num_samples: int

    def __post_init__(self) -> None:
        num_samples = whole_number("num_samples", self.num_samples, remedy="8 is a usual choice")
        object.__setattr__(self, "num_samples", num_samples)

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
        """Gradients of minus the bound (`pcltut.objectives.iwae_bound`), by one backward pass; changes no parameter."""
        q = encoder(x)
        z = q.sample(standard_normal((self.num_samples, *q.mean.shape), generator=generator, dtype=q.mean.dtype))
        log_joint = model.log_joint(x, z)
        bound = log_mean_weight(log_joint - q.log_prob(z))
        descent = bound_descent(model, encoder, bound)
        log_joint = log_joint.detach().mean()
        return Gradients(*descent, -bound.detach().mean(), log_joint, decoder_evaluations=self.num_samples)

"""Bounds on the evidence and the losses that fit an encoder: one value an image, in nats."""

from jaxtyping import Float
from torch import Tensor

from pcltut.models import DiagonalGaussian, GenerativeModel


def elbo(
    model: GenerativeModel,
    x: Float[Tensor, "batch ..."],
    q: DiagonalGaussian,
    noise: Float[Tensor, "samples batch latent"],
) -> Float[Tensor, " batch"]:
    r"""Reparameterized estimate of :math:`E_q[\log p(x, z)] + H[q] \le \log p(x)`, averaged over the samples.

    Unbiased for each image, with the entropy in closed form. Source: Kingma and Welling (2014), estimator A.

    Args:
        noise: standard normal, one row for each sample and image.
    """
    return model.log_joint(x, q.sample(noise)).mean(0) + q.entropy()


def reverse_kl_loss(
    model: GenerativeModel,
    x: Float[Tensor, "batch ..."],
    q: DiagonalGaussian,
    noise: Float[Tensor, "samples batch latent"],
) -> Float[Tensor, " batch"]:
    r"""The encoder's loss :math:`KL(q(z \mid x) \| p(z \mid x)) - \log p(x)`, estimated as minus the ELBO.

    Its minimum over a diagonal Gaussian seeks a mode: on a Gaussian posterior with precision Lambda the variances are
    1 / Lambda_ii, which is too narrow wherever latents correlate.
    """
    return -elbo(model, x, q, noise)

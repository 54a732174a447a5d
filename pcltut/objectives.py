"""Bounds on the evidence and the losses that fit an encoder: one value an image, in nats."""

import math

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

    Unbiased for each image, with the entropy in closed form. See :eq:`eq-elbo`. Source: Kingma and
    Welling (2014), estimator A.

    Args:
        noise: standard normal, one row for each sample and image.
    """
    return model.log_joint(x, q.sample(noise)).mean(0) + q.entropy()


def iwae_bound(
    model: GenerativeModel,
    x: Float[Tensor, "batch ..."],
    q: DiagonalGaussian,
    noise: Float[Tensor, "samples batch latent"],
) -> Float[Tensor, " batch"]:
    r"""Importance-weighted bound :math:`\log \frac1K \sum_k p(x, z_k) / q(z_k \mid x)` with K draws from q.

    In expectation at most :math:`\log p(x)`, at least the ELBO, and rising in K; its gap is of the order of the
    weights' variance over K, so for a q far from the posterior it stays wide for any K in reach. With K = 1 its
    expectation is the ELBO. See :eq:`eq-iwae`. Source: Burda, Grosse and Salakhutdinov (2016), equation 8.

    Args:
        noise: standard normal, one row for each of the K draws and each image.
    """
    z = q.sample(noise)
    return log_mean_weight(model.log_joint(x, z) - q.log_prob(z))


def log_mean_weight(log_weights: Float[Tensor, "samples batch"]) -> Float[Tensor, " batch"]:
    r""":math:`\log \frac1K \sum_k w_k`, the logarithm of the mean of K weights, from their logarithms.

    A weight below :math:`e^{-60}` of the largest counts as that, without a gradient. No float of 64 bits sees the
    difference; but gradients as small as the weights would be subnormal numbers, with which processors are slow.
    """
    log_weights = log_weights.clamp(min=log_weights.detach().amax(0) - 60)
    return log_weights.logsumexp(0) - math.log(len(log_weights))


def reverse_kl_loss(
    model: GenerativeModel,
    x: Float[Tensor, "batch ..."],
    q: DiagonalGaussian,
    noise: Float[Tensor, "samples batch latent"],
) -> Float[Tensor, " batch"]:
    r"""The encoder's loss :math:`KL(q(z \mid x) \| p(z \mid x)) - \log p(x)`, estimated as minus the ELBO.

    See :eq:`eq-reverse-kl`. Its minimum over a diagonal Gaussian seeks a mode: on a Gaussian posterior with precision
    Lambda the variances are 1 / Lambda_ii, which is too narrow wherever latents correlate.
    """
    return -elbo(model, x, q, noise)


def forward_kl_loss(q: DiagonalGaussian, z: Float[Tensor, "*samples batch latent"]) -> Float[Tensor, " batch"]:
    r"""The encoder's loss on samples as data, :math:`-\log q(z \mid x)`, averaged over the samples.

    See :eq:`eq-forward-kl`. With samples of the posterior it is :math:`KL(p(z \mid x) \| q(z \mid x))` up to a
    constant: it covers the posterior, and its minimum has the posterior's own mean and marginal variances. With
    samples of a short chain that q itself started it fits the chain's law, which is still near q. No gradient flows
    into the samples.
    """
    losses = -q.log_prob(z.detach())
    return losses.reshape(-1, losses.shape[-1]).mean(0)


def jeffreys_loss(
    model: GenerativeModel,
    x: Float[Tensor, "batch ..."],
    q: DiagonalGaussian,
    noise: Float[Tensor, "samples batch latent"],
    z: Float[Tensor, "*samples batch latent"],
) -> Float[Tensor, " batch"]:
    r"""Reverse and forward KL together: `reverse_kl_loss` on q's own draws plus `forward_kl_loss` on samples `z`.

    See :eq:`eq-jeffreys`. On exact samples of a Gaussian posterior the variances at its minimum are
    :math:`\sqrt{S_{ii} / \Lambda_{ii}}`, the geometric mean of what the two losses find.
    """
    return reverse_kl_loss(model, x, q, noise) + forward_kl_loss(q, z)

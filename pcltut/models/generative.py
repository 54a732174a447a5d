"""The latent-variable model p(x, z) = p(z) p(x | z): a standard normal prior, a decoder and a likelihood."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def standard_normal_log_prob(z: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch"]:
    """Log-density of N(0, I), summed over the last dimension."""
    return -0.5 * z.square().sum(-1) - 0.5 * z.shape[-1] * math.log(2 * math.pi)


class GenerativeModel(nn.Module):
    r"""A decoder with a likelihood under a standard normal prior.

    .. math:: \log p_\theta(x, z) = \log N(z; 0, I) + \log p_\theta(x \mid z)

    summed (never averaged) over pixels and latents: one value for each image and chain. See :eq:`eq-joint`.

    Args:
        decoder: maps `z` `[..., latent]` to `[..., *event]`, for any leading dimensions.
        likelihood: `Gaussian` or `DiscretizedGaussian`, a density around the decoder's output.
        latent_dim: size of z.

    Raises:
        ValueError: the decoder holds batch normalization. It would make one image's density depend on the other
            images of the batch, so that the chains of a batch were coupled and no longer sample a posterior.
    """

    def __init__(self, decoder: nn.Module, likelihood: nn.Module, latent_dim: int) -> None:
        super().__init__()
        for name, module in decoder.named_modules():
            if isinstance(module, _BatchNorm):
                raise ValueError(
                    f"got a decoder with {type(module).__name__} at '{name}', expected one that treats each image on "
                    "its own; remove it or use GroupNorm or LayerNorm (batch statistics couple the chains of a batch)"
                )
        self.decoder = decoder
        self.likelihood = likelihood
        self.latent_dim = latent_dim

    def log_prior(self, z: Float[Tensor, "*chain latent"]) -> Float[Tensor, "*chain"]:
        """Log-density of the prior N(0, I)."""
        return standard_normal_log_prob(z)

    def log_likelihood(self, x: Float[Tensor, "..."], z: Float[Tensor, "*chain latent"]) -> Float[Tensor, "*chain"]:
        """Log p(x | z), summed over pixels; `x` `[batch, *event]` is broadcast over the chains of `z`."""
        loc = self.decode(z)
        event_ndim = loc.ndim - (z.ndim - 1)
        if x.shape[x.ndim - event_ndim :] != loc.shape[loc.ndim - event_ndim :]:
            raise ValueError(
                f"got x of shape {tuple(x.shape)}, expected images of {tuple(loc.shape[loc.ndim - event_ndim :])} "
                "(the decoder's output); reshape x or build the decoder for this event shape"
            )
        return self.likelihood.log_prob(x, loc, event_ndim)

    def log_joint(self, x: Float[Tensor, "..."], z: Float[Tensor, "*chain latent"]) -> Float[Tensor, "*chain"]:
        """Log p(x, z) = log p(z) + log p(x | z), minus the energy of chapter 1 (:eq:`eq-energy`)."""
        return self.log_prior(z) + self.log_likelihood(x, z)

    def decode(self, z: Float[Tensor, "*chain latent"]) -> Float[Tensor, "..."]:
        """The mean image of p(x | z), `[*chain, *event]`."""
        if z.shape[-1] != self.latent_dim:
            raise ValueError(
                f"got z with {z.shape[-1]} latents in its last dimension, expected {self.latent_dim}; "
                "pass z of shape [*chain, batch, latent]"
            )
        return self.decoder(z)

    def sample_prior(self, num: int, *, generator: torch.Generator) -> Float[Tensor, "num latent"]:
        """Draw `num` latents from the prior."""
        parameter = next(self.parameters())
        return torch.randn(num, self.latent_dim, generator=generator, device=generator.device, dtype=parameter.dtype)

    @torch.no_grad()
    def sample(self, num: int, *, generator: torch.Generator) -> Float[Tensor, "num ..."]:
        """Draw `num` images by ancestral sampling: z from the prior, then x from p(x | z), pixel noise included."""
        z = self.sample_prior(num, generator=generator)
        return self.likelihood.sample(self.decode(z), generator=generator)

    def curvature_product(
        self, x: Float[Tensor, "..."], z: Float[Tensor, "batch latent"], v: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, "batch latent"]:
        r"""Gauss-Newton curvature of the energy times `v`, :math:`(I + J^\top J / \sigma^2) v`, image by image.

        J is the decoder's Jacobian at `z`. It leaves out the decoder's second derivatives times the residual, so it is
        positive definite everywhere and exact where the decoder is linear. `x` is not used: the residual drops out.
        """
        loc, tangent = torch.func.jvp(self.decode, (z,), (v,))
        _, pull_back = torch.func.vjp(self.decode, z)
        return v + pull_back(tangent.to(loc.dtype))[0] * self.likelihood.precision()

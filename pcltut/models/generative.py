"""The latent-variable model p(x, z) = p(z) p(x | z): a prior, a decoder and a likelihood."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pcltut.models.modules import check_no_randomness
from pcltut.models.priors import StandardNormal

MAX_PIXEL = 10.0  # nothing below zero and more than this: pixels 0 .. 255


def gauss_newton_product(residual: Callable[[Tensor], Tensor], z: Tensor, v: Tensor) -> Tensor:
    r""":math:`J^\top J v` with J the Jacobian of `residual` at `z`.

    :math:`J v` is the derivative of :math:`u \mapsto u^\top J v`, in reverse mode alone: forward mode has a state that
    the threads of a process share.
    """
    value, pull_back = torch.func.vjp(residual, z)
    _, push_forward = torch.func.vjp(lambda u: pull_back(u)[0], torch.zeros_like(value))
    return pull_back(push_forward(v)[0])[0]


def check_floats(x: Tensor, dtype: torch.dtype) -> None:
    """Raise ValueError unless `x` is a tensor of finite floats of a model's type."""
    if hasattr(x, "as_float"):
        raise ValueError(f"got {x!r}, expected a tensor; pass images.as_float()")
    if isinstance(x, Tensor) and (x.layout != torch.strided or x.device.type == "meta" or x.ndim == 0):
        raise ValueError(
            f"got data of layout {x.layout} on {x.device} with {x.ndim} axes, expected a batch in memory; "
            "use x.to_dense(), or x[None] for one number"
        )
    if not isinstance(x, Tensor):
        raise ValueError(f"got data of type {type(x).__name__}, expected a tensor; use torch.as_tensor(...)")
    if x.dtype != dtype:
        hint = "for pixels 0 .. 255 take x / 127.5 - 1" if not x.is_floating_point() else f"use x.to({dtype})"
        raise ValueError(f"got data of {x.dtype}, expected {dtype}, the type of the model's weights; {hint}")
    if x.ndim >= 2 and not bool(torch.isfinite(x).all()):
        rows = int((~torch.isfinite(x).flatten(1).all(-1)).sum())
        raise ValueError(f"got data that are not finite in {rows} of {len(x)} rows, expected finite numbers; mend x")


class GenerativeModel(nn.Module):
    r"""A decoder with a likelihood under a prior, the standard normal unless another is given.

    .. math:: \log p_\theta(x, z) = \log p(z) + \log p_\theta(x \mid z), \qquad p(z) = N(z; 0, I)

    summed (never averaged) over pixels and latents: one value for each image and chain. See :eq:`eq-joint`.

    Args:
        decoder: maps `z` `[..., latent]` to `[..., *event]`, for any leading dimensions.
        likelihood: `Gaussian` or `DiscretizedGaussian`, a density around the decoder's output.
        latent_dim: size of z.
        prior: law of z: N(0, I) if not given, a `GaussianMixture`, or a `LearnedMixture`, which is part of theta.

    Raises:
        ValueError: the prior is one of another size or type of numbers; or the decoder holds batch normalization,
            which would make one image's density depend on the other images of the batch, so that the chains of a batch
            were coupled and no longer sample a posterior; or dropout, with which there is no one density to sample.
    """

    def __init__(
        self, decoder: nn.Module, likelihood: nn.Module, latent_dim: int, prior: nn.Module | None = None
    ) -> None:
        super().__init__()
        for name, module in decoder.named_modules():
            if isinstance(module, _BatchNorm):
                raise ValueError(
                    f"got a decoder with {type(module).__name__} at '{name}', expected one that treats each image on "
                    "its own; remove it or use GroupNorm or LayerNorm (batch statistics couple the chains of a batch)"
                )
        check_no_randomness(decoder, "a decoder")
        prior = StandardNormal(latent_dim) if prior is None else prior
        if prior.latent_dim != latent_dim:
            raise ValueError(
                f"got a prior of {prior.latent_dim} latents, expected latent_dim={latent_dim}; fit it to this model's"
            )
        kinds = {(part.dtype, part.device) for part in (*prior.buffers(), *prior.parameters())}
        if kinds - {(part.dtype, part.device) for part in decoder.parameters()}:
            raise ValueError(
                f"got a prior with numbers of {kinds}, expected the decoder's type and device; convert it with .to()"
            )
        self.decoder = decoder
        self.likelihood = likelihood
        self.latent_dim = latent_dim
        self.prior = prior

    def log_prior(self, z: Float[Tensor, "*chain latent"]) -> Float[Tensor, "*chain"]:
        """Log-density of the prior."""
        return self.prior.log_prob(z)

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
        return self.prior.sample(num, generator=generator, dtype=self.dtype)

    @property
    def dtype(self) -> torch.dtype:
        """The type of the weights, which z and x must have too."""
        return next(self.parameters()).dtype

    def check_data(self, x: Float[Tensor, "batch ..."]) -> None:
        """Raise ValueError unless `x` is a batch of what the decoder makes, finite, in a range that pixels have.

        Images (channel, height, width) lie in about [-1, 1], as `Images.as_float` gives them; other events may have
        any finite values. A discretized likelihood takes its 256 levels alone.
        """
        check_floats(x, self.dtype)
        with torch.no_grad():
            event = tuple(self.decode(torch.zeros(1, self.latent_dim).to(next(self.parameters()))).shape[1:])
        if x.ndim != len(event) + 1 or tuple(x.shape[1:]) != event:
            raise ValueError(
                f"got data of shape {tuple(x.shape)}, expected (batch, {', '.join(map(str, event))}): one batch axis "
                "and the decoder's output; reshape the data (x[None] for a single image) or build the networks for it"
            )
        looks_like_bytes = len(x) and x.min() >= 0 and x.max() > MAX_PIXEL
        if looks_like_bytes and (len(event) == 3 or bool((x == x.round()).all())):
            raise ValueError(
                f"got images with values from {x.min().item():.4g} to {x.max().item():.4g}, expected about [-1, 1]; "
                "for pixels 0 .. 255 take x / 127.5 - 1"
            )
        if hasattr(self.likelihood, "check_data"):
            self.likelihood.check_data(x)

    @torch.no_grad()
    def sample(self, num: int, *, generator: torch.Generator) -> Float[Tensor, "num ..."]:
        """Draw `num` images by ancestral sampling: z from the prior, then x from p(x | z), pixel noise included."""
        z = self.sample_prior(num, generator=generator)
        return self.likelihood.sample(self.decode(z), generator=generator)

    def curvature_product(
        self, x: Float[Tensor, "..."], z: Float[Tensor, "batch latent"], v: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, "batch latent"]:
        r"""Gauss-Newton curvature of the energy times `v`, :math:`(C + J^\top J / \sigma^2) v`, image by image.

        C is the prior's curvature, I for N(0, I), and for a mixture the bound of `GaussianMixture.curvature_product`.
        J is the decoder's Jacobian at `z`. It leaves out the decoder's second derivatives times the residual, so it is
        positive definite everywhere and exact where the decoder is linear. `x` is not used: the residual drops out.
        """
        return (
            self.prior.curvature_product(z, v) + gauss_newton_product(self.decode, z, v) * self.likelihood.precision()
        )

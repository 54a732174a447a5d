"""Approximate posteriors q(z | x): a diagonal Gaussian whose parameters a network computes."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pcltut.models.modules import check_no_randomness


class DiagonalGaussian(NamedTuple):
    """q(z | x) = N(mean, diag(exp(log_scale)^2)), one for each image: shapes `[batch, latent]`."""

    mean: Float[Tensor, "*batch latent"]
    log_scale: Float[Tensor, "*batch latent"]

    @property
    def scale(self) -> Float[Tensor, "*batch latent"]:
        """Standard deviations."""
        return self.log_scale.exp()

    def sample(self, noise: Float[Tensor, "*chain latent"]) -> Float[Tensor, "*chain latent"]:
        """Reparameterized draw `mean + scale * noise`, differentiable in mean and log_scale."""
        return self.mean + self.scale * noise

    def log_prob(self, z: Float[Tensor, "*chain latent"]) -> Float[Tensor, "*chain"]:
        """Log q(z | x), summed over latents."""
        normalized = (z - self.mean) / self.scale
        return (-0.5 * normalized.square() - self.log_scale - 0.5 * math.log(2 * math.pi)).sum(-1)

    def entropy(self) -> Float[Tensor, "*batch"]:
        """Entropy in nats, one value an image."""
        return self.log_scale.sum(-1) + 0.5 * self.mean.shape[-1] * (1 + math.log(2 * math.pi))

    def kl_to_standard_normal(self) -> Float[Tensor, "*batch"]:
        """KL(q || N(0, I)) in nats, one value an image."""
        return 0.5 * (self.mean.square() + self.scale.square() - 1 - 2 * self.log_scale).sum(-1)


class GaussianEncoder(nn.Module):
    """Amortized q(z | x): `network` maps x to `2 * latent_dim` numbers, the mean and the log-scale.

    Args:
        network: maps `[batch, *event]` to `[batch, 2 * latent_dim]`.
        min_log_scale: lower bound of the log standard deviation.
        max_log_scale: upper bound. The bounds are hard: outside them the log-scale has no gradient.

    Raises:
        ValueError: the network holds dropout or another layer that draws random numbers.
    """

    def __init__(
        self, network: nn.Module, latent_dim: int, *, min_log_scale: float = -10.0, max_log_scale: float = 5.0
    ) -> None:
        super().__init__()
        check_no_randomness(network, "an encoder")
        self.network = network
        self.latent_dim = latent_dim
        self.min_log_scale = min_log_scale
        self.max_log_scale = max_log_scale

    def forward(self, x: Float[Tensor, "batch ..."]) -> DiagonalGaussian:
        """q(z | x) for each image."""
        output = self.network(x)
        if output.shape[-1] != 2 * self.latent_dim:
            raise ValueError(
                f"got {output.shape[-1]} outputs from the encoder's network, expected {2 * self.latent_dim} "
                "(a mean and a log-scale for each latent); change its last layer"
            )
        mean, log_scale = output.chunk(2, dim=-1)
        return DiagonalGaussian(mean, torch.clamp(log_scale, self.min_log_scale, self.max_log_scale))

"""Hierarchical Gaussian models: layers that predict each other, with errors that each computes for itself."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pcltut.models.generative import GenerativeModel, gauss_newton_product
from pcltut.models.likelihoods import Gaussian
from pcltut.models.networks import draw_weights, empty_layer
from pcltut.models.priors import standard_normal_log_prob

ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU, "linear": nn.Identity}


class HierarchicalGaussian(GenerativeModel):
    r"""Layers of latents, each predicting the one below it.

    .. math:: z_L \sim N(0, I), \quad z_l \sim N(W_l \phi(z_{l+1}) + b_l, s_l^2 I), \quad
       x \sim N(W_0 \phi(z_1) + b_0, s_0^2 I)

    The latents stand in one vector `z = [z_1, ..., z_L]` on the last axis, `z_1` nearest the data. Source: Rao and
    Ballard (1999); see :eq:`eq-prediction-error`, :eq:`eq-local-rule` and :eq:`eq-hebbian`.

    Args:
        sizes: `(observed, d_1, ..., d_L)`.
        scales: standard deviations `s_0 .. s_{L-1}`, or one number for all; they are fixed.
        activation: phi, "tanh", "relu" or "linear".
        generator: draws the initial weights, on its device.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        scales: float | Sequence[float] = 1.0,
        activation: Literal["tanh", "relu", "linear"] = "tanh",
        generator: torch.Generator,
    ) -> None:
        if len(sizes) < 2:
            raise ValueError(f"got sizes={tuple(sizes)}, expected (observed, d_1, ..., d_L); give a latent layer")
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"got activation={activation!r}, expected one of {sorted(ACTIVATIONS)}; choose one of them"
            )
        num_layers = len(sizes) - 1
        scales = [float(scales)] * num_layers if isinstance(scales, int | float) else [float(s) for s in scales]
        if len(scales) != num_layers or min(scales) <= 0:
            raise ValueError(
                f"got scales={scales}, expected {num_layers} positive numbers; give one for each prediction"
            )
        phi = ACTIVATIONS[activation]()
        layers = [empty_layer(nn.Linear, above, below, generator=generator) for below, above in pairwise(sizes)]
        likelihood = Gaussian(scales[0], learn_scale=False).to(generator.device)
        super().__init__(nn.Sequential(phi, layers[0]), likelihood, sum(sizes[1:]))
        self.upper_layers = nn.ModuleList(layers[1:])
        for layer in self.layers:
            draw_weights(layer, generator=generator)
        self.sizes = tuple(sizes)
        self.scales = tuple(scales)
        self.activation = activation
        self.phi = phi

    @property
    def layers(self) -> tuple[nn.Linear, ...]:
        """The predictions' linear maps, `layers[l]` from layer l + 1 to layer l (`W_l` and `b_l`)."""
        return (self.decoder[1], *self.upper_layers)

    def split(self, z: Float[Tensor, "*chain latent"]) -> tuple[Float[Tensor, "*chain _"], ...]:
        """The layers `z_1, ..., z_L` of a concatenated latent."""
        return z.split(self.sizes[1:], dim=-1)

    def decode(self, z: Float[Tensor, "*chain latent"]) -> Float[Tensor, "*chain observed"]:
        """The prediction of x from `z_1`."""
        return self.decoder(self.split(z)[0])

    def log_prior(self, z: Float[Tensor, "*chain latent"]) -> Float[Tensor, "*chain"]:
        """Log-density of all latent layers, each given the one above."""
        *lower, top = self.split(z)
        total = standard_normal_log_prob(top)
        for value, prediction, scale in zip(lower, self._predictions(z)[1:-1], self.scales[1:], strict=True):
            normalized = (value - prediction) / scale
            total = total + standard_normal_log_prob(normalized) - value.shape[-1] * math.log(scale)
        return total

    def sample_prior(self, num: int, *, generator: torch.Generator) -> Float[Tensor, "num latent"]:
        """Draw all latent layers from the top down."""
        noise = self.split(super().sample_prior(num, generator=generator))
        z = [noise[-1]]
        for level in range(len(self.sizes) - 2, 0, -1):
            prediction = self.layers[level](self.phi(z[0]))
            z.insert(0, prediction + self.scales[level] * noise[level - 1])
        return torch.cat(z, dim=-1)

    def prediction_errors(
        self, x: Float[Tensor, "batch observed"], z: Float[Tensor, "*chain latent"]
    ) -> tuple[Float[Tensor, "*chain _"], ...]:
        """Precision-weighted errors `(value - prediction) / s^2`, data layer first; the top is predicted as 0."""
        values = (x, *self.split(z))
        scales = (self.likelihood.scale, *self.scales[1:], 1.0)
        return tuple((v - p) / s**2 for v, p, s in zip(values, self._predictions(z), scales, strict=True))

    def local_score(
        self, x: Float[Tensor, "batch observed"], z: Float[Tensor, "*chain latent"]
    ) -> Float[Tensor, "*chain latent"]:
        r"""The score of log_joint from local quantities: each layer's error and the one that it causes below.

        .. math:: \nabla_{z_l} \log p(x, z) = -e_l + \phi'(z_l) \odot W_{l-1}^\top e_{l-1}
        """
        errors = self.prediction_errors(x, z)
        parts = [
            -error + self._slope(value) * (error_below @ layer.weight)
            for value, error, error_below, layer in zip(
                self.split(z), errors[1:], errors[:-1], self.layers, strict=True
            )
        ]
        return torch.cat(parts, dim=-1)

    def local_weight_gradients(
        self, x: Float[Tensor, "batch observed"], z: Float[Tensor, "*chain latent"]
    ) -> tuple[Float[Tensor, "below above"], ...]:
        r"""Gradient of the summed log_joint for each `W_l`, Hebbian: :math:`\sum e_l \, \phi(z_{l+1})^\top`."""
        errors = self.prediction_errors(x, z)
        return tuple(
            error.flatten(0, -2).T @ self.phi(above).flatten(0, -2)
            for error, above in zip(errors[:-1], self.split(z), strict=True)
        )

    def curvature_product(
        self,
        x: Float[Tensor, "batch observed"],
        z: Float[Tensor, "batch latent"],
        v: Float[Tensor, "batch latent"],
    ) -> Float[Tensor, "batch latent"]:
        """Gauss-Newton curvature of the energy, half a sum of squared errors, times `v`."""
        return gauss_newton_product(lambda z: self._residual(x, z), z, v)

    def posterior(
        self, x: Float[Tensor, "batch observed"]
    ) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, "latent latent"]]:
        """Exact mean and covariance of p(z | x), for a linear model.

        Raises:
            ValueError: the activation is not "linear".
        """
        if self.activation != "linear":
            raise ValueError(
                f"got activation={self.activation!r}, expected 'linear'; only then is the posterior Gaussian, "
                "otherwise sample it with pcltut.samplers"
            )
        zero = x.new_zeros(self.latent_dim)
        jacobian = torch.func.jacrev(lambda z: self._residual(x[0], z))(zero)
        covariance = torch.linalg.inv(jacobian.T @ jacobian)
        return -self._residual(x, zero.expand(len(x), -1)) @ jacobian @ covariance, covariance

    def _predictions(self, z: Tensor) -> list[Tensor]:
        """Predictions of x, z_1, ..., z_{L-1} and z_L (zero)."""
        parts = self.split(z)
        return [layer(self.phi(part)) for layer, part in zip(self.layers, parts, strict=True)] + [
            torch.zeros_like(parts[-1])
        ]

    def _residual(self, x: Tensor, z: Tensor) -> Tensor:
        """All errors in units of their standard deviation, concatenated: the energy is half its squared norm."""
        values = (x, *self.split(z))
        scales = (self.likelihood.scale, *self.scales[1:], 1.0)
        parts = [(v - p) / s for v, p, s in zip(values, self._predictions(z), scales, strict=True)]
        return torch.cat(parts, dim=-1)

    def _slope(self, z: Tensor) -> Tensor:
        """The activation's derivative."""
        if self.activation == "tanh":
            return 1 - torch.tanh(z).square()
        return (z > 0).to(z.dtype) if self.activation == "relu" else torch.ones_like(z)

"""The linear-Gaussian model (probabilistic PCA): every quantity of the book in closed form."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from pcltut.models.generative import GenerativeModel
from pcltut.models.likelihoods import Gaussian
from pcltut.models.priors import StandardNormal


class LinearGaussian(GenerativeModel):
    r"""The oracle :math:`x = W z + \mu + \sigma \varepsilon`, with :math:`z \sim N(0, I)`.

    Posterior :math:`N(m, \Lambda^{-1})` with :math:`\Lambda = I + W^\top W / \sigma^2` and
    :math:`m = \Lambda^{-1} W^\top (x - \mu) / \sigma^2`; evidence :math:`N(x; \mu, W W^\top + \sigma^2 I)`.
    Source: Tipping and Bishop (1999), probabilistic principal component analysis.

    Args:
        weight: W, kept as given in its dtype, as a parameter.
        bias: mu; zeros if not given.
        scale: sigma, the standard deviation of an observed coordinate.
        learn_scale: whether training moves sigma.
    """

    def __init__(
        self,
        weight: Float[Tensor, "observed latent"],
        bias: Float[Tensor, " observed"] | None = None,
        scale: float = 1.0,
        learn_scale: bool = False,
    ) -> None:
        observed, latent = weight.shape
        decoder = nn.Linear(latent, observed, device="meta")
        decoder.weight = nn.Parameter(weight.detach().clone())
        decoder.bias = nn.Parameter(weight.new_zeros(observed) if bias is None else bias.detach().clone())
        likelihood = Gaussian(scale, learn_scale=learn_scale).to(weight)
        likelihood.log_scale.data.fill_(math.log(scale))  # in the weight's precision: it was rounded to float32
        super().__init__(decoder, likelihood, latent)

    @property
    def weight(self) -> Float[Tensor, "observed latent"]:
        """W, the loadings."""
        return self.decoder.weight

    @property
    def bias(self) -> Float[Tensor, " observed"]:
        """mu, the mean of x."""
        return self.decoder.bias

    @property
    def scale(self) -> Float[Tensor, ""]:
        """sigma, the noise of an observed coordinate."""
        return self.likelihood.scale

    def posterior_precision(self) -> Float[Tensor, "latent latent"]:
        r"""The curvature of the energy and precision of the posterior, :math:`\Lambda = I + W^\top W / \sigma^2`."""
        self._check_prior()
        identity = torch.eye(self.latent_dim, dtype=self.weight.dtype, device=self.weight.device)
        return identity + self.weight.T @ self.weight / self.scale**2

    def posterior(
        self, x: Float[Tensor, "batch observed"]
    ) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, "latent latent"]]:
        """Mean of each image's posterior and the covariance that all share (:eq:`eq-linear-posterior`)."""
        covariance = torch.linalg.inv(self.posterior_precision())
        return (x - self.bias) @ self.weight @ covariance / self.scale**2, covariance

    def log_evidence(self, x: Float[Tensor, "batch observed"]) -> Float[Tensor, " batch"]:
        r"""Exact :math:`\log p(x)`, one value an image. See :eq:`eq-evidence`."""
        self._check_prior()
        identity = torch.eye(self.weight.shape[0], dtype=self.weight.dtype, device=self.weight.device)
        covariance = self.weight @ self.weight.T + self.scale**2 * identity
        return MultivariateNormal(self.bias, covariance).log_prob(x)

    def ula_stationary_covariance(
        self,
        step_size: float,
        *,
        temperature: float = 1.0,
        preconditioner: Float[Tensor, " latent"] | None = None,
    ) -> Float[Tensor, "latent latent"]:
        r"""Covariance of converged ULA, :math:`\tau (\Lambda - \frac{\gamma}{2} \Lambda M \Lambda)^{-1}`.

        It is wider than the posterior's :math:`\Lambda^{-1}`, by :math:`\gamma / 2` to first order. See
        :eq:`eq-ula-stationary`.

        Args:
            preconditioner: diagonal of a constant M; ones if not given.

        Raises:
            ValueError: the step is not stable, :math:`\gamma \lambda_{max}(M^{1/2} \Lambda M^{1/2}) \ge 2`.
        """
        precision = self.posterior_precision()
        diagonal = torch.ones_like(precision[0]) if preconditioner is None else preconditioner
        curvature = torch.linalg.eigvalsh(diagonal.sqrt()[:, None] * precision * diagonal.sqrt()).max().item()
        if not 0 < step_size * curvature < 2:
            raise ValueError(
                f"got step_size={step_size}, expected 0 < step_size < {2 / curvature:.4g} (2 / curvature), "
                "beyond which ULA has no stationary law; lower step_size"
            )
        return temperature * torch.linalg.inv(precision - 0.5 * step_size * precision @ (diagonal[:, None] * precision))

    def ula_covariance_after(
        self,
        num_steps: int,
        step_size: float,
        initial_covariance: Float[Tensor, "latent latent"],
        *,
        temperature: float = 1.0,
        preconditioner: Float[Tensor, " latent"] | None = None,
    ) -> Float[Tensor, "latent latent"]:
        r"""Covariance of a chain after `num_steps` of ULA, from any start.

        .. math:: P \leftarrow A P A^\top + 2 \gamma \tau M, \qquad A = I - \gamma M \Lambda
        """
        precision = self.posterior_precision()
        diagonal = torch.ones_like(precision[0]) if preconditioner is None else preconditioner
        transition = torch.eye(self.latent_dim).to(precision) - step_size * diagonal[:, None] * precision
        noise = 2 * step_size * temperature * torch.diag(diagonal)
        covariance = initial_covariance
        for _ in range(num_steps):
            covariance = transition @ covariance @ transition.T + noise
        return covariance

    def _check_prior(self) -> None:
        """Raise ValueError under any prior but the one that the closed forms are for."""
        if not isinstance(self.prior, StandardNormal):
            raise ValueError(
                f"got a prior of type {type(self.prior).__name__}, expected StandardNormal; the closed forms hold for "
                "N(0, I) alone, use ais_log_evidence and a sampler"
            )

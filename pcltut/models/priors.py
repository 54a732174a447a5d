"""Laws of the latents: the standard normal, a mixture of Gaussians fitted to latents, and one that is learned."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pcltut.arguments import whole_number
from pcltut.noise import check_generator, standard_normal


def standard_normal_log_prob(z: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch"]:
    """Log-density of N(0, I), summed over the last dimension."""
    return -0.5 * z.square().sum(-1) - 0.5 * z.shape[-1] * math.log(2 * math.pi)


class StandardNormal(nn.Module):
    """N(0, I). It has neither parameters nor buffers.

    Args:
        latent_dim: size of z.
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim

    def log_prob(self, z: Float[Tensor, "*chain latent"]) -> Float[Tensor, "*chain"]:
        """Log-density, summed over latents."""
        return standard_normal_log_prob(z)

    def sample(
        self, num: int, *, generator: torch.Generator, dtype: torch.dtype | None = None
    ) -> Float[Tensor, "num latent"]:
        """Draw `num` latents, of torch's default type if none is given."""
        return standard_normal((num, self.latent_dim), generator=generator, dtype=dtype)

    def curvature_product(
        self, z: Float[Tensor, "batch latent"], v: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, "batch latent"]:
        """The curvature of -log p(z), which is I, times `v`."""
        return v


class GaussianMixture(nn.Module):
    r"""The mixture :math:`\sum_k w_k N(m_k, L_k L_k^\top)`, fixed: its numbers are buffers, which no optimizer moves.

    Args:
        weights: :math:`w_k`, positive, with sum 1.
        means: :math:`m_k`.
        cholesky: :math:`L_k`, lower triangular with a positive diagonal.

    Raises:
        ValueError: shapes, types or values are none of these.
    """

    def __init__(
        self,
        weights: Float[Tensor, " component"],
        means: Float[Tensor, "component latent"],
        cholesky: Float[Tensor, "component latent latent"],
    ) -> None:
        super().__init__()
        components, latent_dim = means.shape if means.ndim == 2 else (0, 0)
        shapes = [tuple(part.shape) for part in (weights, means, cholesky)]
        if not components or shapes != [(components,), (components, latent_dim), (components, latent_dim, latent_dim)]:
            raise ValueError(
                f"got weights, means and cholesky of shapes {shapes}, expected (K,), (K, latent) and "
                "(K, latent, latent) with at least one component; give each component one of each"
            )
        kinds = {(part.dtype, part.device) for part in (weights, means, cholesky)}
        if len(kinds) > 1 or not weights.is_floating_point():
            raise ValueError(
                f"got parts of {kinds}, expected floats of one type on one device; convert them with .to()"
            )
        if not all(bool(torch.isfinite(part).all()) for part in (weights, means, cholesky)):
            raise ValueError("got a mixture with numbers that are not finite, expected finite ones; fit it again")
        if not bool((weights > 0).all()) or abs(weights.sum().item() - 1) > 1e-4:
            raise ValueError(
                f"got weights with sum {weights.sum().item():.6g}, expected positive ones with sum 1; divide"
            )
        if not bool((cholesky.diagonal(dim1=-2, dim2=-1) > 0).all()) or bool(cholesky.triu(1).any()):
            raise ValueError(
                "got a cholesky that is not lower triangular with a positive diagonal; "
                "use torch.linalg.cholesky(covariances)"
            )
        self.latent_dim = latent_dim
        self.register_buffer("weights", weights.detach().clone())
        self.register_buffer("means", means.detach().clone())
        self.register_buffer("cholesky", cholesky.detach().clone())

    def log_prob(self, z: Float[Tensor, "*chain latent"]) -> Float[Tensor, "*chain"]:
        """Log-density of the mixture."""
        return torch.logsumexp(self.component_log_probs(z), -1)

    def component_log_probs(self, z: Float[Tensor, "*chain latent"]) -> Float[Tensor, "*chain component"]:
        r"""Each component's :math:`\log w_k + \log N(z; m_k, L_k L_k^\top)`."""
        whitening = self._whitening()
        shift = (whitening @ self.means[:, :, None]).flatten()
        white = (z @ whitening.flatten(0, 1).T - shift).unflatten(-1, self.means.shape)
        log_diagonal = self.cholesky.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return standard_normal_log_prob(white) - log_diagonal + self.weights.log()

    def sample(
        self, num: int, *, generator: torch.Generator, dtype: torch.dtype | None = None
    ) -> Float[Tensor, "num latent"]:
        """Draw `num` latents, of the mixture's own type if none is given."""
        check_generator(generator=generator)
        component = torch.multinomial(self.weights, num, replacement=True, generator=generator)
        noise = standard_normal((num, self.latent_dim), generator=generator, dtype=self.means.dtype)
        z = self.means[component] + (self.cholesky[component] @ noise[:, :, None]).squeeze(-1)
        return z.to(dtype or z.dtype)

    def curvature_product(
        self, z: Float[Tensor, "batch latent"], v: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, "batch latent"]:
        r"""The mean precision :math:`\sum_k r_k(z) (L_k L_k^\top)^{-1} v`, with r the components' shares at `z`.

        The curvature of -log p(z) is this minus the covariance of the components' scores: so it is an upper bound,
        positive definite, and exact where one component has all.
        """
        shares = torch.softmax(self.component_log_probs(z), -1)
        whitening = self._whitening()
        white = torch.einsum("kij,bj->bki", whitening, v)
        return torch.einsum("bk,kij,bki->bj", shares, whitening, white)

    def _whitening(self) -> Float[Tensor, "component latent latent"]:
        """The inverses of L: all components of all latents are then whitened by one product."""
        identity = torch.eye(self.latent_dim).to(self.cholesky)
        return torch.linalg.solve_triangular(self.cholesky, identity.expand_as(self.cholesky), upper=False)


class LearnedMixture(nn.Module):
    r"""The mixture :math:`\sum_k w_k N(m_k, \mathrm{diag}\, s_k^2)`, learned with the decoder.

    Its parameters are part of theta: their gradient, the mean of :math:`\nabla \log p(z)` over the latents that teach
    the decoder, is the gradient of the M-step for a prior. At first the mixture as a whole is about N(0, I): the means
    are drawn from N(0, I / 2), and each component has the variance 1 / 2. See Tomczak and Welling (2018), who build
    the components by the encoder; here they are free.

    Args:
        num_components: K.
        latent_dim: size of z.
        generator: draws the first means.
    """

    def __init__(self, num_components: int, latent_dim: int, *, generator: torch.Generator) -> None:
        super().__init__()
        num_components = whole_number("num_components", num_components)
        self.latent_dim = latent_dim
        means = math.sqrt(0.5) * standard_normal((num_components, latent_dim), generator=generator)
        self.logits = nn.Parameter(means.new_zeros(num_components))  # log w_k up to a constant
        self.means = nn.Parameter(means)
        self.log_scale = nn.Parameter(torch.full_like(means, 0.5 * math.log(0.5)))  # log s_k

    def log_prob(self, z: Float[Tensor, "*chain latent"]) -> Float[Tensor, "*chain"]:
        """Log-density of the mixture."""
        return torch.logsumexp(self.component_log_probs(z), -1)

    def component_log_probs(self, z: Float[Tensor, "*chain latent"]) -> Float[Tensor, "*chain component"]:
        r"""Each component's :math:`\log w_k + \log N(z; m_k, \mathrm{diag}\, s_k^2)`."""
        white = (z[..., None, :] - self.means) * torch.exp(-self.log_scale)
        return standard_normal_log_prob(white) - self.log_scale.sum(-1) + self.logits.log_softmax(-1)

    @torch.no_grad()
    def sample(
        self, num: int, *, generator: torch.Generator, dtype: torch.dtype | None = None
    ) -> Float[Tensor, "num latent"]:
        """Draw `num` latents, of the mixture's own type if none is given."""
        check_generator(generator=generator)
        component = torch.multinomial(self.logits.softmax(-1), num, replacement=True, generator=generator)
        noise = standard_normal((num, self.latent_dim), generator=generator, dtype=self.means.dtype)
        z = self.means[component] + self.log_scale[component].exp() * noise
        return z.to(dtype or z.dtype)

    def curvature_product(
        self, z: Float[Tensor, "batch latent"], v: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, "batch latent"]:
        r"""The mean precision :math:`\sum_k r_k(z)\, v / s_k^2`, a bound as in `GaussianMixture.curvature_product`."""
        shares = torch.softmax(self.component_log_probs(z), -1)
        return (shares @ torch.exp(-2 * self.log_scale)) * v

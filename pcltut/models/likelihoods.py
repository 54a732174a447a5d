"""Likelihoods p(x | z): a density around the decoder's output, with one scale for all pixels."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pcltut.arguments import real_number
from pcltut.noise import standard_normal

NUM_BINS = 256
HALF_BIN = 1 / (NUM_BINS - 1)
LEVEL_TOLERANCE = 0.1  # of a bin: rounding in half precision stays below it, pixels k / 255 do not


def sum_event(values: Tensor, event_ndim: int) -> Tensor:
    """Sum over the last `event_ndim` dimensions: one value for each image."""
    return values.flatten(-event_ndim).sum(-1)


class _ScaledLikelihood(nn.Module):
    """One standard deviation `scale = min_scale + exp(log_scale)` for all pixels, learned or fixed."""

    def __init__(self, scale: float = 1.0, *, learn_scale: bool = True, min_scale: float = 0.0) -> None:
        super().__init__()
        scale, min_scale = (real_number(n, v) for n, v in (("scale", scale), ("min_scale", min_scale)))
        if not 0 <= min_scale < scale:
            raise ValueError(
                f"got scale={scale} and min_scale={min_scale}, expected 0 <= min_scale < scale; "
                "raise scale or lower min_scale"
            )
        self.min_scale = min_scale
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale - min_scale)), requires_grad=learn_scale)

    @property
    def scale(self) -> Float[Tensor, ""]:
        """The standard deviation of a pixel, in units of x."""
        return self.min_scale + self.log_scale.exp()

    def precision(self) -> Float[Tensor, ""]:
        """The Fisher information of a pixel's mean, `1 / scale^2` (for bins: where scale exceeds their width)."""
        return self.scale**-2

    def check_data(self, x: Tensor) -> None:
        """Raise ValueError where `x` has values that this density is not made for; any finite ones are fine here."""


class Gaussian(_ScaledLikelihood):
    r"""Continuous pixels: :math:`p(x \mid z) = \prod_j N(x_j; f_j(z), \sigma^2)`, with sigma learned (sigma-VAE).

    Args:
        scale: initial standard deviation of a pixel, in units of x (images lie in [-1, 1]).
        learn_scale: whether sigma is a parameter that training moves.
        min_scale: lower bound of sigma, `sigma = min_scale + exp(log_scale)`; 0 means none.

    A density of binned data is unbounded: with exact repeats (black margins) and a scale for each pixel it would
    grow without limit. One shared scale keeps it finite; for bits per dimension use `DiscretizedGaussian`.
    """

    def log_prob(self, x: Tensor, loc: Tensor, event_ndim: int = 1) -> Tensor:
        """Log-density of `x` around `loc`, summed over the last `event_ndim` dimensions."""
        scale = self.scale
        num_pixels = math.prod(loc.shape[loc.ndim - event_ndim :])
        log_normalizer = num_pixels * (scale.log() + 0.5 * math.log(2 * math.pi))
        square = nn.functional.mse_loss(*torch.broadcast_tensors(loc, x), reduction="none")  # a pass forward, one back
        return -0.5 * sum_event(square, event_ndim) / scale.square() - log_normalizer

    def sample(self, loc: Tensor, *, generator: torch.Generator) -> Tensor:
        """Draw x around `loc`, independent noise for each pixel."""
        noise = standard_normal(loc.shape, generator=generator, dtype=loc.dtype)
        return loc + self.scale * noise


class DiscretizedGaussian(_ScaledLikelihood):
    r"""Pixels of 256 levels: the mass that a Gaussian puts on each bin around `2 k / 255 - 1`, k = 0 .. 255.

    .. math:: p(x = x_k \mid z) = \Phi\Big(\frac{x_k + h - f(z)}{\sigma}\Big) - \Phi\Big(\frac{x_k - h -
       f(z)}{\sigma}\Big), \qquad h = 1/255,

    with the two end bins open, so that the masses sum to one (:eq:`eq-discretized`). Arguments as in `Gaussian`.
    Differences are taken of log-CDFs in the tail that the bin lies in, which stays finite far beyond eight sigma.
    """

    def check_data(self, x: Tensor) -> None:
        """Raise ValueError unless all pixels lie on the levels 2 k / 255 - 1."""
        level = (x.float() + 1) / (2 * HALF_BIN)
        if len(x) and not bool(
            ((level - level.round()).abs() < LEVEL_TOLERANCE).all() & (x.abs() <= 1 + HALF_BIN).all()
        ):
            raise ValueError(
                f"got pixels off the 256 levels of a discretized likelihood, from {x.min().item():.4g} to "
                f"{x.max().item():.4g}, expected 2 k / 255 - 1 for k = 0 .. 255; for pixels k / 255 take 2 * x - 1"
            )

    def log_prob(self, x: Tensor, loc: Tensor, event_ndim: int = 1) -> Tensor:
        """Log-mass of the bins that hold `x`, summed over the last `event_ndim` dimensions."""
        return sum_event(self._log_mass(x, loc), event_ndim)

    def log_mass_table(self, loc: Tensor) -> Tensor:
        """Log-masses of all 256 bins around each `loc`: shape `[*loc.shape, 256]`."""
        centers = torch.linspace(-1, 1, NUM_BINS, dtype=loc.dtype, device=loc.device)
        return self._log_mass(centers, loc[..., None])

    def sample(self, loc: Tensor, *, generator: torch.Generator) -> Tensor:
        """Draw pixels on the 256 levels around `loc`."""
        noise = standard_normal(loc.shape, generator=generator, dtype=loc.dtype)
        level = ((loc + self.scale * noise + 1) / (2 * HALF_BIN)).round().clamp(0, NUM_BINS - 1)
        return level * (2 * HALF_BIN) - 1

    def _log_mass(self, x: Tensor, loc: Tensor) -> Tensor:
        # Reflect bins right of the mean to its left: there the log-CDF keeps its relative accuracy.
        side = torch.where(x > loc, -1.0, 1.0).to(loc.dtype)
        center = side * (x - loc)
        scale = self.scale
        # An open end lies above after reflection if it lies on the mean's far side, below otherwise.
        open_left, open_right = x < -1 + HALF_BIN, x > 1 - HALF_BIN
        is_reflected = side < 0
        open_lower = torch.where(is_reflected, open_right, open_left)
        open_upper = torch.where(is_reflected, open_left, open_right)
        log_upper = torch.special.log_ndtr((center + HALF_BIN) / scale)
        log_lower = torch.special.log_ndtr((center - HALF_BIN) / scale)
        log_upper = torch.where(open_upper, 0.0, log_upper)
        # log(e^u - e^l) = u + log(1 - e^(l - u)); the open lower end has l = -inf.
        gap = torch.where(open_lower, -1.0, log_lower - log_upper)
        return log_upper + torch.where(open_lower, 0.0, torch.log(-torch.expm1(gap)))

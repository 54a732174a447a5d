"""Self-checks of chapter 1, generative models and their energy."""

import math
from collections.abc import Callable
from statistics import NormalDist

import torch
from torch import Tensor

from pcltut.check.answers import Between, Check
from pcltut.check.code import Code
from pcltut.models import LinearGaussian

BLACK = NormalDist(0, 0.2).cdf(1 / 255)
BLACK_LOG, SIGMA = math.log(BLACK), 0.004  # of a level that is as wide as two sigma
WIDTH = NormalDist(0, SIGMA)
INNER_LOG = math.log(WIDTH.cdf(1.5 / 255) - WIDTH.cdf(-0.5 / 255))  # a quarter of a bin off the middle
WIDE = WIDTH.cdf(2.5 / 255) - WIDTH.cdf(-1.5 / 255)
DENSITY = WIDTH.pdf(0.5 / 255) * 2 / 255
SURE = 50  # draws from the posterior itself, of which a single one is enough


def importance_sampling(estimate: Callable) -> tuple[float, float, float]:
    """Errors with the posterior as q and with a wider one, in nats; how far two equal images differ."""
    model = LinearGaussian(math.sqrt(8) * torch.eye(2).double(), scale=1.0)  # posterior: standard deviation 1/3
    x = torch.tensor([[1.0, -2.0]] * 2, dtype=torch.float64)
    mean, exact = model.posterior(x)[0], model.log_evidence(x)

    def of(spread: float, num_draws: int) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            return estimate(lambda z: model.log_joint(x, z), mean, spread, num_draws, generator) - exact

    sure, wide, few = of(1 / 3, SURE), of(0.5, 40_000), of(0.5, 5)
    return sure[0].item(), wide[0].item(), (few[0] - few[1]).abs().item()


def discretized(log_mass: Callable) -> tuple[float, float, float]:
    """Log-probabilities of black, painted as black, and of an inner level; that of two pixels over the sum of both."""
    black, level = torch.tensor([[-1.0]], dtype=torch.float64), torch.tensor([[1 / 255]], dtype=torch.float64)
    of_black = log_mass(black, black, 0.2)
    of_level = log_mass(level, level - 0.5 / 255, SIGMA)
    two = log_mass(torch.cat([black, level], 1), torch.cat([black, level - 0.1 / 255], 1), 0.2)
    one = log_mass(level, level - 0.1 / 255, 0.2)
    return of_black.item(), of_level.item(), (two / (of_black + one)).item()


CHECKS = {
    "1.1": Check(  # log N(5; 1, 6.25), in nats
        -3.115229,
        (-4.879959, "That is log p(x | z = 0), the noise alone: the prior's spread adds variance too, 2^2 times 1."),
        (-3.612086, "You left out the noise: x varies by 2 z and by 1.5 times epsilon."),
        (-2.824763, "Variances add, standard deviations do not: 2^2 + 1.5^2, not (2 + 1.5)^2."),
        (-2.956320, "You used the variance 6.25 as a standard deviation."),
        (-3.835229, "Subtract the mean of x, which is 1, before squaring."),
        (
            -3.523342,
            "That is the largest value of log p(x, z) over z; the evidence adds up all z, it does not pick the best.",
        ),
        (3.115229, "The size is right and the sign is not: the log-evidence, not minus it."),
        (0.044368, "That is p(x); take its logarithm."),
        otherwise="First find the variance of x = 2 z + 1 + 1.5 epsilon.",
    ),
    "1.2": Check(
        BLACK,
        (2 * BLACK - 1, "That is a closed bin (or density times width): black is an end bin, and open below."),
        (0.5, "The bin ends half a bin above black, at -1 + 1/255, not at black itself."),
        (NormalDist(0, 0.2).cdf(2 / 255), "Half a bin is 1/255; you went a whole bin up."),
        (NormalDist(0, 1).cdf(1 / 255), "You forgot to divide by sigma."),
        (math.log(BLACK), "That is the log of it; give the probability."),
        (1 - BLACK, "That is the mass above the bin; black lies below its edge."),
        otherwise="The bin of black reaches from minus infinity to -1 + 1/255; put its upper edge into Phi.",
        tolerance=0.003,
    ),
    "1.3": Check(  # z = (0.5, -1) minus W^T (x - W z) / sigma^2 = (4, 9) / 0.25
        (-15.5, -37.0),
        ((15.5, 37.0), "That is the score, minus the gradient of the energy."),
        ((-16.0, -36.0), "You forgot the prior: the latent error adds z."),
        (
            (-7.5, -19.0),
            "Divide the pixel error by sigma^2 = 0.25: not by sigma, and not by 2 sigma^2, whose 2 the square cancels.",
        ),
        ((-3.5, -10.0), "You forgot to divide the pixel error by sigma^2."),
        ((0.5 - 4 / 0.75, -13.0), "You averaged over the three pixels; the energy sums."),
        ((-16.5, -35.0), "The prior's term has the wrong sign: it pulls z to zero."),
        ((16.5, 35.0), "The pixel error enters with a minus: moving f(z) towards x lowers the energy."),
        otherwise="Start from x - W z = (0.5, 3.5, 2), send it back through W^T, and mind both terms.",
        tolerance=0.01,
    ),
    "1.4": Check(
        7.0,
        (0.25 * 784, "The factor 784 falls on sigma^2; on sigma it is its root."),
        (0.25 / 28, "The other way round: a smaller pixel error means a larger sigma."),
        (49.0, "That is sigma^2; take the root."),
        (0.25, "The code says 0.25, but the division by 784 acts like a change of sigma."),
        (0.25 / 784, "Two slips: sigma grows, and by the root of 784."),
        (28.0, "That is the factor; multiply it by 0.25."),
        otherwise="Set |x - f|^2 / (784 * 2 * 0.25^2) equal to |x - f|^2 / (2 sigma^2) and solve for sigma.",
    ),
    "1.5": Check(
        32.0,
        (64.0, "You used the ratio of variances, 100 a latent; volumes go with standard deviations, 10 a latent."),
        (1.0, "That is one latent. All 32 must be right at once, so the factors multiply."),
        (math.log10(320), "The factors multiply, they do not add: 10^32, not 32 times 10."),
        (
            (32 * 0.01 - 32 + 32 * math.log(100)) / 2 / math.log(10),
            "That is the rule for an image whose posterior sits at zero; here count volumes, a factor of 10 a latent.",
        ),
        (32 * math.log(10), "That is in nats; divide by log 10 for a power of ten."),
        (-32.0, "Sign: that is the share of the prior's volume; the number of draws is its inverse."),
        (1e32, "That is the number of draws; give its power of ten."),
        otherwise="What share of the prior's range does the posterior fill along one latent, and along all 32?",
    ),
    "1.6": Code(
        importance_sampling,
        (Between(-1e-4, 1e-4), Between(-0.02, 0.02), Between(1e-3, 10)),
        (
            (Between(-1e-4, 1e-4), Between(-0.02, 0.02), 0),
            "Both images got the same draws: draw one noise for each image, [draws, batch, latent].",
        ),
        ((Between(math.log(SURE) - 0.01, math.log(SURE) + 0.01), ..., ...), "Divide by the number of draws: log N."),
        (
            (Between(-1e-4, 1e-4), Between(-0.9, -0.05), ...),
            "The mean of the logarithms is a bound below; take the logarithm of the mean.",
        ),
        (
            (Between(-math.log(2 * math.pi) - 0.01, -math.log(2 * math.pi) + 0.01), ..., ...),
            "The density of q lacks its factor (2 pi)^(-d/2).",
        ),
        ((Between(math.log(9) - 0.01, math.log(9) + 0.01), ..., ...), "The density of q lacks its factor s^(-d)."),
        (
            (Between(math.log(9 / (4 * math.pi)) - 0.2, math.log(9 / (4 * math.pi)) + 0.2), ..., ...),
            "Divide by q: draws that q favors would count twice.",
        ),
        otherwise="Each log-weight is log p(x, z) - log q(z); then logsumexp over the draws, minus log N.",
        form="Return a tensor with one estimate for each image, [batch].",
    ),
    "1.7": Code(
        discretized,
        (BLACK_LOG, INNER_LOG, 1.0),
        ((BLACK_LOG, INNER_LOG, 0.5), "A mean over pixels: probabilities multiply, logs add."),
        (
            (math.log(2 * BLACK - 1), INNER_LOG, ...),
            "The bin of black is open below: its lower edge is at minus infinity.",
        ),
        ((..., math.log(WIDE), ...), "Half a bin is 1/255; your inner bins are twice as wide."),
        ((math.exp(BLACK_LOG), ..., ...), "Give the logarithm of the probability."),
        ((..., math.log(DENSITY), ...), "That is density times width; at this sigma take the difference of two Phi."),
        ((..., math.log(DENSITY * 255 / 2), ...), "That is the density. A probability needs the bin around the level."),
        otherwise="Take Phi at both edges of the bin, x + 1/255 and x - 1/255, minus the mean, over sigma.",
        form="Return a tensor with one log-probability for each image, [batch].",
    ),
    "1.8": Check(
        math.log(6),
        (math.log(36), "Half of it: the divergence is half the log-determinant."),
        (0.5 * math.log(24), "Lambda has the prior's 1 in each direction: 1 + 3 and 1 + 8."),
        (math.log2(6), "That is in bits; give nats."),
        (0.5 * (math.log(36) - 2 + 1 / 4 + 1 / 9), "That is the divergence of an image whose mean is zero; average."),
        (-math.log(6), "A divergence is never negative."),
        otherwise="Lambda is diagonal, with 1 + 3 and 1 + 8; take half the logarithm of its determinant.",
    ),
}

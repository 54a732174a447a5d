"""Self-checks of chapter 1, generative models and their energy."""

import math
from statistics import NormalDist

from pcltut.check.answers import Check

BLACK = NormalDist(0, 0.2).cdf(1 / 255)

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
        32.0,
        (64.0, "You used the ratio of variances, 100 a latent; volumes go with standard deviations, 10 a latent."),
        (1.0, "That is one latent. All 32 must be right at once, so the factors multiply."),
        (math.log10(320), "The factors multiply, they do not add: 10^32, not 32 times 10."),
        (32 * math.log(10), "That is in nats; divide by log 10 for a power of ten."),
        (-32.0, "Sign: that is the share of the prior's volume; the number of draws is its inverse."),
        (1e32, "That is the number of draws; give its power of ten."),
        otherwise="What share of the prior's range does the posterior fill along one latent, and along all 32?",
    ),
    "1.3": Check(  # z = (0.5, -1) minus W^T (x - W z) / sigma^2 = (4, 9) / 0.25
        (-15.5, -37.0),
        ((15.5, 37.0), "That is the score, minus the gradient of the energy."),
        ((-16.0, -36.0), "You forgot the prior: the latent error adds z."),
        ((-7.5, -19.0), "Divide the pixel error by sigma^2 = 0.25, not by sigma."),
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
}

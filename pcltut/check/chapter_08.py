"""Self-checks of chapter 8, how good a generative model is."""

import math

from pcltut.check.answers import Between, Check

CHECKS = {
    "8.1": Check(
        math.log(1000),
        (3.0, "That is the logarithm to base 10; nats need the natural one."),
        (math.log2(1000), "Those are bits, the logarithm to base 2; nats need the natural one."),
        (784 * math.log(1000), "The choice between good and rubbish is made once an image, not once a pixel."),
        (-math.log(1000), "That is the sign of log alpha; how much is lost?"),
        (-math.log(0.999), "That is the price of the 99.9 %, which is what you would lose of the rubbish."),
        otherwise="Put alpha = 1 / 1000 into the bound on a mixture's evidence.",
    ),
    "8.2": Check(
        0.682331,
        (0.971070, "That is for equally many samples as images; here m = 25."),
        (0.999811, "That is nearly all. Did you exchange n and m? The balls lie around 100 real images."),
        (0.317669, "That is the chance that a ball stays empty; coverage is the rest."),
        (0.201613, "The product has k = 5 factors, not one."),
        (0.678987, "The product begins at i = 1: the ball's own image is not among its neighbors."),
        (0.672320, "That draws with replacement; each of the k nearest is another point."),
        otherwise="Put n = 100, m = 25, k = 5 into the formula for equal laws.",
        tolerance=0.001,
    ),
    "8.3": Check(  # p = 64: the means add 2 p = 128, the covariances p (p + 1) / 2 = 2080
        4416,
        (2080 / 0.5, "You left out the means, which add 2 p."),
        (2144 / 0.5, "There are two means, each adds p."),
        (4224 / 0.5, "A covariance is symmetric: p (p + 1) / 2 free entries, not p^2."),
        (128 / 0.5, "You left out the covariances, which add p (p + 1) / 2."),
        (2208.0, "That is N times the bias; divide by the 0.5 that you allow."),
        (2208 * 0.5, "Divide by 0.5, do not multiply: less bias needs more samples."),
        otherwise="Set the formula for the bias equal to 0.5 and solve for N.",
    ),
    "8.4": Check(
        (Between(1, 50), Between(high=0.3)),
        ((Between(high=2), Between(2)), "The other way round: the Fréchet distance comes first."),
        (
            (Between(high=1), ...),
            "A thousand draws have a mean and a covariance of their own: some bias is left. Draw them.",
        ),
        (
            (Between(50), ...),
            "That is too far away: draw with the mean and the full covariance of the real features. Is the factor a "
            "root of the covariance, and does it multiply from the right side?",
        ),
        (
            (..., Between(0.85)),
            "That is the density of real images. Did you measure the forged vectors, in the order (real, fake)?",
        ),
        otherwise="Too high: the forged vectors need the whole covariance, and a full 64 dimensions.",
        form="Give two numbers in a list, the Fréchet distance and the density.",
    ),
}

"""Self-checks of chapter 4, the ELBO that the chain optimizes."""

import math

from pcltut.check.answers import Check

CONSTANT = -0.5 * math.log(2 * math.pi)
NATS, WIDTH = 199 / 784, math.log(2 / 255)  # a pixel's minus log-density, and the log of a level's width
BIT = math.log(2)

CHECKS = {
    "4.1": Check(
        CONSTANT - 12,
        (-2.906440, "That is log p(x). The plain chain gets there, but its weight has forgotten that it did."),
        (CONSTANT - 8, "You left out the spread of the start: 2 z_1 + 2 z_2 has variance 8 under the prior."),
        (-15.756816, "That is the average log-joint; the weight also divides by q(z_0), which adds the entropy."),
        (CONSTANT - 10, "Under the prior 2 z_1 + 2 z_2 has variance 4 + 4, not 2 + 2."),
        (-12.0, "You left out the constant -1/2 log(2 pi) of the likelihood."),
        otherwise="For tiny steps only the start counts: what is the ELBO of the prior, E[log p(x | z)] over "
        "z ~ N(0, I)?",
        tolerance=0.002,
    ),
    "4.2": Check(
        math.exp(-5),
        (1 - math.exp(-5), "That is how sure you may be; the question is how probable the lucky run was."),
        (math.exp(5), "A probability is at most 1: mind the sign of the exponent."),
        (-5.0, "That is the bound's logarithm."),
        (0.0, "Weights do err high sometimes: their mean is p(x). And the excess is 5 nats, not 180."),
        (0.2, "Markov's inequality for w itself: P(w > c E w) < 1/c with c = e^5, not 5."),
        otherwise="By how many nats is the weight too high? Use Markov's inequality.",
        tolerance=0.01,
    ),
    "4.3": Check(  # forward walks -103, -100, -101, reverse walks -98, -96, -99
        (-100.7496, -98.2504),
        (
            (-304 / 3, -293 / 3),
            "You averaged logarithms. Both are bounds, but averaging the weights first gives tighter ones.",
        ),
        ((-100.7496, -96.9288), "Above, average 1/w and not w: it is 1/w that is unbiased in reverse."),
        ((-304 / 3, -98.2504), "The upper one is right. Below, average the weights before you take the logarithm."),
        ((-100.7496, -293 / 3), "The lower one is right. Above, average 1/w before you take the logarithm."),
        ((-99.6510, -99.3490), "You summed and forgot to divide by the number of walks."),
        ((-98.2504, -100.7496), "Give the lower bound first."),
        ((-100.0, -99.0), "The extremes are no bounds in the mean: taking the best of several picks the lucky ones."),
        otherwise="Average what is unbiased, w forward and 1/w in reverse, and then take the logarithm.",
        tolerance=5e-4,
    ),
    "4.4": Check(  # half of trace 10/9, plus squared mean 128/81, minus 2, plus log-determinant log 9
        1.444291,
        (
            10.012499,
            "That is KL(prior || posterior), what the ELBO of the start loses; here the draws are the posterior's.",
        ),
        (-1.444291, "She is too high, so the excess is positive."),
        (0.0, "It would be nothing if q were the law of z_T; but it is the law of the start."),
        (0.654168, "You left out the posterior's mean: at x = 4 it is 8/9 in each latent."),
        (0.345679, "You left out the log-determinants: the posterior's covariance has determinant 1/9."),
        (-0.752933, "The log-determinant has the other sign: log det of the prior minus that of the posterior."),
        otherwise="Write p(x, z) = p(x) p(z | x) inside her average; what is left is a divergence.",
    ),
    "4.5": Check(
        (NATS - WIDTH) / BIT,
        (NATS / BIT, "That converts a density. Multiply it by the width of a level first."),
        (NATS - WIDTH, "That is in nats; divide by log 2."),
        ((NATS - math.log(1 / 255)) / BIT, "Levels are 2/255 apart, not 1/255."),
        ((-NATS - WIDTH) / BIT, "The sign: a low log-density makes the code longer."),
        ((NATS + WIDTH) / BIT, "The sign: the width is below one, and its logarithm makes the code longer."),
        (784 * (NATS - WIDTH) / BIT, "That is for the whole image; divide by 784 pixels."),
        ((NATS - WIDTH / 784) / BIT, "Multiply the density by the width for each pixel, not once for the image."),
        otherwise="A level's probability is density times 2/255, in each pixel; then change to base 2 and divide by "
        "784.",
        tolerance=0.002,
    ),
}

"""Self-checks of chapter 4, the ELBO that the chain optimizes."""

import math
from collections.abc import Callable

from pcltut.check.answers import diagnose

LOG_TAU = math.log(2 * math.pi)


def _many_tiny_steps(answer: object) -> str | None:
    likelihood = -0.5 * LOG_TAU
    mistakes = {
        "That is log p(x). The plain chain gets there, but its weight has forgotten that it did.": (
            likelihood - 0.5 * math.log(9) - 16 / 18
        ),
        "You left out the spread of the start: 2 z_1 + 2 z_2 has variance 8 under the prior.": likelihood - 8,
        "That is the average log-joint; the weight also divides by q(z_0), which adds the entropy.": (
            likelihood - 12 - LOG_TAU - 1
        ),
        "Under the prior 2 z_1 + 2 z_2 has variance 4 + 4, not 2 + 2.": likelihood - 10,
        "You left out the constant -1/2 log(2 pi) of the likelihood.": -12.0,
    }
    otherwise = "For tiny steps only the start counts: what is the ELBO of the prior, E[log p(x | z)] over z ~ N(0, I)?"
    return diagnose(answer, likelihood - 12, mistakes, otherwise, tolerance=0.002)


def _too_good(answer: object) -> str | None:
    mistakes = {
        "That is how sure you may be; the question is how probable the lucky run was.": 1 - math.exp(-5),
        "A probability is at most 1: mind the sign of the exponent.": math.exp(5),
        "That is the bound's logarithm.": -5.0,
        "Weights do err high sometimes: their mean is p(x). And the excess is 5 nats, not 180.": 0.0,
        "Markov's inequality for w itself: P(w > c E w) < 1/c with c = e^5, not 5.": 0.2,
    }
    otherwise = "By how many nats is the weight too high? Use Markov's inequality."
    return diagnose(answer, math.exp(-5), mistakes, otherwise, tolerance=0.01)


def _two_averages(answer: object) -> str | None:
    forward, reverse = (-103.0, -100.0, -101.0), (-98.0, -96.0, -99.0)

    def log_mean(values: tuple[float, ...]) -> float:
        top = max(values)
        return top + math.log(sum(math.exp(value - top) for value in values) / len(values))

    lower, upper = log_mean(forward), -log_mean(tuple(-value for value in reverse))
    mistakes = {
        "You averaged logarithms. Both are bounds, but averaging the weights first gives tighter ones.": (
            sum(forward) / 3,
            sum(reverse) / 3,
        ),
        "Above, average 1/w and not w: it is 1/w that is unbiased in reverse.": (lower, log_mean(reverse)),
        "The upper one is right. Below, average the weights before you take the logarithm.": (sum(forward) / 3, upper),
        "The lower one is right. Above, average 1/w before you take the logarithm.": (lower, sum(reverse) / 3),
        "You summed and forgot to divide by the number of walks.": (lower + math.log(3), upper - math.log(3)),
        "Give the lower bound first.": (upper, lower),
        "The extremes are no bounds in the mean: taking the best of several picks the lucky ones.": (-100.0, -99.0),
    }
    otherwise = "Average what is unbiased, w forward and 1/w in reverse, and then take the logarithm."
    return diagnose(answer, (lower, upper), mistakes, otherwise, tolerance=5e-4)


def _borrowed_draws(answer: object) -> str | None:
    distance = 2 * (8 / 9) ** 2  # squared length of the posterior mean, 2 * 4 / 9 in each latent
    right = 0.5 * (10 / 9 + distance - 2 + math.log(9))
    mistakes = {
        "That is KL(prior || posterior), what the ELBO of the start loses; here the draws are the posterior's.": (
            12 - 16 / 18 - 0.5 * math.log(9)
        ),
        "She is too high, so the excess is positive.": -right,
        "It would be nothing if q were the law of z_T; but it is the law of the start.": 0.0,
        "You left out the posterior's mean: at x = 4 it is 8/9 in each latent.": 0.5 * (10 / 9 - 2 + math.log(9)),
        "You left out the log-determinants: the posterior's covariance has determinant 1/9.": (
            0.5 * (10 / 9 + distance - 2)
        ),
        "The log-determinant has the other sign: log det of the prior minus that of the posterior.": (
            0.5 * (10 / 9 + distance - 2 - math.log(9))
        ),
    }
    otherwise = "Write p(x, z) = p(x) p(z | x) inside her average; what is left is a divergence."
    return diagnose(answer, right, mistakes, otherwise)


def _bits(answer: object) -> str | None:
    per_pixel = 199 / 784
    width = math.log(2 / 255)
    mistakes = {
        "That converts a density. Multiply it by the width of a level first.": per_pixel / math.log(2),
        "That is in nats; divide by log 2.": per_pixel - width,
        "Levels are 2/255 apart, not 1/255.": (per_pixel - math.log(1 / 255)) / math.log(2),
        "The sign: a low log-density makes the code longer.": (-per_pixel - width) / math.log(2),
        "The sign: the width is below one, and its logarithm makes the code longer.": (per_pixel + width) / math.log(2),
        "That is for the whole image; divide by 784 pixels.": (199 - 784 * width) / math.log(2),
        "Multiply the density by the width for each pixel, not once for the image.": (
            (199 - width) / (784 * math.log(2))
        ),
    }
    otherwise = "A level's probability is density times 2/255, in each pixel; then change to base 2 and divide by 784."
    return diagnose(answer, (per_pixel - width) / math.log(2), mistakes, otherwise, tolerance=0.002)


CHECKS: dict[str, Callable[[object], str | None]] = {
    "4.1": _many_tiny_steps,
    "4.2": _too_good,
    "4.3": _two_averages,
    "4.4": _borrowed_draws,
    "4.5": _bits,
}

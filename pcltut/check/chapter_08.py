"""Self-checks of chapter 8, how good a generative model is."""

import math
from collections.abc import Callable

from pcltut.check.answers import diagnose, numbers


def _price(answer: object) -> str | None:
    mistakes = {
        "That is the logarithm to base 10; nats need the natural one.": 3.0,
        "Those are bits, the logarithm to base 2; nats need the natural one.": math.log2(1000),
        "The choice between good and rubbish is made once an image, not once a pixel.": 784 * math.log(1000),
        "That is the sign of log alpha; how much is lost?": -math.log(1000),
        "That is the price of the 99.9 %, which is what you would lose of the rubbish.": -math.log(0.999),
    }
    return diagnose(answer, math.log(1000), mistakes, "Put alpha = 1 / 1000 into the bound on a mixture's evidence.")


def _coverage(n: int, m: int, k: int, first: int = 1) -> float:
    return 1 - math.prod((n - i) / (n + m - i) for i in range(first, k + first))


def _full_marks(answer: object) -> str | None:
    right, exchanged = _coverage(1000, 250, 5), _coverage(250, 1000, 5)
    mistakes = {
        "That is for equally many samples as images; here m = 250.": _coverage(1000, 1000, 5),
        "That is nearly all. Did you exchange n and m? The balls lie around 1,000 real images.": exchanged,
        "That is the chance that a ball stays empty; coverage is the rest.": 1 - right,
        "The product has k = 5 factors, not one.": _coverage(1000, 250, 1),
    }
    otherwise = "Put n = 1000, m = 250, k = 5 into the formula for equal laws."
    return diagnose(answer, right, mistakes, otherwise, tolerance=0.003)


def _how_many(answer: object) -> str | None:
    p = 64
    mistakes = {
        "You left out the means, which add 2 p.": p * (p + 1) / 2 / 0.5,
        "There are two means, each adds p.": (p + p * (p + 1) / 2) / 0.5,
        "A covariance is symmetric: p (p + 1) / 2 free entries, not p^2.": (2 * p + p * p) / 0.5,
        "You left out the covariances, which add p (p + 1) / 2.": 2 * p / 0.5,
        "That is N times the bias; divide by the 0.5 that you allow.": 2 * p + p * (p + 1) / 2,
        "Divide by 0.5, do not multiply: less bias needs more samples.": (2 * p + p * (p + 1) / 2) * 0.5,
    }
    return diagnose(answer, 4416.0, mistakes, "Set the formula for the bias equal to 0.5 and solve for N.")


def _blind_spot(answer: object) -> str | None:
    values = numbers(answer, 2)
    if values is None:
        return "Give two numbers in a list, the Fréchet distance and the density."
    distance, density = values
    if distance < 2 and density > 2:
        return "The other way round: the Fréchet distance comes first."
    if distance < 1:
        return "A thousand draws have a mean and a covariance of their own: some bias is left. Draw them."
    if distance > 50:
        return (
            "That is too far away: draw with the mean and the full covariance of the real features. Is the factor a "
            "root of the covariance, and does it multiply from the right side?"
        )
    if density > 0.85:
        return "That is the density of real images. Did you measure the forged vectors, in the order (real, fake)?"
    if density > 0.3:
        return "Too high: the forged vectors need the whole covariance, and a full 64 dimensions."
    return None


CHECKS: dict[str, Callable[[object], str | None]] = {
    "8.1": _price,
    "8.2": _full_marks,
    "8.3": _how_many,
    "8.4": _blind_spot,
}

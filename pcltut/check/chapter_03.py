"""Self-checks of chapter 3, from predictive coding to Langevin."""

from collections.abc import Callable

from pcltut.check.answers import diagnose, number


def _wrong_root(answer: object) -> str | None:
    mistakes = {
        "That is the factor on the noise, sqrt(tau); temperature scales its variance.": 0.5**0.5,
        "The other way round: this code has too little noise, so it is colder than the posterior.": 2.0,
        "The other way round, and temperature scales the noise's variance: compare gamma with 2 gamma tau.": 2**0.5,
        "At temperature 1 the noise would need the variance 2 gamma; here it has gamma.": 1.0,
        "One square too many: the variances are gamma here and 2 gamma tau in the package.": 0.25,
        "There is noise, so the temperature is not zero.": 0.0,
    }
    otherwise = "Compare variances: gamma in this code, 2 gamma tau in the package; solve for tau."
    return diagnose(answer, 0.5, mistakes, otherwise)


def _no_memory(answer: object) -> str | None:
    mistakes = {
        "That would be no bias at all; what is the variance of the noise, 2 gamma, at gamma = 1 / lambda?": 1.0,
        "That is the first-order bias, 1 + gamma lambda / 2; use the exact formula.": 1.5,
        "The inverse: ULA's law is wider than the posterior, never narrower.": 0.5,
        "That is a ratio of standard deviations; give the ratio of variances.": 2**0.5,
    }
    otherwise = "Put gamma lambda = 1 into 1 / (1 - gamma lambda / 2)."
    return diagnose(answer, 2.0, mistakes, otherwise)


def _edge(answer: object) -> str | None:
    mistakes = {
        "You forgot the prior: the curvature is 1 + 25/4, not 25/4.": 2 / 6.25,
        "The limit is 2 over the curvature, not 1.": 1 / 7.25,
        "That is the largest curvature; the limit is 2 over it.": 7.25,
        "That is the softest direction; the stiffest one sets the limit.": 2 / 1.25,
        "Divide by sigma^2 = 4, not by sigma.": 2 / 13.5,
        "You forgot to divide W^T W by sigma^2.": 2 / 26,
        "You forgot the prior and sigma: the curvature is 1 + 25/4.": 2 / 25,
        "The curvature needs the squared length of W's column, 25, not the length.": 2 / (1 + 5 / 4),
        "You multiplied by sigma^2; small noise makes the energy stiffer.": 2 / 101,
    }
    otherwise = "Find the eigenvalues of I + W^T W / sigma^2 first; W's columns are orthogonal."
    return diagnose(answer, 2 / 7.25, mistakes, otherwise)


def _one_noise(answer: object) -> str | None:
    value = number(answer)
    if value is None:
        return "Give one number."
    if abs(value) < 1e-6:
        return None
    if value < 0:
        return "A variance cannot be negative."
    if value < 0.05:
        return "Close: the chains have not quite met yet. Run all 1,000 steps."
    if 0.4 < value < 0.8:
        return (
            "That is the variance of a posterior draw, which independent noise gives. Either each chain still has its "
            "own noise (is it drawn for one chain and then expanded?), or you took the variance over time."
        )
    if 0.8 < value < 1.3:
        return "That is the start's variance; take the states after the last step."
    return "Subtract two chains' steps from each other: what is left of the noise?"


def _forget_half(answer: object) -> str | None:
    value = number(answer)
    if value is None:
        return "Give one number."
    if value == 35:
        return None
    mistakes = {
        (34, 35): "Whole steps: after 34 a little more than half of the distance is left.",
        (17, 18): "That is the variance, which forgets twice as fast: (1 - gamma lambda)^2 a step.",
        (49, 50): "That is the time to a factor of 1/e; halving takes log 2 times as long.",
        (25, 26): "A constant fraction of what is left goes each step, not a constant amount.",
        (68, 70): "Use the curvature: the factor is 1 - gamma lambda = 0.98, not 1 - gamma.",
        (113, 115): "That is the time to a tenth; halving takes log 2 / -log 0.98.",
    }
    hints = (hint for (low, high), hint in mistakes.items() if low <= value <= high)
    return next(hints, "By which factor does the distance shrink in one step? Raise it to the power T.")


CHECKS: dict[str, Callable[[object], str | None]] = {
    "3.1": _wrong_root,
    "3.2": _no_memory,
    "3.3": _edge,
    "3.4": _one_noise,
    "3.5": _forget_half,
}

"""Self-checks of chapter 6, preconditioning."""

from collections.abc import Callable

from pcltut.check.answers import diagnose, number


def _best_diagonal(answer: object) -> str | None:
    root = 241**0.5
    mistakes = {
        "That is without any preconditioner, or with 1 / Lambda_ii^2.": (17 + root) / (17 - root),
        "A diagonal M removes unequal scales, but the correlation between the latents stays.": 1.0,
        "That is the largest eigenvalue; divide it by the smallest.": 1.5,
        "The other way round: the largest eigenvalue over the smallest.": 1 / 3,
        "That is the ratio of the diagonal entries of Lambda; what is left once they are equal?": 16.0,
        "That is the RMS scale, the root of the diagonal; divide by the diagonal.": (5 + 13**0.5) / (5 - 13**0.5),
        "Scale the off-diagonal entry by the root of both diagonals: 2 / 4, not 2 / 16.": 9 / 7,
    }
    otherwise = "Scale Lambda to a diagonal of ones; its eigenvalues are then 1 plus and minus the correlation."
    return diagnose(answer, 3.0, mistakes, otherwise)


def _forgotten_correction(answer: object) -> str | None:
    mistakes = {
        "That is the factor on v; M has its root.": 100.0,
        "The other way round: v is too small without the correction, so M is too large.": 0.1,
        "The other way round, and M has the root of v.": 0.01,
        "Without the correction v_1 is (1 - b) g^2, not g^2.": 1.0,
        "You weighed the new score by b; its weight is 1 - b.": 0.99**-0.5,
        "That is a correction off by one step, b^2 for b; here it is missing.": 1.99**0.5,
    }
    return diagnose(answer, 10.0, mistakes, "What is v_1, starting from v_0 = 0? M_1 is one over its root.", 0.003)


def _late_scale(answer: object) -> str | None:
    value = number(answer)
    if value is None:
        return "Give one number."
    if 1.68 < value < 1.84:
        return None
    if 0.97 < value < 1.03:
        return "That is what an unbiased chain would give. Is each chain's scale its own, and is it in use at all?"
    if 1.03 <= value < 1.2:
        return "Too small a bias: is the decay 0.9, and M each chain's own rather than shared?"
    if 1.2 <= value < 1.45:
        return "That is nearly the bias at b = 0.99; take b = 0.9."
    if value >= 1.84:
        return "Too large: begin the running mean at 1, and leave out the first 1,000 steps."
    return "Hand on the new scale with the memory, and use the old one: return (old scale, (new scale, memory))."


def _how_many_share(answer: object) -> str | None:
    mistakes = {
        "The excess falls as 1 / n, not as 1 / n^2.": 10.0,
        "The excess falls as 1 / n, not as its root.": 10_000.0,
        "One more: 1 / 99 is above one percent.": 99.0,
        "One fewer: E z^2 is 1 + 1 / n.": 101.0,
        "That is the bias, not the number of chains.": 0.01,
    }
    return diagnose(answer, 100.0, mistakes, "Solve 1 + 1 / n = 1.01 for n.", tolerance=0.001)


def _noise_without_root(answer: object) -> str | None:
    value = number(answer)
    if value is not None and 0.95 < value < 1.05:
        return None
    mistakes = {
        "That is the posterior's variance, which noise with sqrt(M) would give.": 0.01,
        "That is its standard deviation, with noise that has sqrt(M).": 0.1,
        "That is the temperature of the first latent, 1 / M; multiply it by 1 / Lambda.": 100.0,
        "The noise is too large here, not too small: M is 0.01, and the root is left out.": 1e-4,
        "That is the root of the temperature, on a standard deviation; give the variance.": 10.0,
    }
    return diagnose(answer, 1.0, mistakes, "It is plain ULA with another score, M g: a Gaussian of which precision?")


CHECKS: dict[str, Callable[[object], str | None]] = {
    "6.1": _best_diagonal,
    "6.2": _forgotten_correction,
    "6.3": _late_scale,
    "6.4": _how_many_share,
    "6.5": _noise_without_root,
}

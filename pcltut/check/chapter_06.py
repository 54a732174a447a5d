"""Self-checks of chapter 6, preconditioning."""

from pcltut.check.answers import Between, Check

CHECKS = {
    "6.1": Check(
        3.0,
        (22.037958, "That is without any preconditioner, or with 1 / Lambda_ii^2."),
        (1.0, "A diagonal M removes unequal scales, but the correlation between the latents stays."),
        (1.5, "That is the largest eigenvalue; divide it by the smallest."),
        (1 / 3, "The other way round: the largest eigenvalue over the smallest."),
        (16.0, "That is the ratio of the diagonal entries of Lambda; what is left once they are equal?"),
        (6.171293, "That is the RMS scale, the root of the diagonal; divide by the diagonal."),
        (9 / 7, "Scale the off-diagonal entry by the root of both diagonals: 2 / 4, not 2 / 16."),
        otherwise="Scale Lambda to a diagonal of ones; its eigenvalues are then 1 plus and minus the correlation.",
    ),
    "6.2": Check(
        10.0,
        (100.0, "That is the factor on v; M has its root."),
        (0.1, "The other way round: v is too small without the correction, so M is too large."),
        (0.01, "The other way round, and M has the root of v."),
        (1.0, "Without the correction v_1 is (1 - b) g^2, not g^2."),
        (0.99**-0.5, "You weighed the new score by b; its weight is 1 - b."),
        (1.99**0.5, "That is a correction off by one step, b^2 for b; here it is missing."),
        otherwise="What is v_1, starting from v_0 = 0? M_1 is one over its root.",
        tolerance=0.003,
    ),
    "6.3": Check(
        Between(1.68, 1.84),
        (
            Between(0.97, 1.03),
            "That is what an unbiased chain would give. Is each chain's scale its own, and is it in use at all?",
        ),
        (Between(1.03, 1.2), "Too small a bias: is the decay 0.9, and M each chain's own rather than shared?"),
        (Between(1.2, 1.45), "That is nearly the bias at b = 0.99; take b = 0.9."),
        (Between(1.84), "Too large: begin the running mean at 1, and leave out the first 1,000 steps."),
        otherwise="Hand on the new scale with the memory, and use the old one: return (old scale, (new scale, "
        "memory)).",
    ),
    "6.4": Check(
        100.0,
        (10.0, "The excess falls as 1 / n, not as 1 / n^2."),
        (10_000.0, "The excess falls as 1 / n, not as its root."),
        (99.0, "One more: 1 / 99 is above one percent."),
        (101.0, "One fewer: E z^2 is 1 + 1 / n."),
        (0.01, "That is the bias, not the number of chains."),
        otherwise="Solve 1 + 1 / n = 1.01 for n.",
        tolerance=0.001,
    ),
    "6.5": Check(
        Between(0.95, 1.05),
        (0.01, "That is the posterior's variance, which noise with sqrt(M) would give."),
        (0.1, "That is its standard deviation, with noise that has sqrt(M)."),
        (100.0, "That is the temperature of the first latent, 1 / M; multiply it by 1 / Lambda."),
        (1e-4, "The noise is too large here, not too small: M is 0.01, and the root is left out."),
        (10.0, "That is the root of the temperature, on a standard deviation; give the variance."),
        otherwise="It is plain ULA with another score, M g: a Gaussian of which precision?",
    ),
}

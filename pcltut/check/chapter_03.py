"""Self-checks of chapter 3, from predictive coding to Langevin."""

from pcltut.check.answers import Between, Check

CHECKS = {
    "3.1": Check(
        0.5,
        (0.5**0.5, "That is the factor on the noise, sqrt(tau); temperature scales its variance."),
        (2.0, "The other way round: this code has too little noise, so it is colder than the posterior."),
        (2**0.5, "The other way round, and temperature scales the noise's variance: compare gamma with 2 gamma tau."),
        (1.0, "At temperature 1 the noise would need the variance 2 gamma; here it has gamma."),
        (0.25, "One square too many: the variances are gamma here and 2 gamma tau in the package."),
        (0.0, "There is noise, so the temperature is not zero."),
        otherwise="Compare variances: gamma in this code, 2 gamma tau in the package; solve for tau.",
    ),
    "3.2": Check(
        2.0,
        (1.0, "That would be no bias at all; what is the variance of the noise, 2 gamma, at gamma = 1 / lambda?"),
        (1.5, "That is the first-order bias, 1 + gamma lambda / 2; use the exact formula."),
        (0.5, "The inverse: ULA's law is wider than the posterior, never narrower."),
        (2**0.5, "That is a ratio of standard deviations; give the ratio of variances."),
        otherwise="Put gamma lambda = 1 into 1 / (1 - gamma lambda / 2).",
    ),
    "3.3": Check(
        2 / 7.25,
        (2 / 6.25, "You forgot the prior: the curvature is 1 + 25/4, not 25/4."),
        (1 / 7.25, "The limit is 2 over the curvature, not 1."),
        (7.25, "That is the largest curvature; the limit is 2 over it."),
        (2 / 1.25, "That is the softest direction; the stiffest one sets the limit."),
        (2 / 13.5, "Divide by sigma^2 = 4, not by sigma."),
        (2 / 26, "You forgot to divide W^T W by sigma^2."),
        (2 / 25, "You forgot the prior and sigma: the curvature is 1 + 25/4."),
        (2 / (1 + 5 / 4), "The curvature needs the squared length of W's column, 25, not the length."),
        (2 / 101, "You multiplied by sigma^2; small noise makes the energy stiffer."),
        otherwise="Find the eigenvalues of I + W^T W / sigma^2 first; W's columns are orthogonal.",
    ),
    "3.4": Check(
        Between(-1e-6, 1e-6),
        (Between(high=0), "A variance cannot be negative."),
        (Between(0, 0.05), "Close: the chains have not quite met yet. Run all 1,000 steps."),
        (
            Between(0.4, 0.8),
            "That is the variance of a posterior draw, which independent noise gives. Either each chain still has its "
            "own noise (is it drawn for one chain and then expanded?), or you took the variance over time.",
        ),
        (Between(0.8, 1.3), "That is the start's variance; take the states after the last step."),
        otherwise="Subtract two chains' steps from each other: what is left of the noise?",
    ),
    "3.5": Check(
        35,
        (Between(34, 35), "Whole steps: after 34 a little more than half of the distance is left."),
        (Between(17, 18), "That is the variance, which forgets twice as fast: (1 - gamma lambda)^2 a step."),
        (Between(49, 50), "That is the time to a factor of 1/e; halving takes log 2 times as long."),
        (Between(25, 26), "A constant fraction of what is left goes each step, not a constant amount."),
        (Between(68, 70), "Use the curvature: the factor is 1 - gamma lambda = 0.98, not 1 - gamma."),
        (Between(113, 115), "That is the time to a tenth; halving takes log 2 / -log 0.98."),
        otherwise="By which factor does the distance shrink in one step? Raise it to the power T.",
    ),
    "3.6": Check(
        0.55,
        (0.45, "That is what must go, gamma lambda / 2; what is left is 1 minus it."),
        (0.1, "That is 1 - gamma lambda, the factor on the distance from the mean; find the noise's variance."),
        (
            0.01,
            "That share of the old variance survives a step; the noise must add what is missing from 1 / lambda.",
        ),
        (0.11, "That is the noise's variance itself; divide it by 2 gamma."),
        (0.55**0.5, "That is a ratio of standard deviations; give the ratio of variances."),
        (1 / 0.55, "The other way round: that is how much too wide ULA is."),
        (0.99, "Multiply by 1 / lambda: the noise adds what is missing from that variance."),
        otherwise="Ask for (1 - gamma lambda)^2 / lambda + c = 1 / lambda, and compare c with 2 gamma.",
    ),
}

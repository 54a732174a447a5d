"""Self-checks of chapter 4, the ELBO that the chain optimizes."""

import math

from pcltut.check.answers import Between, Check
from pcltut.check.code import Code
from pcltut.check.walks import CONSTANT, annealing_does, way_back_does

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
        tolerance=0.015,
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
        ((NATS - math.log(2 / 256)) / BIT, "256 levels have 255 gaps between them: they are 2/255 apart."),
        ((-NATS - WIDTH) / BIT, "The sign: a low log-density makes the code longer."),
        ((NATS + WIDTH) / BIT, "The sign: the width is below one, and its logarithm makes the code longer."),
        (784 * (NATS - WIDTH) / BIT, "That is for the whole image; divide by 784 pixels."),
        ((NATS - WIDTH / 784) / BIT, "Multiply the density by the width for each pixel, not once for the image."),
        otherwise="A level's probability is density times 2/255, in each pixel; then change to base 2 and divide by "
        "784.",
        tolerance=5e-4,
    ),
    "4.6": Check(
        (32, 16),
        ((16, 32), "Give the number for all states first: the early ones hold it back."),
        ((31, 15), "Count the states: z_0 is one of them, so T states are z_0 to z_{T-1}. Or one step too few."),
        ((29, 15), "The first of the T states is z_0, which has not come any way yet; you averaged over z_1 to z_T."),
        ((32, 15), "The first one is right. The last of T states is z_{T-1}, which has taken T - 1 steps."),
        ((27, 14), "Each step goes a share of what is left, so c grows more slowly than gamma t."),
        ((81, 36), "The mean square of the data is 4 already; you used its root."),
        ((16, 9), "That is for steps of size 0.04: the noise's variance is 2 gamma, the drift has gamma."),
        otherwise="The slope is w_i (4 c - 1), with c the mean of 1 - (1 - gamma)^t over the states that teach: when "
        "does it become positive?",
    ),
    "4.7": Check(
        (-2 / 35, -0.4 / 49),
        ((2 / 35, 0.4 / 49), "The sign: subtract the slope of the evidence from the others."),
        ((-0.4 / 49, -2 / 35), "Give the collected slope's error first."),
        (
            (-2 / 35, 0.0),
            "The first is right. The second is small, not zero: the bound has a gap, and it grows with w.",
        ),
        ((-2 / 35, 0.4 / 49), "The first is right. The second has the other sign: the gap is subtracted."),
        ((-2 / 35, 2 / 35 - 0.4 / 49), "The first is right; the second is what the cut path alone contributes."),
        ((-16 / 35, ...), "Subtract the posterior's variance: what counts is how much too wide the chain is."),
        ((-1 / 35, ...), "Multiply by w = 2: the slope's mean is x m - w (m^2 + v)."),
        otherwise="For the first, take the mean of (x - w z) z under each law; for the second, write the gap with "
        "r = lambda v and differentiate it with respect to w.",
        tolerance=0.01,
    ),
    "4.8": Code(
        way_back_does,
        (Between(0.85, 1.15), Between(0.335, 0.395), 0.125, 1, Between(0.15, 0.6), 0),
        (
            (..., ..., ..., ..., ..., Between(low=1e-9)),
            "Twice the same seed, and the weights differ: draw the noise from the generator that you are given.",
        ),
        (
            (..., ..., ..., ..., Between(0, 1e-9), ...),
            "The paths share their noise, or have none: draw a tensor of the shape of z in each step.",
        ),
        (
            (..., ..., 1, 1, ..., ...),
            "All your steps follow the posterior, b = 1. Then the paths stay where they are; the bridge of step t has "
            "the share t / T.",
        ),
        (
            (..., ..., 0, ..., ..., ...),
            "One of your bridges has b = 0. The step between z_{t-1} and z_t follows b_t = t / T in both directions, "
            "with t from T down to 1.",
        ),
        (
            (..., Between(0.75, 0.9), ..., ..., ..., ...),
            "The bridges come in the wrong order: the way back begins at the posterior, with t = T.",
        ),
        (
            (..., Between(0.29, 0.33), ..., ..., ..., ...),
            "You weighed the walk as a way there that starts at z. The states come in reverse: z_T is given, and what "
            "you draw is z_{T-1}.",
        ),
        (
            (..., Between(1.3, 1.6), ..., ..., ..., ...),
            "The quotient is upside down: the way back, which you drew, stands above the line, so that its square is "
            "subtracted.",
        ),
        (
            (..., Between(6.2, 6.4), ..., ..., ..., ...),
            "That is log 1/w. Return log w, although it is 1/w whose mean is known.",
        ),
        (
            (..., Between(4.5, 5.0), ..., ..., ..., ...),
            "The way there starts at z_{t-1}: its drift has the score of the new state, not of the old one.",
        ),
        ((..., Between(-2.4, -2.0), ..., ..., ..., ...), "Divide by q(z_0): the path there begins with a draw from q."),
        (
            (..., Between(5.2, 5.6), ..., ..., ..., ...),
            "p(x, z_T) is missing: the path back begins with a draw from the posterior, which is p(x, z_T) / p(x).",
        ),
        (
            (..., Between(0.1, 0.22), ..., ..., ..., ...),
            "The joint density belongs to z_T, where the path back begins, and q to z_0, where it ends.",
        ),
        (
            (..., Between(-1.2, -0.7), ..., ..., ..., ...),
            "The joint density belongs to z_T, where the path back begins, and q to z_0, where it ends.",
        ),
        (
            (..., Between(-3.6, -3.0), ..., ..., ..., ...),
            "The noise has variance gamma, half of what the densities expect: the 2 under the root is missing.",
        ),
        (
            (Between(0.53, 0.6), Between(0.68, 0.75), ..., ..., ..., ...),
            "The noise has variance gamma, half of what the densities expect: the 2 under the root is missing.",
        ),
        (
            (..., Between(7.4, 8.3), ..., ..., ..., ...),
            "Both squares are divided by 4 gamma, twice the variance of the noise; one of yours is divided by 2 gamma.",
        ),
        (
            (..., Between(0.6, 0.68), ..., ..., ..., ...),
            "A squared length is a sum over the latents, not a mean.",
        ),
        otherwise="From t = T down to 1: draw z_{t-1} from z_t by a step along the bridge t / T, then add the "
        "log-density of the step back minus that of the step there.",
        form="Return one tensor with a log-weight for each path, of shape [paths].",
    ),
    "4.9": Code(
        annealing_does,
        (
            Between(0.95, 1.05),
            Between(-1.15, -0.98),
            Between(0.44, 0.56),
            Between(0.9, 1),
            Between(low=20),
            0,
        ),
        (
            (..., ..., ..., ..., ..., Between(low=1e-9)),
            "Twice the same seed, and the weights differ: draw noise and coins from the generator that you are given.",
        ),
        (
            (..., ..., ..., ..., Between(1.5, 4), ...),
            "All walks get the same noise: draw a tensor of the shape of z in each step.",
        ),
        (
            (..., Between(7.5, 8.0), ..., ..., ..., ...),
            "That is log 1/w: the weight multiplies by the new bridge and divides by the one before.",
        ),
        (
            (..., ..., Between(0, 0), ..., ..., ...),
            "No move is ever taken that loses height. A test compares the ratio of densities, not its logarithm, with "
            "a coin from 0 to 1.",
        ),
        (
            (Between(0.95, 1.05), ..., Between(0.99, 1), ..., ..., ...),
            "The mean is right, and so is the bound. But you move first, along the bridge before, and weigh then: the "
            "exercise asks for the weight first, and for a last move that costs and does nothing.",
        ),
        (
            (Between(0.85, 0.95), ..., Between(0.99, 1), ..., ..., ...),
            "The move after the weight leaves the new bridge as it is, the one with b_t; yours follows b_{t-1}.",
        ),
        (
            (..., ..., Between(0.99, 1), ..., ..., ...),
            "Moves are taken that should often be refused: accept with probability min(1, f(new) / f(old)).",
        ),
        (
            (..., ..., ..., Between(0, 0.5), ..., ...),
            "All walks share one coin: each walk accepts or refuses for itself.",
        ),
        (
            (Between(1.05, 2), ..., Between(0.2, 0.3), ..., ..., ...),
            "Your test holds the walks to the posterior from the first step on; it should hold them to the bridge "
            "with b_t.",
        ),
        (
            (Between(1.04, 2), ..., Between(0.56, 0.7), ..., ..., ...),
            "You weigh a state after its move. The weight of step t is taken at z_{t-1}, before the move.",
        ),
        (
            (Between(0.04, 0.2), ..., ..., ..., ..., ...),
            "The weight is p(x, z) / q(z): subtract log_start.",
        ),
        (
            (Between(0.5, 0.75), Between(-3.2, -2.4), ..., ..., ..., ...),
            "Your test knows log_joint alone. The bridge also contains the start, q^(1 - b).",
        ),
        (
            (..., Between(high=-10), ..., ..., ..., ...),
            "Each step counts with b_t - b_{t-1}, what is new in it, and not with b_t.",
        ),
        (
            (Between(0.75, 0.92), Between(-1.5, -1.25), ..., ..., ..., ...),
            "The bridges are not evenly spaced: each step counts with its own b_t - b_{t-1}.",
        ),
        otherwise="In each step first add (b_t - b_{t-1}) (log_joint - log_start) at the present state, then move with "
        "a test that holds the bridge with b_t.",
        form="Return one tensor with a log-weight for each walk, of shape [walks].",
    ),
    "4.10": Check(
        4 - math.log(3),
        (
            math.log(3) - 4 / 9,
            "That is KL(posterior || start); on the way there the states have the law of the start.",
        ),
        (10.012499, "That is for the prior as the start. Your friend's begins at the posterior's mean."),
        (0.0, "The mean is right, but the start is too wide along the direction about which x tells something."),
        (8 - 2 * math.log(3), "You forgot the factor 1/2."),
        (4 + math.log(3), "The sign of the log-determinant: the start is wider than the posterior."),
        (4.0, "You left out the log-determinant, log 9 / 2."),
        (-4 + math.log(3), "She falls short by a divergence, which is positive."),
        otherwise="The loss is at least KL(q || posterior): both have the same mean, and covariances I and Lambda^-1 "
        "with the precisions 1 and 9 along the two directions.",
    ),
}

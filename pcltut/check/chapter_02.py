"""Self-checks of chapter 2, predictive coding."""

import math
from collections.abc import Callable

import torch

from pcltut.check.answers import Between, Check
from pcltut.check.code import Code


def settling_shows(my_settle: Callable) -> list[float] | None:
    """From zero: the step of the lower layer over what it should be, and whether the upper one moves. With no weights:
    how many steps each layer takes. At the top: the push from below over what it should be. What three layers miss.
    """

    def settle(x, latents, weights, scales, num_steps):
        given = my_settle(x, [z.clone() for z in latents], list(weights), list(scales), 0.1, num_steps)
        shapes = [z.shape for z in latents]
        fits = isinstance(given, list | tuple) and [getattr(z, "shape", None) for z in given] == shapes
        return given if fits else None

    x = torch.tensor([[1.0, 2.0], [0.5, -1.0]], dtype=torch.float64)
    first, second = torch.tensor([[[2.0, 1.0], [-1.0, 1.0]], [[1.0, -1.0], [0.5, 2.0]]], dtype=torch.float64)
    ones, zeros = torch.ones_like(x), torch.zeros_like(x)
    begun = settle(x, [zeros, zeros], [first, second], [0.5, 0.8], 1)
    alone = settle(zeros, [ones, ones], [0 * first, 0 * second], [0.5, 0.8], 3)
    half = math.atanh(0.5**0.5) * ones  # where the slope of tanh is 1/2
    pushed = settle(half.tanh() @ first.T + x, [half], [first], [0.5], 1)
    latents = [0.5 * x, x - 0.3, 0.2 - x]
    general = settle(x + 1, latents, [first, second, first], [0.5, 0.8, 2.0], 1)
    if None in (begun, alone, pushed, general):
        return None
    push = x @ first / 0.25
    lower = (begun[0] * push).sum() / (0.1 * push.square().sum())
    middle = math.log(max(alone[0].mean(), 1e-9)) / math.log(1 - 0.1 / 0.64)
    top = math.log(max(alone[1].mean(), 1e-9)) / math.log(0.9)
    from_below = ((pushed[0] - 0.9 * half) * push).sum() / (0.1 * 0.5 * push.square().sum())
    states = [z.clone().requires_grad_() for z in latents]
    layers = zip([x + 1, *states[:-1]], states, (first, second, first), (0.5, 0.8, 2.0), strict=True)
    misses = [(value - above.tanh() @ weight.T) / scale for value, above, weight, scale in layers]
    energy = 0.5 * sum(miss.square().sum() for miss in [*misses, states[-1]])
    slopes = torch.autograd.grad(energy, states)
    rest = max((new - old + 0.1 * slope).abs().max() for new, old, slope in zip(general, latents, slopes, strict=True))
    return [float(number) for number in (lower, begun[1].abs().max(), middle, top, from_below, rest)]


def lesson_learned(my_lesson: Callable) -> list[float] | None:
    """Change of weight and of bias over what they should be, and what is neither; the change of log sigma, over the
    learning rate.
    """
    z = torch.tensor([[1.0, 0.0], [-0.5, 2.0], [0.3, -1.0], [2.0, 0.5], [-1.0, -1.0]], dtype=torch.float64)
    error = torch.tensor([[1, 2, 0], [0, -1, 1], [2, 0, 1], [-1, 1, 0], [1, 1, 1]], dtype=torch.float64)
    error = error * (1.375 / error.square().sum(1).mean()).sqrt()  # 5.5 variances an image, for 3 pixels
    weight = torch.tensor([[1.0, -1.0], [0.5, 2.0], [0.0, 1.0]], dtype=torch.float64)
    bias = torch.tensor([0.5, -1.0, 0.0], dtype=torch.float64)
    x = z.tanh() @ weight.T + bias + error
    given = my_lesson(x, z.clone(), weight.clone(), bias.clone(), 0.5, 1e-4)
    if not isinstance(given, list | tuple) or len(given) != 3:
        return None
    if [getattr(found, "shape", None) for found in given[:2]] != [weight.shape, bias.shape]:
        return None
    wanted = 4 * error.T @ z.tanh() / 5, 4 * error.mean(0)
    parts, rest = [], 0.0
    for found, old, right in zip(given[:2], (weight, bias), wanted, strict=True):
        change = (found.detach() - old) / 1e-4
        parts.append(((change * right).sum() / right.square().sum()).item())
        rest = max(rest, (change - parts[-1] * right).norm().item())
    return [*parts, rest, math.log(float(given[2]) / 0.5) / 1e-4]


NEAR_ZERO = Between(-1e-3, 1e-3)

CHECKS = {
    "2.1": Check(
        0.2 + 0.05 * 4.6,
        (0.2 + 0.05 * 4.8, "You forgot the prior: the latent's own error, z, pulls it back to zero."),
        (0.2 - 0.05 * 5.0, "The sign of the pixel error: it is value minus prediction, 1 - 0.6."),
        (0.2 - 0.05 * 4.6, "The step goes up the log-joint; you went down."),
        (0.2 + 0.05 * 5.0, "The prior's sign: it pulls toward zero."),
        (0.2 + 0.05 * 2.2, "Divide the pixel error by sigma^2 = 0.25, not by sigma."),
        (0.2 + 0.05 * 1.0, "Divide the pixel error by sigma^2 = 0.25: precise pixels weigh more."),
        (0.2 + 0.05 * 1.4, "The error reaches the latent through the weight: multiply it by w = 3."),
        (4.6, "That is the score; the step adds gamma times the score to z."),
        (0.23, "That is the change; add it to z = 0.2."),
        otherwise="Compute both errors first: e_0 of the pixel, over sigma^2, and e_1 = z.",
    ),
    "2.2": Check(
        (0.89600, 1.05626, -0.38356),
        ((0.89600, 1.05626, -0.08356), "The top layer has an error too: the prior predicts zero, so its error is z_3."),
        ((1.35547, 1.10278, -0.39131), "You forgot the slope of tanh at each latent, 1 - tanh(z)^2."),
        ((-0.89600, -1.05626, 0.38356), "All signs are turned: the score points up the log-joint."),
        ((2.48813, 1.23889, 0.21644), "The own error pulls the other way: it enters with a minus."),
        ((-2.48813, -1.23889, -0.21644), "The error from below pushes the layer to explain it: it enters with a plus."),
        ((0.77289, 1.05325, -0.39151), "The prediction uses the activity tanh(z), not z itself."),
        (
            (0.47299, -0.85636, -0.13287),
            "An error travels up through the weight that made its prediction: W_0 into z_1, W_1 into z_2.",
        ),
        ((1.69207, 1.14758, -0.08356), "You left out the layers' own errors."),
        ((-0.79606, -0.09131, -0.3), "Those are the own errors alone; each layer also hears the error below."),
        ((-0.65244, 0.34116, -0.3), "Each layer hears the error below it, not the one above."),
        otherwise="Write down four errors, e_0 of the data to e_3 = z_3; each score is made of two neighboring ones.",
    ),
    "2.3": Check(
        177,
        (Between(176, 177), "Whole steps: after 176 the distance is still a little below 1."),
        (0.0, "It does diverge: the curvature is 1 + w^2 / sigma^2 = 17, with the prior's 1."),
        (Between(9, 10), "The distance grows by the factor |1 - gamma lambda| = 1.04, not by gamma lambda."),
        (999 / 0.04, "The factors multiply up: 1.04, 1.04^2, and so on; the distance does not grow by 0.04 each time."),
        (Between(76, 77), "A thousandfold is log(1000) / log(1.04) steps, both logarithms of the same base."),
        (1.04, "That is the factor of one step; how many of them make a thousand?"),
        (2.04, "That is gamma lambda; the distance is multiplied by 1 - gamma lambda at each step."),
        otherwise="Find lambda = 1 + w^2 / sigma^2, then the factor 1 - gamma lambda, then how often it must act.",
        tolerance=0.01,
    ),
    "2.4": Check(
        0.03 / 50,
        (0.03 * 50, "The other way round: a mean makes each score smaller, so the steps are shorter."),
        (0.03, "The mean does change the chain: each image's score is divided by the number of images."),
        (0.03 / 784, "The mean is over the 50 images of the batch, not over their 784 pixels."),
        (0.03 / 784 / 50, "The mean is over the 50 images alone; their pixels are still summed."),
        (0.03 / 50**0.5, "The step multiplies the score itself; a root belongs to noise, and there is none."),
        (1 / 50, "That is the factor; multiply it by gamma = 0.03."),
        otherwise="By what is the gradient of a mean over 50 images smaller than that of their sum?",
    ),
    "2.5": Check(
        (10.0, math.sqrt(0.4 * 0.975)),
        ((4.0, ...), "That is maximum likelihood; learning from points does not see the data's variance."),
        ((9.75, ...), "That is w^2 alone; the model's variance is w^2 + sigma^2."),
        ((40.0, ...), "You forgot sigma^2: lambda is (w^2 + sigma^2) / sigma^2."),
        ((20.0, ...), "Use sigma^2 = 0.25, not sigma = 0.5."),
        ((5.0, ...), "The edge is at gamma lambda = 2, not 1."),
        ((10.0, 0.39), "The first number is right. You gave the latents' variance; take its root."),
        ((10.0, 1.0), "The first number is right. The prior asks for 1, but nothing makes the settled latents obey."),
        (
            (10.0, math.sqrt(0.4)),
            "The first number is right. For the second use w^2 = 9.75, not w^2 + sigma^2: a factor 1 - gamma / 2.",
        ),
        (
            (10.0, math.sqrt(0.25 / 10)),
            "The first number is right. That is the posterior's width, sigma / sqrt(s), the same for each image; how "
            "far do the settled points spread over the images?",
        ),
        ((10.0, ...), "The first number is right. The latents settle at w x / s, so their variance is w^2 l / s^2."),
        otherwise="Solve gamma (w^2 + sigma^2) / sigma^2 = 2 for the variance w^2 + sigma^2.",
    ),
    "2.6": Code(
        settling_shows,
        (1.0, NEAR_ZERO, 3.0, 3.0, 1.0, NEAR_ZERO),
        (
            (-1.0, ..., ..., ..., ..., ...),
            "Your latents go down the log-joint: the error from below enters with a plus.",
        ),
        (
            (0.5, ..., ..., ..., ..., ...),
            "An error is divided by the variance s_l^2, not by the standard deviation s_l.",
        ),
        ((0.25, ..., ..., ..., ..., ...), "Divide each error by its variance, s_l^2: a precise layer weighs more."),
        (
            (3.75 / 13.25, ..., ..., ..., ..., ...),
            "An error goes up through the transpose of the weights that predict.",
        ),
        (
            (1.0, Between(low=1e-3), ..., ..., ..., ...),
            "The second layer has already seen the first one's new place: compute all errors before any layer moves.",
        ),
        ((..., ..., Between(high=-0.1), ..., ..., ...), "A layer's own error pulls it back: it enters with a minus."),
        ((..., ..., 1.0, 1.0, ..., ...), "Your latents take one step; they should take num_steps."),
        ((..., ..., 0.0, ..., ..., ...), "A layer between two others has an error of its own, and it pulls."),
        (
            (..., ..., ..., 0.0, ..., ...),
            "The top layer has an error too: its prior predicts zero, so it is z_L itself.",
        ),
        ((1.0, ..., 3.0, 3.0, 2.0, ...), "The slope of tanh is missing where the error from below arrives."),
        (
            (1.0, ..., 3.0, 3.0, ..., Between(low=1e-3)),
            "From zero your layers take the right step, elsewhere not: a prediction comes from the activity tanh(z), "
            "the slope 1 - tanh(z)^2 belongs to the layer that moves, and all layers move at once.",
        ),
        otherwise="For each layer: minus its own error, plus the slope times the error below, sent up through the "
        "weights.",
        form="Return the list of all layers' latents, each of the shape that it had.",
    ),
    "2.7": Code(
        lesson_learned,
        (1.0, 1.0, Between(-0.01, 0.01), 2.5),
        ((5.0, 5.0, ..., ...), "Your step grows with the number of data: take the mean over them."),
        ((-1.0, ..., ..., ...), "The weights run from the data: the step goes up the log-joint."),
        ((0.5, 0.5, ..., ...), "Divide the error by sigma^2, not by sigma."),
        ((0.25, 0.25, ..., ...), "The error that teaches is weighted by its precision: divide it by sigma^2."),
        ((..., 0.0, ..., ...), "The bias learns too: its activity is one, so it follows the mean error."),
        (
            (..., 1.0, Between(low=0.01), ...),
            "The weights turn the wrong way: their change is the error times the activity tanh(z), not z.",
        ),
        ((1.0, 1.0, ..., 5.5), "Sigma can only grow: the square must be compared with what is expected, one a pixel."),
        ((1.0, 1.0, ..., 4.5), "Each of the D pixels is expected to miss by one variance: subtract D, not 1."),
        ((1.0, 1.0, ..., 2.5 / 3), "Sum over the pixels; the mean is over the data alone."),
        ((1.0, 1.0, ..., 12.5), "Sigma's step grows with the number of data: take the mean over them."),
        ((1.0, 1.0, ..., -2.5), "The errors are larger than sigma expects, and your sigma shrinks."),
        ((1.0, 1.0, ..., 10.0), "That is the gradient for sigma; for log sigma multiply it by sigma once more."),
        ((1.0, 1.0, ..., 5.0), "You added log sigma's step to sigma itself: multiply sigma by its exponential."),
        ((1.0, 1.0, ..., 19.0), "In units of its variance a squared error is sigma^2 e^2, not e^2."),
        ((1.0, 1.0, ..., NEAR_ZERO), "Sigma learns too."),
        otherwise="Weight: error times activity. Bias: error. Log sigma: squared error over variance, minus D.",
        form="Return the new weight, bias and scale, in this order.",
    ),
    "2.8": Check(
        (0.25, 6.0),
        ((0.25, 9.0), "The first number is right. One decay cannot suit both directions: put l = 9 into your rule."),
        ((0.25, 36.0), "The first number is right. Learning ends where s^2 = l / alpha; take the root."),
        ((0.25, 4.0), "The first number is right. The model's variance does depend on the data's: s^2 = l / alpha."),
        ((0.25, ...), "The first number is right. For the second solve l / s^2 = alpha with l = 9."),
        ((4.0, ...), "That is 1 / alpha: the pull per weight, l / s^2, is 4 / 16 where s = l."),
        ((1.0, ...), "The force has s squared below the line: at s = l = 4 it is 4 w / 16."),
        ((Between(0.48, 0.49), ...), "The decay takes alpha w off: w stands on both sides and cancels."),
        (
            (0.0, ...),
            "That is right with the posterior's spread, whose force vanishes at s = l. Without it w l / s^2 is left.",
        ),
        otherwise="Set w l / s^2 = alpha w, which gives alpha from l = s = 4; then solve it for s with l = 9.",
    ),
    "2.9": Check(
        0.67,
        (
            0.6,
            "That is (D - d) / D. The pixels' part is more: the squares of the settled latents add up to less than d.",
        ),
        (
            0.53,
            "The sign of the trace: the settled latents' squares are d - tr(1 / Lambda), and what they lack is left.",
        ),
        (0.67**0.5, "That is the factor on sigma; give that on sigma^2."),
        (0.33, "That is the part that is missing; what is left?"),
        (3.35, "That is the sum over five pixels; take the mean."),
        (1.0, "That is with the posterior's spread; at the settled point it is smaller."),
        (1 / 0.67, "The other way round: the estimate is too small."),
        otherwise="Part (b) divided by D: (D - d + 1/4 + 1/10) / D.",
    ),
}

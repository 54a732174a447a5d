"""Self-checks of chapter 2, predictive coding."""

import math

from pcltut.check.answers import Between, Check

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
}

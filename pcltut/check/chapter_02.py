"""Self-checks of chapter 2, predictive coding."""

import math
from collections.abc import Callable

import torch

from pcltut.check.answers import diagnose, numbers


def _one_step(answer: object) -> str | None:
    def moved(score: float) -> list[float]:
        return [0.2 + 0.05 * score]

    mistakes = {
        "You forgot the prior: the latent's own error, z, pulls it back to zero.": moved(4.8),
        "The sign of the pixel error: it is value minus prediction, 1 - 0.6.": moved(-0.2 - 4.8),
        "The step goes up the log-joint; you went down.": moved(-4.6),
        "The prior's sign: it pulls toward zero.": moved(0.2 + 4.8),
        "Divide the pixel error by sigma^2 = 0.25, not by sigma.": moved(-0.2 + 2.4),
        "Divide the pixel error by sigma^2 = 0.25: precise pixels weigh more.": moved(-0.2 + 1.2),
        "The error reaches the latent through the weight: multiply it by w = 3.": moved(-0.2 + 1.6),
        "That is the score; the step adds gamma times the score to z.": 4.6,
        "That is the change; add it to z = 0.2.": 0.23,
    }
    otherwise = "Compute both errors first: e_0 of the pixel, over sigma^2, and e_1 = z."
    return diagnose(answer, moved(4.6), mistakes, otherwise)


def _three_layers(answer: object) -> str | None:
    z = torch.tensor([0.5, -0.2, 0.3], dtype=torch.float64)
    weights = torch.tensor([2.0, 1.5, -1.0], dtype=torch.float64)
    slope = 1 - torch.tanh(z).square()

    def errors(activity: torch.Tensor) -> torch.Tensor:
        values = torch.cat([torch.tensor([2.0], dtype=torch.float64), z])
        return values - torch.cat([weights * activity, torch.zeros(1, dtype=torch.float64)])

    error = errors(torch.tanh(z))
    own, below = error[1:], slope * weights * error[:-1]
    no_top = own * torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64)
    linear = errors(z)
    mistakes = {
        "The top layer has an error too: the prior predicts zero, so its error is z_3.": below - no_top,
        "You forgot the slope of tanh at each latent, 1 - tanh(z)^2.": weights * error[:-1] - own,
        "All signs are turned: the score points up the log-joint.": own - below,
        "The own error pulls the other way: it enters with a minus.": own + below,
        "The error from below pushes the layer to explain it: it enters with a plus.": -own - below,
        "The prediction uses the activity tanh(z), not z itself.": slope * weights * linear[:-1] - linear[1:],
        "An error travels up through the weight that made its prediction: W_0 into z_1, W_1 into z_2.": (
            slope * torch.cat([weights[1:], weights[:1]]) * error[:-1] - own
        ),
        "You left out the layers' own errors.": below,
        "Those are the own errors alone; each layer also hears the error below.": -own,
        "Each layer hears the error below it, not the one above.": (
            slope * weights * torch.cat([error[2:], torch.zeros(1, dtype=torch.float64)]) - own
        ),
    }
    otherwise = "Write down four errors, e_0 of the data to e_3 = z_3; each score is made of two neighboring ones."
    right = (below - own).tolist()
    return diagnose(answer, right, {hint: wrong.tolist() for hint, wrong in mistakes.items()}, otherwise)


def _slow_explosion(answer: object) -> str | None:
    def steps(factor: float) -> list[float]:
        return [math.log(1000) / math.log(factor)]

    mistakes = {
        "It does diverge: the curvature is 1 + w^2 / sigma^2 = 17, with the prior's 1.": 0.0,
        "The distance grows by the factor |1 - gamma lambda| = 1.04, not by gamma lambda.": steps(2.04),
        "The factors multiply up: 1.04, 1.04^2, and so on; the distance does not grow by 0.04 each time.": 999 / 0.04,
        "A thousandfold is log(1000) / log(1.04) steps, both logarithms of the same base.": 3 / math.log(1.04),
        "That is the factor of one step; how many of them make a thousand?": 1.04,
        "That is gamma lambda; the distance is multiplied by 1 - gamma lambda at each step.": 2.04,
    }
    otherwise = "Find lambda = 1 + w^2 / sigma^2, then the factor 1 - gamma lambda, then how often it must act."
    return diagnose(answer, steps(1.04), mistakes, otherwise, 0.01)


def _mean_of_a_batch(answer: object) -> str | None:
    mistakes = {
        "The other way round: a mean makes each score smaller, so the steps are shorter.": 0.03 * 50,
        "The mean does change the chain: each image's score is divided by the number of images.": 0.03,
        "The mean is over the 50 images of the batch, not over their 784 pixels.": 0.03 / 784,
        "The mean is over the 50 images alone; their pixels are still summed.": 0.03 / 784 / 50,
        "The step multiplies the score itself; a root belongs to noise, and there is none.": 0.03 / 50**0.5,
        "That is the factor; multiply it by gamma = 0.03.": 1 / 50,
    }
    otherwise = "By what is the gradient of a mean over 50 images smaller than that of their sum?"
    return diagnose(answer, 0.03 / 50, mistakes, otherwise)


def _where_learning_ends(answer: object) -> str | None:
    values = numbers(answer, 2)
    if values is None:
        return "Give 2 numbers in a list."
    variances = {
        "That is maximum likelihood; learning from points does not see the data's variance.": 4.0,
        "That is w^2 alone; the model's variance is w^2 + sigma^2.": 9.75,
        "You forgot sigma^2: lambda is (w^2 + sigma^2) / sigma^2.": 40.0,
        "Use sigma^2 = 0.25, not sigma = 0.5.": 20.0,
        "The edge is at gamma lambda = 2, not 1.": 5.0,
    }
    spreads = {
        "The first number is right. You gave the latents' variance; take its root.": 0.39,
        "The first number is right. The prior asks for 1, but nothing makes the settled latents obey.": 1.0,
        "The first number is right. For the second use w^2 = 9.75, not w^2 + sigma^2: a factor 1 - gamma / 2.": (
            math.sqrt(0.4)
        ),
        "The first number is right. That is the posterior's width, sigma / sqrt(s), the same for each image; how far "
        "do the settled points spread over the images?": math.sqrt(0.25 / 10),
    }
    otherwise = "Solve gamma (w^2 + sigma^2) / sigma^2 = 2 for the variance w^2 + sigma^2."
    wrong_variance = diagnose(values[0], [10.0], variances, otherwise)
    otherwise = "The first number is right. The latents settle at w x / s, so their variance is w^2 l / s^2."
    return wrong_variance or diagnose(values[1], [math.sqrt(0.4 * 0.975)], spreads, otherwise)


CHECKS: dict[str, Callable[[object], str | None]] = {
    "2.1": _one_step,
    "2.2": _three_layers,
    "2.3": _slow_explosion,
    "2.4": _mean_of_a_batch,
    "2.5": _where_learning_ends,
}

"""Self-checks of chapter 3, from predictive coding to Langevin."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from pcltut.check.answers import Between, Check
from pcltut.check.code import Code


def ula_does(my_ula: Callable) -> list[float] | None:
    """Pull over what it should be; the noise's variance, how far rows are apart, the variance after four steps, each
    over what it should be; what a second call changes; whether the states require a gradient.
    """

    def bowl(z: Tensor) -> Tensor:
        return -1.5 * z.square().sum(-1)

    def flat(z: Tensor) -> Tensor:
        return (0 * z).sum(-1)

    def walk(log_joint: Callable, start: Tensor, num_steps: int, temperature: float) -> object:
        return my_ula(log_joint, start.clone(), 0.1, num_steps, temperature, torch.Generator().manual_seed(0))

    one, zeros = torch.ones(4, 5, 2, dtype=torch.float64), torch.zeros(2000, 5, 2, dtype=torch.float64)
    given = [walk(bowl, one, 1, 0.0), *(walk(flat, zeros, num_steps, 0.3) for num_steps in (1, 4, 1))]
    if [getattr(states, "shape", None) for states in given] != [one.shape] + 3 * [zeros.shape]:
        return None
    cold, near, far, again = (states.detach() for states in given)
    apart = min(near.diff(dim=dim).var().item() for dim in range(3))
    pull, change = (1 - cold.mean().item()) / 0.3, (near - again).abs().max().item()
    spread, later = near.var().item() / 0.06, far.var().item() / 0.24
    return [pull, spread, apart / 0.12, later, change, float(given[1].requires_grad)]


def curvature_found(my_stiffest: Callable) -> object:
    """The curvature where those of the two latents are 26 and 5; -1 where it is no finite number."""
    weight = torch.tensor([[3.0, 0.0], [4.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    z = torch.tensor([math.pi / 3, 0.0], dtype=torch.float64)  # where the sine's slope is 1/2, and 1
    found = my_stiffest(lambda z: weight @ z.sin(), z, 0.5, 300, torch.Generator().manual_seed(0))
    overflown = isinstance(found, float | Tensor) and not torch.as_tensor(found).isfinite().all()
    return -1.0 if overflown else found


def direction_parts(my_direction: Callable) -> list[float] | None:
    """The force of the spread and that of the error, each over what it should be, and what is neither."""
    weight = torch.tensor([[1.0, 2.0], [0.0, 1.0], [-1.0, 0.5]], dtype=torch.float64)
    mean = torch.tensor([[1.0, -1.0], [0.5, 2.0]], dtype=torch.float64)
    error = torch.tensor([[1.0, 0.0, 2.0], [-1.0, 1.0, 0.0]], dtype=torch.float64)
    away = torch.tensor([[0, 0], [0, 0], [1, 0], [-1, 0], [0, 2], [0, -2]], dtype=torch.float64)
    predicted = mean @ weight.T
    spread = my_direction(weight.clone(), 0.5, predicted, mean + away[:, None])
    still = my_direction(weight.clone(), 0.5, predicted + error, mean.expand(6, 2, 2))
    wanted = -weight @ (away.T @ away / 6) / 0.25, error.T @ mean / 2 / 0.25
    if [getattr(found, "shape", None) for found in (spread, still)] != 2 * [weight.shape]:
        return None
    parts, rest = [], 0.0
    for found, right in zip((spread.detach(), still.detach()), wanted, strict=True):
        parts.append((found * right).sum().item() / right.square().sum().item())
        rest = max(rest, (found - parts[-1] * right).norm().item())
    return [*parts, rest]


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
        35,
        (Between(34, 35), "Whole steps: after 34 a little more than half of the distance is left."),
        (Between(17, 18), "That is the variance, which forgets twice as fast: (1 - gamma lambda)^2 a step."),
        (Between(49, 50), "That is the time to a factor of 1/e; halving takes log 2 times as long."),
        (Between(25, 26), "A constant fraction of what is left goes each step, not a constant amount."),
        (Between(68, 70), "Use the curvature: the factor is 1 - gamma lambda = 0.98, not 1 - gamma."),
        (Between(113, 115), "That is the time to a tenth; halving takes log 2 / -log 0.98."),
        otherwise="By which factor does the distance shrink in one step? Raise it to the power T.",
    ),
    "3.5": Check(
        Between(-1e-6, 1e-6),
        (Between(high=0), "A variance cannot be negative."),
        (Between(0, 0.05), "Close: the chains have not quite met yet. Run all 1,000 steps."),
        (
            Between(0.3, 0.85),
            "That is the variance of a posterior draw, which independent noise gives. Either each chain still has its "
            "own noise (is it drawn for one chain and then expanded?), or you took the variance over time.",
        ),
        (
            Between(0.85, 1.3),
            "That is the start's variance, or that of one chain over a short time; take the states of all chains after "
            "the last step.",
        ),
        otherwise="Subtract two chains' steps from each other: what is left of the noise?",
    ),
    "3.6": Code(
        ula_does,
        (1.0, Between(0.93, 1.07), Between(0.9, 1.1), Between(0.93, 1.07), 0, 0),
        (
            (..., ..., ..., ..., ..., 1),
            "The states that you return still hang on the graph of the steps behind them: detach them, and the start "
            "of each step too, or memory grows with the length of the walk.",
        ),
        ((-1.0, ..., ..., ..., ..., ...), "Your walkers go downhill in log_joint: the score is added, not subtracted."),
        (
            (0.05, ..., ..., ..., ..., ...),
            "The pull shrinks with the number of chains and images: give autograd the sum of log_joint, not its mean.",
        ),
        ((..., 0, ..., ..., ..., ...), "Your walkers stay together: a step adds no noise."),
        (
            (..., Between(0.45, 0.55), ..., ..., ..., ...),
            "The noise has the variance gamma tau, half of what it needs: the 2 is missing.",
        ),
        (
            (..., Between(3.0, 3.7), ..., ..., ..., ...),
            "The noise is the same at each temperature: multiply it by the square root of tau.",
        ),
        (
            (..., Between(0.27, 0.33), ..., ..., ..., ...),
            "You multiplied the noise by tau. Temperature scales its variance, so tau belongs under the root.",
        ),
        (
            (..., Between(0.05, 0.07), ..., ..., ..., ...),
            "2 gamma tau is the noise's variance; you took it for its standard deviation.",
        ),
        (
            (..., ..., Between(-0.01, 0.01), ..., ..., ...),
            "Some chains, images or latents share their noise: draw a tensor of the shape of z.",
        ),
        (
            (..., ..., ..., Between(3.5, 4.5), ..., ...),
            "Each step adds the same noise: draw it anew inside the loop.",
        ),
        (
            (..., ..., ..., Between(0.2, 0.3), ..., ...),
            "Four steps spread the walkers no further than one: does the loop return too early, or start anew?",
        ),
        (
            (..., ..., ..., ..., Between(low=1e-9), ...),
            "Twice the same seed, and the states differ: draw the noise from the generator that you are given.",
        ),
        otherwise="Each of num_steps steps adds gamma times the score, and noise of variance 2 gamma tau.",
        form="Return the last states in one tensor, of the shape of z.",
    ),
    "3.7": Check(
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
    "3.8": Code(
        curvature_found,
        26.0,
        (
            25.0,
            "You forgot the prior: it adds the identity to the curvature, so each product gets the direction itself.",
        ),
        (13.5, "Divide by sigma^2, not by sigma."),
        (2.5625, "You multiplied by sigma^2; small noise makes the energy stiffer."),
        (26.0**0.5, "That is the root of the curvature: J carries a direction to the image, J^T must bring it back."),
        (2 / 26, "That is the largest stable step; return the curvature."),
        (101.0, "That is the curvature at z = 0; take the derivatives at the z that is given."),
        (-1.0, "The direction grows until no number can hold it: scale it to length one in each round."),
        (
            Between(5.01, 25.9),
            "That is a mixture of stiff and soft: do all the rounds, each from the last one's product.",
        ),
        otherwise="Multiply by I + J^T J / sigma^2 again and again; by how much does a direction of length one grow?",
        form="Return one number, the largest curvature.",
    ),
    "3.9": Code(
        direction_parts,
        (1.0, 1.0, Between(0, 1e-4)),
        (
            (Between(-1e-4, 1e-4), 1.0, ...),
            "You took the mean of the latents before you multiplied. Then the spread of the chain is lost, and what is "
            "left is predictive coding's direction: multiply for each state, and then take the mean.",
        ),
        ((-1.0, -1.0, ...), "The sign: that is the downhill direction. The error is x minus its prediction."),
        ((6.0, 6.0, ...), "A mean over the images, but a sum over the states; divide by their number too."),
        ((2.0, 2.0, ...), "A mean over the states, but a sum over the images; divide by their number too."),
        ((12.0, 12.0, ...), "That is the sum over states and images; the direction is the mean."),
        ((1 / 3, 1 / 3, ...), "You divided by the number of pixels too. A log-density is a sum over pixels."),
        ((0.25, 0.25, ...), "You left out sigma: the error is divided by sigma^2."),
        ((0.5, 0.5, ...), "Divide by sigma^2, not by sigma."),
        otherwise="For each state of each image multiply the error (x - W z) / sigma^2 by z; then take the mean.",
        form="Return one tensor of the weight's shape, [pixels, latents].",
    ),
    "3.10": Check(
        5,
        (1, "That is the speed without wind; the law stays the same, but the way to it does not."),
        (9, "That is the speed of the stiff direction. The wind mixes the two; what stays is the sum of their speeds."),
        (10, "That is the sum of the two speeds, the trace; the slower one has at most half of it."),
        (3, "That is the geometric mean. The product of the two speeds grows with the wind; their sum stays."),
        (Between(1.001, 4.999), "That holds for a gentle wind; what does the root become when s grows?"),
        otherwise="Find both eigenvalues of (I + S) Lambda as functions of s; the smaller real part is the slow one.",
    ),
}

"""Self-checks of chapter 7, the whole algorithm on images."""

from collections.abc import Callable

import torch
from torch import Tensor

from pcltut.check.answers import Between, Check, numbers
from pcltut.check.code import Code

NAN = float("nan")


def _decoder_first(answer: object) -> str | None:
    values = numbers(answer, 2)
    if values is None:
        return "Give two numbers in a list: together, decoder first."
    together, decoder_first = values
    if min(values) <= 0:
        return "A standard deviation is positive: did you give the log-scale?"
    if together < decoder_first:
        return "The other order: first the case in which both gradients are taken together."
    if decoder_first > 0.8 * together:
        return (
            "The two are nearly equal: take the encoder's gradient again after the decoder's step, on the same batch, "
            "with the decoder's new weights."
        )
    if not 0.3 < together < 0.7:
        return "The first case is not the chapter's VAE after two epochs: batches of 100, Adam at 3e-3, build(seed=0)."
    return None


def filled(my_fill_in: Callable) -> list | None:
    """How many pixels are no number; the pull of seen pixels, that of the prior and the noise's variance, each over
    what it should be; by how much pixels that were seen have changed; whether the pictures require a gradient.
    """
    weight = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    x = torch.tensor([[1.0, -1.0, NAN, NAN], [NAN, NAN, NAN, NAN], [NAN, 0.5, 2.0, NAN]], dtype=torch.float64)
    zeros = torch.zeros(3, 2, dtype=torch.float64)

    def fill(z: Tensor, noise: list[Tensor]) -> object:
        return my_fill_in(lambda z: z @ weight.T, 0.4, x.clone(), z.clone(), 0.1, torch.stack(noise))

    still, moved, noisy = fill(zeros, [zeros]), fill(zeros + 1, [zeros, zeros]), fill(zeros, [zeros + 1])
    if [getattr(pictures, "shape", None) for pictures in (still, moved, noisy)] != 3 * [x.shape]:
        return None
    lost = sum(int(pictures.isnan().sum()) for pictures in (still, moved, noisy))
    pictures, alone, spread = (each.detach().nan_to_num() for each in (still, moved, noisy))
    changed = (pictures - x).nan_to_num().abs().max().item()
    hidden = pictures[0, 2] - pictures[0, 3] + pictures[2, 0] + pictures[2, 3]
    pull, prior = hidden.item() / 2.8125, (1 - alone[1].mean().item()) / 0.19
    return [lost, pull, prior, spread[1].square().mean().item() / 0.2, changed, float(still.requires_grad)]


def learned_on_the_way(my_incremental: Callable) -> list | None:
    """Of two states: theta, how far z moved, the passes; the noise's variance over what it should be; whether a result
    requires a gradient.
    """
    calls, z = [], torch.tensor([[1.0], [2.0], [3.0], [6.0]], dtype=torch.float64)
    theta, zeros = torch.tensor([2.0], dtype=torch.float64), torch.zeros(2, 4, 1, dtype=torch.float64)

    def log_joint(theta: Tensor, z: Tensor) -> Tensor:
        calls.append(1)
        return theta * z.sum(-1)

    given = my_incremental(log_joint, theta.clone(), z.clone(), 0.1, 0.5, zeros)
    passes = len(calls)
    noisy = my_incremental(log_joint, theta.clone(), z.clone(), 0.1, 0.5, zeros[:1] + 1)
    if [getattr(each, "shape", None) for pair in (given, noisy) for each in pair] != 2 * [theta.shape, z.shape]:
        return None
    shift, by_noise = ((end.detach() - z).mean().item() for _, end in (given, noisy))
    quiet = my_incremental(log_joint, theta.clone(), z.clone(), 0.1, 0.5, zeros[:1])[1].detach() - z
    spread = (by_noise - quiet.mean().item()) ** 2 / 0.2
    return [given[0].detach().item(), shift, passes, spread, float(any(each.requires_grad for each in given))]


CHECKS = {
    "7.1": Check(
        21 / 30,
        (0.1, "The other nine steps still need the score, two products each: the chain has to get to the last state."),
        (1.0, "The number of decoder passes is the same, but nine of them skip the product for the weights' gradient."),
        (30 / 21, "The inverse: 'last' is the cheaper one."),
        (20 / 30, "The last step needs the weights' gradient too, a third product."),
        (12 / 30, "Each step needs the score, so also the product going back to the layer's input."),
        (25 / 30, "That is 'after-burn-in', where half of the steps need the weights' gradient."),
        (21.0, "That is the number of products a layer; divide by the 30 of 'all'."),
        otherwise="Count products a layer: two for a score, three for a score and the weights' gradient.",
    ),
    "7.2": Check(
        11.6379,
        (20.0, "That is the number of decoder passes; the encoder is paid once in both."),
        (12.9582, "The ratio is not proportional to T: the encoder's part stays as it is."),
        (3.2396, "That is T = 5."),
        (10.3603, "The encoder's first layer needs no gradient for its input, the image."),
        (9.7192, "Two passes back need two products a layer: three in all, not two."),
        (0.58189, "That is the ratio divided by T; give the ratio."),
        (15.1444, "The encoder learns too: count its products going back."),
        otherwise="Put 20 for the 5 in the chapter's cost; the encoder's part does not change.",
        tolerance=0.001,
    ),
    "7.3": Check(
        0.58972,
        (0.34777, "That is the variance; sigma is its root."),
        (
            0.70568,
            "You measured from the mean over all pixels; the best picture is the mean image, with a mean for each "
            "pixel.",
        ),
        (0.82524, "You measured from zero; the best constant picture is the mean image."),
        (0.54963, "Average the pixels' variances and then take the root; sigma^2 is a mean of squares."),
        (0.3, "That is where sigma starts in this chapter; where does training take it?"),
        otherwise="z says nothing about x, so the best picture is the same for all z. How far are the pixels from it?",
        tolerance=0.002,
    ),
    "7.4": Check(
        100.0,
        (10.0, "Temperature scales the noise's variance, not its standard deviation."),
        (0.01, "The other way round: the drift became weak and the noise did not, so the chain is hot."),
        (0.1, "The other way round, and temperature scales the noise's variance."),
        (1.0, "The noise is as it was, but the drift is not; a temperature compares the two."),
        (200.0, "Almost: its factor is 2 gamma tau as in ours, so the two cancels."),
        otherwise="Write the drift as gamma' times the true score, and the noise's variance as 2 gamma' tau.",
    ),
    "7.5": _decoder_first,
    "7.6": Code(
        filled,
        (0, 1.0, 1.0, 1.0, 0, 0),
        (
            (Between(1), ..., ..., ..., ..., ...),
            "Pixels that are no number are in your pictures. A NaN times zero is a NaN, and going back through a "
            "square behind torch.where multiplies, too: put a number in the place of each NaN before you square.",
        ),
        (
            (..., ..., ..., ..., ..., 1),
            "The pictures still hang on the graph of the chain behind them: detach them, and the start of each step.",
        ),
        (
            (..., ..., Between(3, 10), ..., ..., ...),
            "An image of which nothing is seen is pulled by more than the prior: its hidden pixels count as gray ones. "
            "They must not enter the log-likelihood at all.",
        ),
        ((..., Between(0.01), 0.0, ..., ..., ...), "Where nothing is seen the prior alone should pull: it is missing."),
        (
            (..., Between(high=-0.01), ..., ..., ..., ...),
            "Your chains go downhill: the score is added, not subtracted.",
        ),
        (
            (..., 1 / 3, ..., ..., ..., ...),
            "The pull is a third for three images: sum the log-joint over images, for each has a posterior of its own.",
        ),
        (
            (..., Between(0.2, 0.34), 1.0, ..., ..., ...),
            "The likelihood is a mean over pixels; the log-density of an image is the sum over those that were seen.",
        ),
        (
            (..., 0.5, 1.0, ..., ..., ...),
            "The likelihood is a mean over the pixels seen; the log-density of an image is their sum.",
        ),
        ((..., 0.4, ..., ..., ..., ...), "Divide the squared error by sigma squared, not by sigma."),
        ((..., 0.16, ..., ..., ..., ...), "The pull of the pixels does not know sigma: divide their errors by it."),
        (
            (..., 2.0, ..., ..., ..., ...),
            "The pull of the pixels is doubled: the factor 1/2 of the Gaussian is missing.",
        ),
        (
            (..., ..., 10 / 19, ..., ..., ...),
            "You paint a state that is not the last: with noise for T steps paint z_T.",
        ),
        ((..., ..., ..., 0, ..., ...), "The noise that you were given moves nothing."),
        ((..., ..., ..., 0.5, ..., ...), "The noise has the variance gamma; a Langevin step has 2 gamma."),
        (
            (..., ..., ..., 0.2, ..., ...),
            "The noise has the variance (2 gamma)^2: the root of 2 gamma stands before it, not 2 gamma.",
        ),
        (
            (0, 1.0, 1.0, 1.0, ..., 0),
            "The chain is right, but pixels that were seen are painted over: keep them as they are.",
        ),
        otherwise="The log-joint is chapter 1's with a sum over the pixels seen: -(error / sigma)^2 / 2 for each, and "
        "-z^2 / 2 for each latent. Step by step, as in the listing, then paint.",
        form="Return the pictures, in the shape of x.",
    ),
    "7.7": Code(
        learned_on_the_way,
        (5.1, 0.55, 2, 1.0, 0),
        (
            (..., ..., ..., ..., 1),
            "What you return still hangs on a graph: detach theta and z at each state, or memory grows with the chain.",
        ),
        (
            (..., 0.8675, ..., ..., ...),
            "The score was taken after theta had moved. One pass at (theta_t, z_t) gives both gradients, and then both "
            "move.",
        ),
        (
            (5.38, ..., ..., ..., ...),
            "Theta learned from the state that comes after the step: take its gradient where the score is taken.",
        ),
        (
            (..., 0.4, ..., ..., ...),
            "Theta stays where it was while the chain runs, as in plain LPC; here it moves at each state.",
        ),
        (
            (14.4, ..., ..., ..., ...),
            "Theta's step grows with the batch: for the parameters take the mean over images.",
        ),
        (
            (..., 0.1375, ..., ..., ...),
            "The score is a mean over images, so the chain slows down with the batch: each image has a posterior of "
            "its own, and scores are summed.",
        ),
        (
            (5.275, ..., ..., ..., ...),
            "Theta's gradient flows back through the chain: a state is data, so detach it before the pass.",
        ),
        ((Between(high=2.0), ..., ..., ..., ...), "Theta goes downhill: here it climbs, by plus the learning rate."),
        ((..., Between(high=0), ..., ..., ...), "The chain goes downhill: the score is added, not subtracted."),
        ((..., ..., ..., 0, ...), "The noise that you were given moves nothing."),
        ((..., ..., ..., 0.5, ...), "The noise has the variance gamma; a Langevin step has 2 gamma."),
        (
            (5.1, 0.55, Between(3), ..., ...),
            "The numbers are right, but log_joint runs more than once a state: ask for both gradients in one pass.",
        ),
        otherwise="Per state: one pass at (theta_t, z_t), its gradients for z (summed over images) and for theta "
        "(their mean); then z takes a Langevin step, and theta one of plain gradient ascent.",
        form="Return two tensors, theta and z, each in the shape in which it was given.",
    ),
    "7.8": Check(
        0.80352,
        (
            Between(0.7495, 0.7513),
            "That is what the last state gives, or a long chain. The decoder learns from the mean over all five.",
        ),
        (1.24453, "That is the mean variance over the posterior's. The model's variance is l divided by it."),
        (0.7627, "Your states are z_1 to z_5; those that teach are z_0 to z_4."),
        (0.79411, "Six states: those that teach are z_0 to z_4, not z_5."),
        (0.83045, "The variance forgets with A^2 a step; it is the mean that forgets with A."),
        (0.24453, "That is the excess of the mean variance; which variance does the model have then?"),
        (0.89639, "That is a ratio of standard deviations; give the variances'."),
        (1.0, "So it is for one state; the later ones are wider than the posterior."),
        otherwise="Start at 1 / lambda, run P <- A^2 P + 2 gamma four times with A = 1/2, and average the five.",
        tolerance=0.001,
    ),
}

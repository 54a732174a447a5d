"""Self-checks of chapter 5, encoder warm starts."""

from collections.abc import Callable

import torch
from torch import Tensor

from pcltut.check.answers import Between, Check
from pcltut.check.code import Code

MEAN = torch.tensor([[0.5, -1.0], [0.2, 0.3], [-0.4, 0.8]], dtype=torch.float64)
LOG_SCALE = torch.tensor([[0.1, -0.6], [-0.3, 0.2], [0.4, -0.2]], dtype=torch.float64)
NOISE = torch.tensor([[1.2, -0.7], [0.4, 1.5], [-1.1, 0.6]], dtype=torch.float64)
MOVES = torch.tensor([-3.0, 0.5, 1.5, 5.0], dtype=torch.float64)  # of four states; their mean is 1


def jeffreys_slopes(my_jeffreys: Callable) -> list[float] | None:
    """Slope for the mean that comes from the model, over what it should be; the same for the states; what is added to
    the slope for the log-scale; whether anything flows into the states.
    """
    mean, log_scale = (each.clone().requires_grad_() for each in (MEAN, LOG_SCALE))

    def slopes(stiffness: float, move: float) -> tuple[Tensor, ...] | None:
        states = (MEAN + move * MOVES[:, None, None]).requires_grad_()
        loss = my_jeffreys(lambda z: -0.5 * stiffness * z.square().sum(-1), mean, log_scale, NOISE, states)
        if not isinstance(loss, Tensor) or loss.shape != (len(MEAN),):
            return None
        if not loss.requires_grad:
            return tuple(map(torch.zeros_like, (mean, log_scale, states)))
        return torch.autograd.grad(loss.sum(), [mean, log_scale, states], materialize_grads=True, allow_unused=True)

    at_rest, flat = slopes(3.0, 0.0), slopes(0.0, 0.3)
    if at_rest is None or flat is None:
        return None
    scale = LOG_SCALE.exp()
    model = at_rest[0] / (3 * (MEAN + scale * NOISE))
    chain = flat[0] / (-0.3 / scale.square())
    added = flat[1] + (0.3 * MOVES[:, None, None] / scale).square().mean(0)
    return [model.mean().item(), chain.mean().item(), added.mean().item(), float(flat[2].abs().max() > 0)]


LAMBDA = torch.tensor([[4.0, -1.0], [-1.0, 2.0]], dtype=torch.float64)
FACTOR = torch.tensor([[0.5, 0.0], [0.3, 0.8]], dtype=torch.float64)


def leaning_slopes(my_leaning: Callable) -> list[float] | None:
    """Slope for the mean over what it should be; for the entry below the diagonal over what it should be; the entropy's
    part on the diagonal over what it should be; the entry above the diagonal.
    """
    mean = torch.tensor([0.7, -0.4], dtype=torch.float64)
    noise = 2**0.5 * torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], dtype=torch.float64)
    found = my_leaning(mean.clone(), FACTOR.clone(), noise, lambda z: -z @ LAMBDA)
    if not (isinstance(found, tuple | list) and len(found) == 2 and all(isinstance(each, Tensor) for each in found)):
        return None
    g_mean, g_factor = (each.detach().double() for each in found)
    if g_mean.shape != (2,) or g_factor.shape != (2, 2):
        return None
    pull = LAMBDA @ FACTOR
    entropy = (pull - g_factor).diagonal() * FACTOR.diagonal()
    ratio = g_mean / (LAMBDA @ mean)
    return [ratio.mean().item(), (g_factor / pull)[1, 0].item(), entropy.mean().item(), g_factor[0, 1].abs().item()]


CHECKS = {
    "5.1": Check(
        (0.18, 0.5, 0.3),
        ((0.5, 0.18, 0.3), "Forward and reverse are exchanged: the reverse KL is the narrow one."),
        ((0.18**0.5, 0.5**0.5, 0.3**0.5), "These are standard deviations; give variances."),
        ((1 / 0.18, 0.5, ...), "The first is Lambda_ii, a precision; the variance is one over it."),
        ((0.5, 0.5, 0.5), "Reverse KL does not see S_ii: it sees the variance of a latent when the other is known."),
        (
            (2.0, 0.5, ...),
            "1 / S_ii is no entry of the precision: invert the whole matrix, and then take the diagonal.",
        ),
        ((0.18, 0.5, 0.34), "Jeffreys finds the geometric mean of the two variances, not the arithmetic one."),
        ((0.18, 0.5, 0.09), "Jeffreys' variance is sqrt(S_ii / Lambda_ii); you left out the root."),
        otherwise="Invert the covariance: reverse KL needs Lambda_ii, forward KL S_ii, Jeffreys both.",
        form="Give three numbers in a list: reverse, forward, Jeffreys.",
    ),
    "5.2": Check(
        0.3125,
        (0.25, "That is the posterior's variance, which the reverse KL finds. The chain is ULA: it has a bias."),
        (0.3125**0.5, "That is a standard deviation; give the variance."),
        (3.2, "That is the precision of the chain's law."),
        (0.2, "That is 2 gamma, the noise of one step alone; the chain also keeps a part of its start."),
        (0.15625, "Without the factor 2 in the noise: its variance is 2 gamma."),
        otherwise="Solve D = (1 - gamma lambda)^2 D + 2 gamma.",
    ),
    "5.3": Check(
        ([0, 1, 2], [0], [1, 2, 3]),
        (
            ([1, 2, 3], ..., [0, 1, 2]),
            "Decoder and forward KL are exchanged: the decoder learns where the chain evaluates it.",
        ),
        (([0, 1, 2, 3], ..., ...), "At z_3 the decoder is not evaluated any more: it would be a fourth pass."),
        (
            ([0, 1, 2], [0], [0, 1, 2]),
            "z_0 is the encoder's own draw and teaches it nothing: forward KL takes the states after each step.",
        ),
        (([0, 1, 2], [0], [0, 1, 2, 3]), "Without z_0: it is the encoder's own draw."),
        (([0, 1, 2], [0], [3]), "That is encoder_states='last'; the default is 'all'."),
        (([0, 1, 2], [0], ...), "Forward KL takes the states after each step."),
        (([0, 1, 2], ..., ...), "Reverse KL needs the score at the encoder's own draw, and only z_0 is one."),
        otherwise="The decoder learns where the chain evaluates the score: at the states before each step.",
        form="Give three lists of indices: decoder, reverse, forward.",
    ),
    "5.4": Check(  # fixed points on the chapter's posterior
        0.0313279,
        (0.019, "That is reverse KL's 1 / Lambda_ii, the limit for chains that run no time at all."),
        (0.1, "That is S_ii, which forward KL finds on exact samples; this chain is short."),
        (0.1005277, "That is ULA's stationary variance, which only long chains reach."),
        (0.0865256, "That is the fixed point for gamma = 0.01."),
        (0.176997, "That is a standard deviation; give the variance."),
        (0.0223883, "That is Jeffreys' fixed point, not forward KL's."),
        otherwise="Call fixed_point with num_steps=20 and step_size=0.001, and take one entry.",
        tolerance=0.004,
    ),
    "5.5": Check(
        (10, 11),
        ((11, 10), "The other order: first the case in which both gradients are taken together."),
        ((10, 10), "With the decoder changed, the first score is out of date: it must be taken again."),
        ((10, 20), "Only the score at z_0 must be taken again, not the whole chain."),
        ((11, 11), "The encoder's gradient is a byproduct of the chain's first score: no pass of its own."),
        ((11, 12), "The encoder's gradient is a byproduct when both are taken together."),
        ((11, 21), "z_10 is not evaluated: ten steps are ten passes."),
        otherwise="Count the passes of the chain, then what the encoder adds.",
        form="Give two numbers in a list: together, decoder first.",
    ),
    "5.6": Code(
        jeffreys_slopes,
        (1, 1, 0, 0),
        ((-1, ..., ..., ...), "A loss falls where the model likes the draw: the log-joint enters with a minus."),
        (
            (0, 1, ..., ...),
            "No slope comes from the model: make z_0 from mean, log_scale and noise, and do not detach it.",
        ),
        ((0.5, ..., ..., ...), "Half of the model's slope: add the two divergences, do not average them."),
        ((1, 0, ..., ...), "The states teach nothing yet: add minus the log-density that your Gaussian gives them."),
        ((1, -1, ..., ...), "The encoder flees from the states: minus log q is the loss."),
        ((1, 4, ..., ...), "You summed over the states; the loss is their mean, or long chains weigh more."),
        ((1, 5, ..., ...), "That is the last state alone: take the mean over all of them."),
        ((1, 0.5, ..., ...), "You averaged over the latents; a log-density is a sum over them."),
        ((1, 1, 1, ...), "The entropy of q is missing in the reverse KL: without it the encoder shrinks to a point."),
        ((1, 1, 2, ...), "The entropy has the wrong sign: a wide encoder must be cheaper, not dearer."),
        ((1, 1, -1, ...), "The normalizer of log q is missing, sum log s: without it the encoder grows without end."),
        (
            (1, 1, ..., 1),
            "A slope flows into the states. They are data here: detach them, or the encoder learns through the chain.",
        ),
        otherwise="Reverse: minus log_joint at mean + exp(log_scale) * noise, minus the entropy. Forward: minus log q "
        "of the states, averaged over them.",
        form="Return one loss for each image, in a tensor [images].",
    ),
    "5.7": Code(
        leaning_slopes,
        (1, 1, 1, 0),
        ((-1, -1, ..., ...), "That is the uphill direction of the log-joint; a loss goes down where the score points."),
        ((4, 4, ..., ...), "A sum over the draws; divide by their number."),
        ((1, 4, ..., ...), "The mean's slope is averaged, the factor's is a sum over the draws."),
        ((..., ..., 0, ...), "The entropy is missing: its slope is 1 / L_ii on the diagonal."),
        ((..., ..., -1, ...), "The entropy has the wrong sign: a wide encoder is cheaper, so its slope is negative."),
        ((1, 0, ..., ...), "Only the diagonal moves: then the encoder can never lean."),
        (
            (..., ..., ..., Between(low=1e-9)),
            "The entry above the diagonal got a slope: L is lower triangular, keep it so with torch.tril.",
        ),
        (
            (1, (LAMBDA @ FACTOR)[0, 1].item() / (LAMBDA @ FACTOR)[1, 0].item(), ..., ...),
            "Score and noise are exchanged: entry i, j of the factor moves latent i by noise j.",
        ),
        otherwise="The mean's slope is minus the mean score; the factor's is minus the mean of score i times noise j, "
        "and minus 1 / L_ii on the diagonal.",
        form="Return two tensors: the gradients for mean, [latents], and for factor, [latents, latents].",
    ),
    "5.8": Check(
        0.0456762,
        (0.019, "That is the limit for chains that run no time at all."),
        (0.1, "That is S_ii, the limit of long chains."),
        (0.0463169, "That is the chapter's chain of 50 steps of size 0.001; let the steps become small."),
        (0.0335726, "A variance forgets twice as fast as a mean: the exponent is -2 lambda s."),
        (0.0615799, "That is for a time of 0.1; the question asks for half of it."),
        (0.0622717, "That is for the last state alone; the encoder learns from all of them."),
        otherwise="Find h for both curvatures, and take the mean of 1 / lambda with these weights.",
        tolerance=0.004,
    ),
}

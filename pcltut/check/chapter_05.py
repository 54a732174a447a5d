"""Self-checks of chapter 5, encoder warm starts."""

import math
from collections.abc import Callable

from pcltut.check.answers import diagnose, numbers

SMALL_STEP = 0.0313279  # forward KL's fixed point on chapter 5's posterior for T = 20, gamma = 0.001
SMALL_STEP_JEFFREYS = 0.0223883
LARGE_STEP = 0.0865256  # the same with gamma = 0.01
STATIONARY = 0.1005277  # the variance of converged ULA, gamma = 0.001


def _three_fits(answer: object) -> str | None:
    values = numbers(answer, 3)
    if values is None:
        return "Give three numbers in a list: reverse, forward, Jeffreys."
    right = [0.18, 0.5, 0.3]
    mistakes = {
        "Forward and reverse are exchanged: the reverse KL is the narrow one.": [0.5, 0.18, 0.3],
        "These are standard deviations; give variances.": [math.sqrt(value) for value in right],
        "The first is Lambda_ii, a precision; the variance is one over it.": [1 / 0.18, 0.5, values[2]],
        "Reverse KL does not see S_ii: it sees the variance of a latent when the other is known.": [0.5, 0.5, 0.5],
        "1 / S_ii is no entry of the precision: invert the whole matrix, and then take the diagonal.": [
            2.0,
            0.5,
            values[2],
        ],
        "Jeffreys finds the geometric mean of the two variances, not the arithmetic one.": [0.18, 0.5, 0.34],
        "Jeffreys' variance is sqrt(S_ii / Lambda_ii); you left out the root.": [0.18, 0.5, 0.09],
    }
    otherwise = "Invert the covariance: reverse KL needs Lambda_ii, forward KL S_ii, Jeffreys both."
    return diagnose(values, right, mistakes, otherwise)


def _one_latent(answer: object) -> str | None:
    mistakes = {
        "That is the posterior's variance, which the reverse KL finds. The chain is ULA: it has a bias.": 0.25,
        "That is a standard deviation; give the variance.": math.sqrt(0.3125),
        "That is the precision of the chain's law.": 3.2,
        "That is 2 gamma, the noise of one step alone; the chain also keeps a part of its start.": 0.2,
        "Without the factor 2 in the noise: its variance is 2 gamma.": 0.15625,
    }
    otherwise = "Solve D = (1 - gamma lambda)^2 D + 2 gamma."
    return diagnose(answer, 0.3125, mistakes, otherwise)


def _tenth_of_the_step(answer: object) -> str | None:
    mistakes = {
        "That is reverse KL's 1 / Lambda_ii, the limit for chains that run no time at all.": 0.019,
        "That is S_ii, which forward KL finds on exact samples; this chain is short.": 0.1,
        "That is ULA's stationary variance, which only long chains reach.": STATIONARY,
        "That is the fixed point for gamma = 0.01.": LARGE_STEP,
        "That is a standard deviation; give the variance.": math.sqrt(SMALL_STEP),
        "That is Jeffreys' fixed point, not forward KL's.": SMALL_STEP_JEFFREYS,
    }
    otherwise = "Call fixed_point with num_steps=20 and step_size=0.001, and take one entry."
    return diagnose(answer, SMALL_STEP, mistakes, otherwise, tolerance=0.004)


def _which_states(answer: object) -> str | None:
    try:
        decoder, reverse, forward = (sorted(int(index) for index in states) for states in answer)
    except (TypeError, ValueError):
        return "Give three lists of indices: decoder, reverse, forward."
    if decoder == [1, 2, 3] and forward == [0, 1, 2]:
        return "Decoder and forward KL are exchanged: the decoder learns where the chain evaluates it."
    if decoder != [0, 1, 2]:
        if decoder == [0, 1, 2, 3]:
            return "At z_3 the decoder is not evaluated any more: it would be a fourth pass."
        return "The decoder learns where the chain evaluates the score: at the states before each step."
    if reverse != [0]:
        return "Reverse KL needs the score at the encoder's own draw, and only z_0 is one."
    if forward == [0, 1, 2]:
        return "z_0 is the encoder's own draw and teaches it nothing: forward KL takes the states after each step."
    if forward == [0, 1, 2, 3]:
        return "Without z_0: it is the encoder's own draw."
    if forward == [3]:
        return "That is encoder_states='last'; the default is 'all'."
    return None if forward == [1, 2, 3] else "Forward KL takes the states after each step."


def _decoder_first(answer: object) -> str | None:
    values = numbers(answer, 2)
    if values is None:
        return "Give two numbers in a list: together, decoder first."
    mistakes = {
        "The other order: first the case in which both gradients are taken together.": [11.0, 10.0],
        "With the decoder changed, the first score is out of date: it must be taken again.": [10.0, 10.0],
        "Only the score at z_0 must be taken again, not the whole chain.": [10.0, 20.0],
        "The encoder's gradient is a byproduct of the chain's first score: no pass of its own.": [11.0, 11.0],
        "The encoder's gradient is a byproduct when both are taken together.": [11.0, 12.0],
        "z_10 is not evaluated: ten steps are ten passes.": [11.0, 21.0],
    }
    return diagnose(values, [10.0, 11.0], mistakes, "Count the passes of the chain, then what the encoder adds.", 1e-6)


CHECKS: dict[str, Callable[[object], str | None]] = {
    "5.1": _three_fits,
    "5.2": _one_latent,
    "5.3": _tenth_of_the_step,
    "5.4": _which_states,
    "5.5": _decoder_first,
}

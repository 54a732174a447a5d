"""Self-checks of chapter 7, the whole algorithm on images."""

from collections.abc import Callable

from pcltut.check.answers import diagnose, numbers

DECODER = 32 * 256 + 256 * 256 + 256 * 784  # weights of the chapter's networks
ENCODER_INPUT = 784 * 256
ENCODER = ENCODER_INPUT + 256 * 256 + 256 * 64


def _last_state(answer: object) -> str | None:
    mistakes = {
        "The other nine steps still need the score, two products each: the chain has to get to the last state.": 0.1,
        "The number of decoder passes is the same, but nine of them skip the product for the weights' gradient.": 1.0,
        "The inverse: 'last' is the cheaper one.": 30 / 21,
        "The last step needs the weights' gradient too, a third product.": 20 / 30,
        "Each step needs the score, so also the product going back to the layer's input.": 12 / 30,
        "That is 'burn-in', where half of the steps need the weights' gradient.": 25 / 30,
        "That is the number of products a layer; divide by the 30 of 'all'.": 21.0,
    }
    otherwise = "Count products a layer: two for a score, three for a score and the weights' gradient."
    return diagnose(answer, 21 / 30, mistakes, otherwise)


def _longer_chain(answer: object) -> str | None:
    def ratio(num_steps: int, decoder: int, encoder: int) -> float:
        return (num_steps * decoder + encoder) / (decoder + encoder)

    update = 3 * ENCODER - ENCODER_INPUT
    mistakes = {
        "That is the number of decoder passes; the encoder is paid once in both.": 20.0,
        "The ratio is not proportional to T: the encoder's part stays as it is.": 4 * ratio(5, 3 * DECODER, update),
        "That is T = 5.": ratio(5, 3 * DECODER, update),
        "The encoder's first layer needs no gradient for its input, the image.": ratio(20, 3 * DECODER, 3 * ENCODER),
        "Two passes back need two products a layer: three in all, not two.": ratio(20, 2 * DECODER, update),
        "That is the ratio divided by T; give the ratio.": ratio(20, 3 * DECODER, update) / 20,
        "The encoder learns too: count its products going back.": ratio(20, 3 * DECODER, ENCODER),
    }
    otherwise = "Put 20 for the 5 in the chapter's cost; the encoder's part does not change."
    return diagnose(answer, ratio(20, 3 * DECODER, update), mistakes, otherwise, tolerance=0.001)


def _one_state(answer: object) -> str | None:
    mistakes = {
        "That is the variance; sigma is its root.": 0.34777,
        "You measured from the mean over all pixels; the best picture is the mean image, with a mean for each pixel.": (
            0.70568
        ),
        "You measured from zero; the best constant picture is the mean image.": 0.82524,
        "Average the pixels' variances and then take the root; sigma^2 is a mean of squares.": 0.54963,
        "That is where sigma starts in this chapter; where does training take it?": 0.3,
    }
    otherwise = "z says nothing about x, so the best picture is the same for all z. How far are the pixels from it?"
    return diagnose(answer, 0.58972, mistakes, otherwise, tolerance=0.002)


def _mean_heats(answer: object) -> str | None:
    mistakes = {
        "Temperature scales the noise's variance, not its standard deviation.": 10.0,
        "The other way round: the drift became weak and the noise did not, so the chain is hot.": 0.01,
        "The other way round, and temperature scales the noise's variance.": 0.1,
        "The noise is as it was, but the drift is not; a temperature compares the two.": 1.0,
        "Almost: its factor is 2 gamma tau as in ours, so the two cancels.": 200.0,
    }
    otherwise = "Write the drift as gamma' times the true score, and the noise's variance as 2 gamma' tau."
    return diagnose(answer, 100.0, mistakes, otherwise)


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


CHECKS: dict[str, Callable[[object], str | None]] = {
    "7.1": _last_state,
    "7.2": _longer_chain,
    "7.3": _one_state,
    "7.4": _mean_heats,
    "7.5": _decoder_first,
}

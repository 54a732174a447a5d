"""Self-checks of chapter 7, the whole algorithm on images."""

from pcltut.check.answers import Check, numbers


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
}

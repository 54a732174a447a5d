"""Self-checks of code: a probe runs the reader's function, and a table names the mistake behind what it did."""

from collections.abc import Callable

import torch

from pcltut.check.answers import Between, Check, Number


class Code(Check):
    """The check of an exercise whose answer is a function.

    It holds no solution: what right code does is a property (the noise has variance 2 gamma) or a number.

    Args:
        probe: calls the function and returns numbers that tell right code from wrong. Random draws without a generator
            are seeded.
        form: the hint where the function returns something that the probe cannot read as numbers.
        right, mistakes, otherwise, tolerance: as for `Check`, about the probe's numbers.
    """

    def __init__(
        self,
        probe: Callable[[Callable], object],
        right: Number | Between | tuple,
        *mistakes: tuple[Number | Between | tuple, str],
        otherwise: str,
        form: str,
        tolerance: float = 0.005,
    ) -> None:
        super().__init__(right, *mistakes, otherwise=otherwise, tolerance=tolerance, form=form)
        self.probe = probe

    def __call__(self, answer: object) -> str | None:
        if not callable(answer):
            return "Give the function itself, without calling it."
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                measured = self.probe(answer)
        except NotImplementedError:
            return "The stub still stands: write the function's body in the place of its last line."
        except Exception as error:  # the reader's own code may raise anything
            message = str(error).strip().partition("\n")[0].rstrip(".")
            return f"The function stopped with {type(error).__name__}: {message}."
        return super().__call__(measured)

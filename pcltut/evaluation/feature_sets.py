"""Two sets of features that are to be compared: what they must be, and how their pairs fit into memory."""

from collections.abc import Iterator

from jaxtyping import Float64
from torch import Tensor

ROWS = 1000  # rows of a matrix over all pairs that are in memory at once


def as_features(
    real: Tensor, fake: Tensor, *, at_least: int
) -> tuple[Float64[Tensor, "n features"], Float64[Tensor, "m features"]]:
    """Both sets in double precision, or a `ValueError` that says why they cannot be compared."""
    for name, features in (("real", real), ("fake", fake)):
        if not isinstance(features, Tensor):
            raise ValueError(
                f"{name}: got features of type {type(features).__name__}, expected a tensor; use torch.as_tensor"
            )
        if features.ndim != 2 or len(features) < at_least or features.shape[1] < 1:
            raise ValueError(
                f"{name}: got features of shape {tuple(features.shape)}, expected [n, features] with n at least "
                f"{at_least}; flatten them, or take more samples"
            )
        if not features.isfinite().all():
            raise ValueError(
                f"{name}: got features that are not finite, expected finite ones; look at the images they come from"
            )
    if real.shape[1] != fake.shape[1]:
        raise ValueError(
            f"got {real.shape[1]} real and {fake.shape[1]} fake features, expected as many; use one network for both"
        )
    return real.detach().double(), fake.detach().to(real.device).double()


def row_blocks(features: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """The rows, `ROWS` at a time, each block with its place."""
    for start in range(0, len(features), ROWS):
        part = features[start : start + ROWS]
        yield slice(start, start + len(part)), part

"""Where random numbers come from: a `torch.Generator` that the caller passes, never torch's global state."""

from collections.abc import Sequence

import torch
from torch import Tensor


def standard_normal(shape: Sequence[int], *, generator: torch.Generator, dtype: torch.dtype | None = None) -> Tensor:
    """Independent standard normal numbers, drawn on the generator's device."""
    check_generator(generator=generator)
    return torch.randn(tuple(shape), generator=generator, device=generator.device, dtype=dtype)


def check_generator(*, generator: torch.Generator) -> None:
    """Raise ValueError unless it is a generator."""
    if not isinstance(generator, torch.Generator):
        raise ValueError(
            f"got generator={generator!r}, expected a torch.Generator; use torch.Generator(device).manual_seed(0)"
        )

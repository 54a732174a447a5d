"""What the bounds are given, and whether it goes together: a model, images, a q and a generator."""

import torch
from torch import Tensor

from pcltut.models import DiagonalGaussian, GenerativeModel


def check_inputs(model: GenerativeModel, x: Tensor, *, generator: torch.Generator) -> None:
    """Raise ValueError unless these are one or more images that the model takes, all on one device and of one type."""
    model.check_data(x)
    if len(x) < 1:
        raise ValueError(f"got x of shape {tuple(x.shape)}, expected at least 1 image; check how x was cut")
    _check_kind(model, "x", x)
    check_generator(model, generator=generator)


def check_generator(model: GenerativeModel, *, generator: torch.Generator) -> None:
    """Raise ValueError unless the generator is on the model's device."""
    device = next(model.parameters()).device
    if generator.device != device:
        raise ValueError(
            f"got a generator on {generator.device}, expected one on {device} like the model; make it with "
            f"torch.Generator('{device}')"
        )


def check_q(model: GenerativeModel, x: Tensor, q: DiagonalGaussian) -> None:
    """Raise ValueError unless q is one finite law for each image, of the model's type and on its device."""
    if not isinstance(q, DiagonalGaussian):
        raise ValueError(f"got a q of type {type(q).__name__}, expected a DiagonalGaussian; pass encoder(x)")
    expected = (len(x), model.latent_dim)
    for name, part in q._asdict().items():
        _check_kind(model, f"q.{name}", part)
        if part.shape != expected:
            raise ValueError(
                f"got q.{name} of shape {tuple(part.shape)}, expected {expected}, images and latents; compute q from "
                "these images, and build model and encoder with one latent_dim"
            )
        if not bool(torch.isfinite(part).all()):
            raise ValueError(
                f"got q.{name} with values that are not finite, expected finite ones; train the encoder with a lower "
                "learning rate, or start from the prior"
            )


def _check_kind(model: GenerativeModel, name: str, tensor: Tensor) -> None:
    like = next(model.parameters())
    if (tensor.dtype, tensor.device) != (like.dtype, like.device):
        raise ValueError(
            f"got {name} of {tensor.dtype} on {tensor.device}, expected {like.dtype} on {like.device} like the model; "
            f"convert it with .to('{like.device}', {like.dtype})"
        )

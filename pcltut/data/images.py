"""A set of images held in memory as one tensor, and the loop that cuts it into batches."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor


class DataError(ValueError):
    """A data set that is unknown, missing, altered or out of reach; one line, remedy included."""

    def __init__(self, problem: str, remedy: str = ""):
        super().__init__(f"{problem}; {remedy}" if remedy else problem)
        self.remedy = remedy


@dataclass(frozen=True, eq=False, repr=False)
class Images:
    """Images as whole numbers 0..255 with one label each, all on one device.

    The models see ``as_float()``: ``x = 2 k / 255 - 1``, so that black is -1, white is 1 and the 256 values
    of a pixel are the centers of the bins of `pcltut.models.DiscretizedGaussian`.

    Args:
        pixels: gray or color values 0..255, channels first.
        labels: the class of each image (for CelebA the number of the person).
        name: name of the data set, such as "fashion-mnist-mini".
        split: "train", "validation" or "test".
    """

    pixels: UInt8[Tensor, "n c h w"]
    labels: Int64[Tensor, " n"]
    name: str
    split: str

    def __post_init__(self):
        for name in ("pixels", "labels"):
            if not isinstance(got := getattr(self, name), Tensor):
                raise ValueError(f"{name}: got {type(got).__name__}, expected a tensor; use torch.as_tensor({name})")
        if self.pixels.dtype != torch.uint8 or self.pixels.ndim != 4:
            got = f"{self.pixels.dtype} of shape {tuple(self.pixels.shape)}"
            raise ValueError(f"pixels: got {got}, expected torch.uint8 [n, c, h, w]; scale floats to 0..255 and round")
        if self.labels.dtype != torch.int64 or self.labels.shape != self.pixels.shape[:1]:
            got = f"{self.labels.dtype} of shape {tuple(self.labels.shape)}"
            raise ValueError(
                f"labels: got {got}, expected torch.int64 [{len(self.pixels)}], one for each image; use labels.long()"
            )
        if self.labels.device != self.pixels.device:
            raise ValueError(
                f"labels are on {self.labels.device}, pixels on {self.pixels.device}; use Images.to(device)"
            )

    def __len__(self) -> int:
        return self.pixels.shape[0]

    def __repr__(self) -> str:
        return (
            f"Images(name={self.name!r}, split={self.split!r}, n={len(self)}, "
            f"event_shape={self.event_shape}, device={str(self.device)!r})"
        )

    @property
    def event_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one image."""
        return tuple(self.pixels.shape[1:])

    @property
    def device(self) -> torch.device:
        """The device of both tensors."""
        return self.pixels.device

    def to(self, device: torch.device | str) -> "Images":
        """The same images on another device."""
        return replace(self, pixels=self.pixels.to(device), labels=self.labels.to(device))

    def __getitem__(self, index: slice | Tensor) -> "Images":
        """Part of the images: a slice, a tensor of indices, or a mask."""
        if not isinstance(index, slice | Tensor) or (isinstance(index, Tensor) and index.ndim != 1):
            raise ValueError(
                f"index: got {index!r}, expected a slice or a 1-D tensor; for image i alone images[i : i + 1]"
            )
        if isinstance(index, Tensor):
            index = index.to(self.device)
        try:
            return replace(self, pixels=self.pixels[index], labels=self.labels[index])
        except (IndexError, ValueError) as error:  # a step below 0, fractions, numbers out of range
            raise ValueError(
                f"index: got {index!r}, expected whole numbers below {len(self)}, or {len(self)} times true or false; "
                "check it against len(images)"
            ) from error

    def as_float(self) -> Float[Tensor, "n c h w"]:
        """The images as the models see them: ``x = 2 k / 255 - 1`` in [-1, 1], float32."""
        return self.pixels.to(torch.float32).mul_(2).div_(255).sub_(1)


class Batch(NamedTuple):
    """Some of the images of a set, ready for a model."""

    x: Float[Tensor, "batch c h w"]  # in [-1, 1]
    labels: Int64[Tensor, " batch"]
    index: Int64[Tensor, " batch"]  # where each image stands in the set


def batches(images: Images, batch_size: int, *, generator: torch.Generator) -> Iterator[Batch]:
    """One epoch: all images in random order, in batches that lie on the images' device.

    Each image comes exactly once; the last batch is smaller where ``batch_size`` does not divide the number
    of images. The order is drawn at the call, in one piece, on the generator's own device (which may be
    another than the images'), so the generator's state afterwards does not depend on how many batches are
    taken.
    """
    if not isinstance(images, Images) or not isinstance(generator, torch.Generator):
        got = f"{type(images).__name__} and {type(generator).__name__}"
        raise ValueError(f"got {got}, expected Images and a torch.Generator; load a set with pcltut.data.load")
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size: got {batch_size!r}, expected a whole number from 1 on; choose 64, for example")
    if len(images) == 0:
        raise ValueError(f"images: got an empty set ({images!r}), expected at least one image; take a larger part")
    order = torch.randperm(len(images), generator=generator, device=generator.device).to(images.device)
    return _slices(images, order, batch_size)


def _slices(images: Images, order: Int64[Tensor, " n"], batch_size: int) -> Iterator[Batch]:
    for index in order.split(batch_size):
        part = images[index]
        yield Batch(part.as_float(), part.labels, index)

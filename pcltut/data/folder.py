"""Your own pictures: a folder of image files as `Images`."""

import os
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from pcltut.arguments import one_of, whole_number
from pcltut.data.images import DataError, Images
from pcltut.data.pictures import open_picture

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def load_folder(folder: str | os.PathLike, *, size: int, channels: int = 1, split: str = "train") -> Images:
    """All pictures below `folder`, each cut to its central square and resized to `size` x `size` pixels.

    Pictures come in the order of their paths. Where they lie in subfolders, the first folder below `folder` is the
    class, numbered in alphabetical order; otherwise all labels are 0. Files that are no pictures by their names are
    left out.

    Args:
        size: height and width in pixels; `conv_decoder` takes 28 in gray, 32 or 64 in color.
        channels: 1 for gray, 3 for color.
        split: what the set calls itself; `images[:900]` and `images[900:]` cut it into two.

    Raises:
        DataError: there is no picture, or a file cannot be read as one.
    """
    size, channels = whole_number("size", size), one_of("channels", channels, (1, 3))
    root = Path(folder)
    paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise DataError(f"{root}: got no picture, expected files that end in {', '.join(SUFFIXES)}", "check the path")
    classes = [path.relative_to(root).parts[0] if path.parent != root else "" for path in paths]
    numbers = {name: number for number, name in enumerate(sorted(set(classes)))}
    pixels = torch.stack([read_picture(path, size, channels) for path in paths])
    return Images(pixels, torch.tensor([numbers[name] for name in classes]), root.name, split)


def read_picture(path: Path, size: int, channels: int) -> UInt8[Tensor, "c h w"]:
    """The central square of a picture, `size` pixels wide and high."""
    from PIL import Image, ImageOps

    picture = open_picture(path, "L" if channels == 1 else "RGB", "mend it or take it away")
    square = ImageOps.fit(picture, (size, size), Image.Resampling.BOX)
    return torch.from_numpy(np.array(square)).view(size, size, channels).permute(2, 0, 1)

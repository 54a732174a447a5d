"""CelebA at 64 x 64: cut out and resized once, then kept in a file of pixels.

The aligned images of 218 x 178 pixels are cut to their central 140 x 140 and resized to 64 x 64 with an
antialiased bilinear filter. Crops differ between papers (108, 128, 140, 148, 160, 178 are all in use) and so
do the numbers that depend on them; 140 is our choice.
"""

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from pcltut.data.images import DataError
from pcltut.data.pictures import open_picture
from pcltut.data.torchvision_compat import import_torchvision
from pcltut.files import FileError, load_tensors, save_tensors

CROP, SIZE = 140, 64


def read_celeba64(root: Path, split: str, *, cache: Path) -> tuple[UInt8[Tensor, "n c h w"], Int64[Tensor, " n"]]:
    """Pixels and persons of a split, from the file that the first call left, or from the JPEG files below `root`.

    The file only saves time: where it cannot be written the images are decoded at each call, and where it is damaged
    it is made again if the JPEG files are there.
    """
    present = (root / "celeba" / "list_eval_partition.txt").exists()
    if cache.exists():
        try:
            return _read_cache(cache)
        except DataError:
            if not present:
                raise
    dataset = import_torchvision().datasets.CelebA(
        root, split={"validation": "valid"}.get(split, split), target_type="identity"
    )
    folder = root / dataset.base_folder / "img_align_celeba"
    if (folder / folder.name).is_dir():  # an archive unpacked into a folder of its own name
        folder = folder / folder.name
    pixels = torch.empty(len(dataset.filename), 3, SIZE, SIZE, dtype=torch.uint8)

    def place(i: int) -> None:
        pixels[i] = crop_and_resize(folder / dataset.filename[i])

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # decoding runs outside Python's lock
        for _ in pool.map(place, range(len(pixels))):
            pass
    labels = dataset.identity.squeeze(1).long().contiguous()
    try:
        save_tensors(cache, {"pixels": pixels, "labels": labels}, {"crop": str(CROP)})
    except FileError as error:
        logging.getLogger(__name__).warning("%s: its images will be decoded at each call", error.problem)
    return pixels, labels


def crop_and_resize(path: Path) -> UInt8[Tensor, "3 64 64"]:
    """The central 140 x 140 pixels of an image file, resized to 64 x 64."""
    from PIL import Image

    image = open_picture(path, "RGB")
    left, top = (image.width - CROP) // 2, (image.height - CROP) // 2
    face = image.crop((left, top, left + CROP, top + CROP))
    small = face.resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1)


def _read_cache(cache: Path) -> tuple[UInt8[Tensor, "n c h w"], Int64[Tensor, " n"]]:
    remedy = "delete this file, it is then made again from the JPEG files"
    try:
        tensors, metadata = load_tensors(cache)
    except FileError as error:
        raise DataError(error.problem, remedy) from error
    if metadata.get("crop") != str(CROP):
        raise DataError(f"got {cache}, which was made with another crop", remedy)
    return tensors["pixels"], tensors["labels"]

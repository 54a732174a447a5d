"""Load, list, fetch and verify the data sets by name."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pcltut.data.download import download
from pcltut.data.images import DataError, Images
from pcltut.data.mini import NAME as MINI
from pcltut.data.mini import PATH as MINI_PATH
from pcltut.data.mini import load_mini
from pcltut.data.readers import READERS
from pcltut.data.sources import SOURCES, SPLITS, Source, data_root, find_source, locate


@dataclass(frozen=True)
class DataInfo:
    """One line of the list of data sets.

    Args:
        sizes: number of images of each split.
        present: whether its files are there (not whether they are whole: see `verify`).
        folder: where they lie, empty if they do not.
        bytes: size of the download, 0 for the embedded set.
    """

    name: str
    event_shape: tuple[int, int, int]
    sizes: Mapping[str, int]
    present: bool
    folder: str
    origin: str
    license: str
    bytes: int


def load(name: str, split: str, root: str | os.PathLike | None = None) -> Images:
    """Load one split of a data set; a set that is not there yet is downloaded first.

    "fashion-mnist-mini" comes with the package: 9,000 / 1,000 / 2,000 images, no network. "fashion-mnist",
    "mnist" (55,000 / 5,000 / 10,000), "cifar10" (45,000 / 5,000 / 10,000), "svhn" (68,257 / 5,000 / 26,032)
    and "celeba64" (162,770 / 19,867 / 19,962) lie in ``root``, else in the folder that the environment
    variable PCLTUT_DATA names, else in ./data. Fashion-MNIST is also taken from a system-wide copy
    (share/datasets/fashion-mnist).

    The validation split is the last part of the official training set; CelebA has its own. Some of the mini
    set's training images are among the 5,000 validation images of the whole Fashion-MNIST: do not train on
    one and validate on the other.

    Args:
        split: "train", "validation" or "test".
    """
    source = find_source(name)
    if split not in SPLITS:
        raise DataError(f"split: got {split!r}, expected one of {', '.join(SPLITS)}")
    if name == MINI:
        return load_mini(split)
    folder = data_root(root)
    if not is_present(source, folder):
        download(source, folder)
    return _read(source, folder, split)


def get(name: str, root: str | os.PathLike | None = None) -> DataInfo:
    """Make a data set available: nothing to do if it is there and whole, else download it.

    An altered or incomplete copy is replaced, after the new one has arrived in full.
    """
    source = find_source(name)
    folder = data_root(root)
    try:
        return verify(name, root)
    except DataError:
        if name == MINI:
            raise
        download(source, folder)
    return verify(name, root)


def verify(name: str, root: str | os.PathLike | None = None) -> DataInfo:
    """Read all splits of a data set, checksums and sizes included; a `DataError` says what is wrong."""
    source = find_source(name)
    for split in SPLITS:
        if name == MINI:
            load_mini(split)
        elif not is_present(source, data_root(root)):
            raise DataError(f"{name}: not found in {data_root(root)}", f"run `python -m pcltut data get {name}`")
        else:
            _read(source, data_root(root), split)
    return _info(source, data_root(root))


def available(root: str | os.PathLike | None = None) -> list[DataInfo]:
    """All data sets, with those that are already on this machine marked as present."""
    return [_info(source, data_root(root)) for source in SOURCES.values()]


def is_present(source: Source, root: Path) -> bool:
    """Whether all files of a set are there (for CelebA the files made from it are enough)."""
    if source.name == MINI:
        return MINI_PATH.exists()
    return bool(locate(source, root)) or bool(_prepared(source, root))


def _prepared(source: Source, root: Path) -> tuple[Path, ...]:
    files = tuple(root / source.name / f"{split}.safetensors" for split in SPLITS)
    return files if source.name == "celeba64" and all(file.exists() for file in files) else ()


def _info(source: Source, root: Path) -> DataInfo:
    files = (MINI_PATH,) if source.name == MINI else locate(source, root) or _prepared(source, root)
    present = is_present(source, root)
    return DataInfo(
        name=source.name,
        event_shape=source.event_shape,
        sizes=dict(source.sizes),
        present=present,
        folder=str(files[0].parent) if present else "",
        origin=source.origin,
        license=source.license,
        bytes=source.bytes,
    )


def _read(source: Source, root: Path, split: str) -> Images:
    own_validation = source.name == "celeba64"
    part = "train" if split == "validation" and not own_validation else split
    remedy = f"run `python -m pcltut data get {source.name}`, which replaces what is not whole"
    try:
        pixels, labels = READERS[source.name](source, root, part)
    except DataError as error:
        if error.remedy:
            raise
        raise DataError(str(error), remedy) from error
    expected = source.sizes[split]
    if part == "train" and not own_validation:
        expected = source.sizes["train"] + source.sizes["validation"]
    if tuple(pixels.shape) != (expected, *source.event_shape) or len(labels) != expected:
        raise DataError(
            f"{source.name}: got {tuple(pixels.shape)} {part} pixels and {len(labels)} labels, expected "
            f"{(expected, *source.event_shape)} and {expected}",
            remedy,
        )
    if part == "train" and not own_validation:
        cut = slice(0, source.sizes["train"]) if split == "train" else slice(source.sizes["train"], expected)
        pixels, labels = pixels[cut].clone(), labels[cut].clone()
    return Images(pixels, labels, source.name, split)

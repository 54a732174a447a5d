"""The data sets by name: what they hold, where they come from, and where their files are looked for."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pcltut.data.images import DataError

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Source:
    """What is known about a data set before any of its files is read.

    Args: sizes: number of images of each split. The validation split is the last part of the official
        training set (CelebA and the mini set have their own). files: files (or folders) that must be there,
        below the data folder, as torchvision lays them out. sums: checksums of files by name: SHA-256 of the
        decompressed content (64 digits) or MD5 of the file as stored (32 digits). Sets without an entry are
        checked by torchvision's own list. bytes: size of the download.
    """

    name: str
    event_shape: tuple[int, int, int]
    sizes: Mapping[str, int]
    origin: str
    license: str
    bytes: int
    files: tuple[str, ...] = ()
    sums: tuple[tuple[str, str], ...] = ()
    torchvision_class: str = ""


_IDX_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
_FASHION = "Xiao, Rasul, Vollgraf (2017), arXiv 1708.07747"

_ALL = (
    Source(
        name="fashion-mnist-mini",
        event_shape=(1, 28, 28),
        sizes={"train": 9_000, "validation": 1_000, "test": 2_000},
        origin=f"{_FASHION}; a stratified part, inside the package",
        license="MIT, copyright 2017 Zalando SE",
        bytes=0,
    ),
    Source(
        name="fashion-mnist",
        event_shape=(1, 28, 28),
        sizes={"train": 55_000, "validation": 5_000, "test": 10_000},
        origin=_FASHION,
        license="MIT, copyright 2017 Zalando SE",
        bytes=30_878_645,
        files=tuple(f"FashionMNIST/raw/{name}" for name in _IDX_FILES),
        sums=tuple(
            zip(
                _IDX_FILES,
                (
                    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
                ),
                strict=True,
            )
        ),
        torchvision_class="FashionMNIST",
    ),
    Source(
        name="mnist",
        event_shape=(1, 28, 28),
        sizes={"train": 55_000, "validation": 5_000, "test": 10_000},
        origin="LeCun, Cortes, Burges (1998)",
        license="CC BY-SA 3.0",
        bytes=11_594_722,
        files=tuple(f"MNIST/raw/{name}" for name in _IDX_FILES),
        sums=tuple(
            zip(
                _IDX_FILES,
                (
                    "f68b3c2dcbeaaa9fbdd348bbdeb94873",
                    "d53e105ee54ea40749a09fcbcd1e9432",
                    "9fb629c4189551a2d022fa330f9573f3",
                    "ec29112dd5afa0611ce80d1b7f02629c",
                ),
                strict=True,
            )
        ),
        torchvision_class="MNIST",
    ),
    Source(
        name="cifar10",
        event_shape=(3, 32, 32),
        sizes={"train": 45_000, "validation": 5_000, "test": 10_000},
        origin="Krizhevsky (2009)",
        license="none stated by its authors",
        bytes=170_498_071,
        files=tuple(
            f"cifar-10-batches-py/{name}"
            for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta")
        ),
        torchvision_class="CIFAR10",
    ),
    Source(
        name="svhn",
        event_shape=(3, 32, 32),
        sizes={"train": 68_257, "validation": 5_000, "test": 26_032},
        origin="Netzer et al. (2011)",
        license="non-commercial use only",
        bytes=246_316_178,
        files=("train_32x32.mat", "test_32x32.mat"),
        torchvision_class="SVHN",
    ),
    Source(
        name="celeba64",
        event_shape=(3, 64, 64),
        sizes={"train": 162_770, "validation": 19_867, "test": 19_962},
        origin="Liu, Luo, Wang, Tang (2015); center 140 x 140 pixels, resized to 64 x 64",
        license="non-commercial research only",
        bytes=1_480_000_000,
        files=(
            "celeba/list_attr_celeba.txt",
            "celeba/identity_CelebA.txt",
            "celeba/list_bbox_celeba.txt",
            "celeba/list_landmarks_align_celeba.txt",
            "celeba/list_eval_partition.txt",
            "celeba/img_align_celeba",
        ),
        torchvision_class="CelebA",
    ),
)
SOURCES: dict[str, Source] = {source.name: source for source in _ALL}


def find_source(name: str) -> Source:
    """The source of that name, or a `DataError` that lists the names."""
    if name not in SOURCES:
        raise DataError(f"name: got {name!r}, expected one of {', '.join(SOURCES)}")
    return SOURCES[name]


def data_root(root: str | os.PathLike | None = None) -> Path:
    """The folder of the data sets: ``root``, else the environment variable PCLTUT_DATA, else ./data."""
    return Path(root if root is not None else os.environ.get("PCLTUT_DATA") or "data").expanduser()


def system_folders() -> tuple[Path, ...]:
    """Where system packages put Fashion-MNIST's IDX files (Debian and Ubuntu: dataset-fashion-mnist)."""
    prefixes = dict.fromkeys((sys.prefix, "/usr/local", "/usr"))
    return tuple(Path(prefix) / "share" / "datasets" / "fashion-mnist" for prefix in prefixes)


def locate(source: Source, root: Path) -> tuple[Path, ...]:
    """All files of a set, in the data folder or (Fashion-MNIST) system-wide; empty if one is missing."""
    candidates = [tuple(root / name for name in source.files)]
    if source.name == "fashion-mnist":
        candidates += [tuple(folder / name for name in _IDX_FILES) for folder in system_folders()]
    for files in candidates:
        if files and all(file.exists() for file in files):
            return files
    return ()

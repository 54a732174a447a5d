"""The data sets by name: what they hold, where they come from, and where their files are looked for."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pcltut.data.images import DataError
from pcltut.files import expanded

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Source:
    """What is known about a data set before any of its files is read.

    Args: sizes: number of images of each split. The validation split is the last part of the official
        training set (CelebA and the mini set have their own). files: files (or folders) that must be there,
        below the data folder, as torchvision lays them out. sums: SHA-256 of the decompressed content by
        file name. Sets without them are checked by torchvision's own list. bytes: size of the download.
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
_ZALANDO = "MIT, copyright 2017 Zalando SE"


def _gray(name: str, torchvision_class: str, origin: str, license: str, bytes: int, sums: tuple[str, ...]) -> Source:
    """MNIST or a set in its format: four IDX files, 60,000 + 10,000 gray images of 28 x 28."""
    return Source(
        name=name,
        event_shape=(1, 28, 28),
        sizes={"train": 55_000, "validation": 5_000, "test": 10_000},
        origin=origin,
        license=license,
        bytes=bytes,
        files=tuple(f"{torchvision_class}/raw/{file}" for file in _IDX_FILES),
        sums=tuple(zip(_IDX_FILES, sums, strict=True)),
        torchvision_class=torchvision_class,
    )


_ALL = (
    Source(
        name="fashion-mnist-mini",
        event_shape=(1, 28, 28),
        sizes={"train": 9_000, "validation": 1_000, "test": 2_000},
        origin=f"{_FASHION}; a stratified part, inside the package",
        license=_ZALANDO,
        bytes=0,
    ),
    _gray(
        "fashion-mnist",
        "FashionMNIST",
        _FASHION,
        _ZALANDO,
        30_878_645,
        (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
    _gray(
        "mnist",
        "MNIST",
        "LeCun, Cortes, Burges (1998)",
        "CC BY-SA 3.0",
        11_594_722,
        (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
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
    if not isinstance(name, str) or name not in SOURCES:
        raise DataError(f"name: got {name!r}, expected one of {', '.join(SOURCES)}")
    return SOURCES[name]


def data_root(root: str | os.PathLike | None = None) -> Path:
    """The folder of the data sets: ``root``, else the environment variable PCLTUT_DATA, else ./data."""
    return expanded(root if root is not None else os.environ.get("PCLTUT_DATA") or "data")


def system_folders() -> tuple[Path, ...]:
    """Where system packages put Fashion-MNIST's IDX files (Debian and Ubuntu: dataset-fashion-mnist)."""
    prefixes = dict.fromkeys((sys.prefix, "/usr/local", "/usr"))
    return tuple(Path(prefix) / "share" / "datasets" / "fashion-mnist" for prefix in prefixes)


def locate(source: Source, root: Path) -> tuple[Path, ...]:
    """All files of a set; empty if one is missing.

    They lie in the data folder, one folder deeper (an archive unpacked by hand), or, Fashion-MNIST, system-wide. IDX
    files may be unpacked.
    """
    deeper = source.files[0].partition("/")[0] if "/" in source.files[0] else source.name
    candidates = [(folder, source.files) for folder in (root, root / deeper)]
    if source.name == "fashion-mnist":
        candidates += [(folder, _IDX_FILES) for folder in system_folders()]
    for folder, names in candidates:
        files = [next(filter(Path.exists, _spellings(folder / name)), None) for name in names]
        if files and None not in files:
            return tuple(files)
    return ()


def _spellings(path: Path) -> tuple[Path, ...]:
    """Where a file may lie: an IDX file also unpacked, under the names that unpacking gives it."""
    if path.suffix != ".gz":
        return (path,)
    plain = path.with_suffix("")
    return path, plain / plain.name, plain, plain.with_name(plain.name.replace("-idx", ".idx"))


def torchvision_root(source: Source, root: Path) -> Path:
    """The folder in which torchvision finds a set's files; the data folder itself where there are none."""
    files = locate(source, root)
    return files[0].parents[source.files[0].count("/")] if files else root

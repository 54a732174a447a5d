"""Read the official files of each data set into one tensor of pixels and one of labels."""

from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from pcltut.data.celeba import read_celeba64
from pcltut.data.idx import read_idx
from pcltut.data.images import DataError
from pcltut.data.sources import Source, locate, torchvision_root
from pcltut.data.torchvision_compat import import_torchvision

Arrays = tuple[UInt8[Tensor, "n c h w"], Int64[Tensor, " n"]]


def read_idx_set(source: Source, root: Path, part: str) -> Arrays:
    """MNIST and Fashion-MNIST: gray images and labels in two IDX files; torchvision is not needed."""
    sums = dict(source.sums)
    named = list(zip(source.files, locate(source, root), strict=True))
    pixels, labels = (
        read_idx(path, sha256=sums.get(Path(name).name)) for name, path in (named[:2] if part == "train" else named[2:])
    )
    return pixels.unsqueeze(1), labels.long()


def read_cifar10(source: Source, root: Path, part: str) -> Arrays:
    """CIFAR-10 from its Python batches; torchvision compares each file's MD5 before anything is unpickled."""
    cls, root = import_torchvision().datasets.CIFAR10, torchvision_root(source, root)
    try:
        images = cls(root, train=part == "train")
    except RuntimeError as error:
        lists = [*cls.train_list, *cls.test_list, [cls.meta["filename"], cls.meta["md5"]]]
        raise altered(((root / cls.base_folder / name, md5) for name, md5 in lists), error) from error
    return torch.from_numpy(images.data).permute(0, 3, 1, 2).contiguous(), torch.tensor(images.targets).long()


def read_svhn(source: Source, root: Path, part: str) -> Arrays:
    """SVHN (cropped digits) from its MATLAB file; needs scipy."""
    cls, root = import_torchvision().datasets.SVHN, torchvision_root(source, root)
    try:
        images = cls(root, split=part)
    except RuntimeError as error:
        _, name, md5 = cls.split_list[part]
        raise altered([(root / name, md5)], error) from error
    except ImportError as error:
        raise DataError(
            "svhn: its files are in MATLAB's format, which needs scipy", "run `pip install scipy`"
        ) from error
    return torch.from_numpy(images.data).contiguous(), torch.from_numpy(images.labels).long()


def altered(files: Iterable[tuple[Path, str]], error: Exception) -> DataError:
    """The error for a set whose files torchvision rejects, naming the first that is wrong."""
    check = import_torchvision().datasets.utils.check_integrity
    for path, md5 in files:
        if not check(path, md5):
            return DataError(f"{path}: the file was altered or truncated (its MD5 is not {md5})")
    return DataError(" ".join(str(error).split()))


def read_celeba(source: Source, root: Path, part: str) -> Arrays:
    """CelebA: see `pcltut.data.celeba`; the labels are the numbers of the persons."""
    files = torchvision_root(source, root)
    try:
        return read_celeba64(files, part, cache=root / source.name / f"{part}.safetensors")
    except RuntimeError as error:
        cls = import_torchvision().datasets.CelebA
        lists = [(files / cls.base_folder / name, md5) for _, md5, name in cls.file_list if name.endswith(".txt")]
        raise altered(lists, error) from error


READERS: dict[str, Callable[[Source, Path, str], Arrays]] = {
    "fashion-mnist": read_idx_set,
    "mnist": read_idx_set,
    "cifar10": read_cifar10,
    "svhn": read_svhn,
    "celeba64": read_celeba,
}

"""Small copies of the whole data sets, written in each set's own format, and what loading them must give."""

import csv
import dataclasses
import gzip
import hashlib
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from PIL import Image

from pcltut.data import sources
from pcltut.data.torchvision_compat import import_torchvision

SIZES = {"train": 20, "validation": 5, "test": 6}
MAKERS = {}


def use_small_sets(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """All sets have 20 + 5 + 6 images; no copy that the machine has is seen; ./data is below `folder`."""
    for name, source in list(sources.SOURCES.items()):
        if name != "fashion-mnist-mini":
            monkeypatch.setitem(sources.SOURCES, name, dataclasses.replace(source, sizes=SIZES))
    monkeypatch.setattr(sources, "system_folders", lambda: (folder / "system",))
    monkeypatch.delenv("PCLTUT_DATA", raising=False)
    monkeypatch.chdir(folder)


def maker(function):
    MAKERS[function.__name__.removeprefix("make_").replace("fashion_mnist", "fashion-mnist")] = function
    return function


def idx_bytes(array: np.ndarray) -> bytes:
    header = struct.pack(f">BBBB{array.ndim}i", 0, 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes())


def make_idx(folder: Path, rng, monkeypatch, name: str) -> dict:
    folder.mkdir(parents=True, exist_ok=True)
    parts, sums = {}, []
    for part, prefix, n in (("train", "train", 25), ("test", "t10k", 6)):
        images, labels = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8), rng.integers(0, 10, n)
        parts[part] = images[:, None], labels
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            file = folder / f"{prefix}-{kind}-ubyte.gz"
            file.write_bytes(idx_bytes(array))
            sums.append((file.name, hashlib.sha256(gzip.decompress(file.read_bytes())).hexdigest()))
    source = dataclasses.replace(sources.SOURCES[name], sums=tuple(sums))
    monkeypatch.setitem(sources.SOURCES, name, source)
    return parts


@maker
def make_fashion_mnist(root: Path, rng, monkeypatch) -> dict:
    return make_idx(root / "FashionMNIST" / "raw", rng, monkeypatch, "fashion-mnist")


@maker
def make_mnist(root: Path, rng, monkeypatch) -> dict:
    return make_idx(root / "MNIST" / "raw", rng, monkeypatch, "mnist")


def md5_of(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


@maker
def make_cifar10(root: Path, rng, monkeypatch) -> dict:
    cls = import_torchvision().datasets.CIFAR10
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)

    def write(name: str, content: dict) -> list[str]:
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
        return [name, md5_of(folder / name)]

    def batch(n: int) -> dict:
        labels = rng.integers(0, 10, n).tolist()
        return {"data": rng.integers(0, 256, (n, 3072), dtype=np.uint8), "labels": labels}

    training, test = [batch(5) for _ in range(5)], batch(6)
    lists = [write(f"data_batch_{i + 1}", content) for i, content in enumerate(training)]
    monkeypatch.setattr(cls, "train_list", lists)
    monkeypatch.setattr(cls, "test_list", [write("test_batch", test)])
    name, md5 = write("batches.meta", {"label_names": [str(i) for i in range(10)]})
    monkeypatch.setattr(cls, "meta", {"filename": name, "key": "label_names", "md5": md5})
    joined = np.concatenate([b["data"] for b in training]), np.concatenate([b["labels"] for b in training])
    return {
        "train": (joined[0].reshape(-1, 3, 32, 32), joined[1]),
        "test": (test["data"].reshape(-1, 3, 32, 32), np.array(test["labels"])),
    }


@maker
def make_svhn(root: Path, rng, monkeypatch) -> dict:
    cls = import_torchvision().datasets.SVHN
    root.mkdir(parents=True, exist_ok=True)
    parts, lists = {}, {}
    for part, n in (("train", 25), ("test", 6)):
        images, labels = rng.integers(0, 256, (n, 3, 32, 32), dtype=np.uint8), rng.integers(0, 10, n)
        file = root / f"{part}_32x32.mat"
        scipy.io.savemat(file, {"X": images.transpose(2, 3, 1, 0), "y": np.where(labels == 0, 10, labels)[:, None]})
        parts[part] = images, labels
        lists[part] = [f"{cls.split_list[part][0]}", file.name, md5_of(file)]
    monkeypatch.setattr(cls, "split_list", lists)
    return parts


@maker
def make_celeba64(root: Path, rng, monkeypatch) -> dict:
    """JPEG files of one color each inside the central 140 x 140, another outside."""
    cls = import_torchvision().datasets.CelebA
    folder = root / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    parts = {split: (np.zeros((n, 3, 64, 64), np.uint8), np.zeros(n, np.int64)) for split, n in SIZES.items()}
    rows = {"eval_partition": [], "identity": [], "bbox": [], "landmarks": [], "attr": []}
    number = 0
    for code, (split, n) in enumerate(SIZES.items()):
        for i in range(n):
            number += 1
            name, color = f"{number:06d}.jpg", rng.integers(0, 256, 3)
            picture = np.zeros((218, 178, 3), np.uint8)
            picture[39:179, 19:159] = color
            Image.fromarray(picture).save(folder / "img_align_celeba" / name, quality=100, subsampling=0)
            parts[split][0][i] = color[:, None, None]
            parts[split][1][i] = 100 + number
            rows["eval_partition"].append([name, code])
            rows["identity"].append([name, 100 + number])
            rows["bbox"].append([name, 1, 2, 3, 4])
            rows["landmarks"].append([name, *range(10)])
            rows["attr"].append([name, *([1, -1] * 20)])
    headers = {"bbox": 4, "landmarks": 10, "attr": 40}
    files = {
        "eval_partition": "list_eval_partition.txt",
        "identity": "identity_CelebA.txt",
        "bbox": "list_bbox_celeba.txt",
        "landmarks": "list_landmarks_align_celeba.txt",
        "attr": "list_attr_celeba.txt",
    }
    for key, name in files.items():
        with open(folder / name, "w", newline="") as file:
            writer = csv.writer(file, delimiter=" ", lineterminator="\n")
            if key in headers:
                writer.writerow([number])
                writer.writerow([f"column{i}" for i in range(headers[key])])
            writer.writerows(rows[key])
    listed = [("id", md5_of(folder / name), name) for name in files.values()]
    monkeypatch.setattr(cls, "file_list", [("id", "0" * 32, "img_align_celeba.zip"), *listed])
    return parts


def expected(parts: dict, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    pixels, labels = parts["train" if split == "validation" and "validation" not in parts else split]
    if "validation" not in parts:
        cut = {"train": slice(0, 20), "validation": slice(20, 25), "test": slice(None)}[split]
        pixels, labels = pixels[cut], labels[cut]
    return torch.from_numpy(pixels), torch.from_numpy(np.asarray(labels)).long()

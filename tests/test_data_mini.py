"""The embedded data set: what is in it, its checksum, and the program that made it."""

import gzip
import hashlib
import importlib.util
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from pcltut import data
from pcltut.data import mini

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def splits() -> dict[str, data.Images]:
    return {split: data.load("fashion-mnist-mini", split) for split in ("train", "validation", "test")}


@pytest.mark.parametrize(("split", "each"), [("train", 900), ("validation", 100), ("test", 200)])
def test_mini_is_stratified_and_stays_so_in_each_run_of_ten(splits, split, each):
    images = splits[split]
    assert images.pixels.shape == (10 * each, 1, 28, 28) and images.pixels.dtype == torch.uint8
    assert images.name == "fashion-mnist-mini" and images.split == split
    assert images.labels.bincount().tolist() == [each] * 10
    assert torch.equal(images.labels.view(-1, 10).sort(dim=1).values, torch.arange(10).expand(each, 10))


def test_mini_is_well_mixed(splits):
    labels = splits["train"].labels.view(-1, 10)
    place = [(labels[:, k] == c).sum().item() for k in range(10) for c in range(10)]
    assert all(50 < count < 130 for count in place)  # each class at each place of a block about 90 times
    assert (labels[1:] == labels[:-1]).double().mean() < 0.13


def test_mini_holds_12000_different_images_that_look_like_clothes(splits):
    pictures = {image.numpy().tobytes() for images in splits.values() for image in images.pixels}
    assert len(pictures) == 12_000
    train = splits["train"]
    assert train.pixels.min() == 0 and train.pixels.max() == 255
    assert 0.28 < (train.as_float().mean() + 1) / 2 < 0.30  # 0.286 in the whole training set
    # the mean image of trousers has two legs with a gap; a T-shirt has a body there
    middle = [train.pixels[train.labels == c, 0, 20:26, 13:15].double().mean().item() for c in (0, 1)]
    assert middle[0] > 100 > 60 > middle[1]


def test_mini_is_learnable_as_labeled(splits):
    """The nearest class mean classifies the test split about as well as is known for the whole set (68 %)."""
    means = torch.stack([splits["train"].as_float()[splits["train"].labels == c].mean(0) for c in range(10)])
    nearest = torch.cdist(splits["test"].as_float().flatten(1), means.flatten(1)).argmin(1)
    assert 0.64 < (nearest == splits["test"].labels).double().mean() < 0.72


def test_mini_file_is_small_and_has_its_license_beside_it():
    assert mini.PATH.stat().st_size <= 6_000_000
    assert hashlib.sha256(mini.PATH.read_bytes()).hexdigest() == mini.SHA256
    text = (mini.PATH.parent / "fashion_mnist_license.txt").read_text(encoding="utf-8")
    assert "MIT" in text and "2017 Zalando SE" in text
    assert "Xiao" in mini.__doc__ and "1708.07747" in mini.__doc__


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def delete(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [flip, truncate, delete])
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_damaged_embedded_file_is_refused_in_one_line(damage, split, tmp_path, monkeypatch):
    copy = tmp_path / mini.PATH.name
    shutil.copy(mini.PATH, copy)
    monkeypatch.setattr(mini, "PATH", copy)
    assert len(data.load("fashion-mnist-mini", split)) > 0
    damage(copy)
    with pytest.raises(ValueError, match="git checkout") as error:
        data.load("fashion-mnist-mini", split)
    message = str(error.value)
    assert str(copy) in message and "\n" not in message


# -- its builder -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def builder():
    spec = importlib.util.spec_from_file_location("make_mini", ROOT / "book" / "_tools" / "make_mini.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_idx(path: Path, array: np.ndarray) -> None:
    header = struct.pack(f">BBBB{array.ndim}i", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes()))


@pytest.fixture
def official(tmp_path):
    """A folder of IDX files: 12 + 6 images of each class, and image 0 once more in the training and the test set."""
    rng = np.random.default_rng(0)
    for prefix, each in (("train", 12), ("t10k", 6)):
        images = rng.integers(0, 256, (10 * each + 1, 28, 28))
        labels = np.append(rng.permutation(np.repeat(np.arange(10), each)), 0)
        if prefix == "train":
            labels[-1], first = labels[0], (images[0], labels[0])
        else:
            labels[-1] = first[1]
        images[-1] = first[0]
        write_idx(tmp_path / f"{prefix}-images-idx3-ubyte.gz", images)
        write_idx(tmp_path / f"{prefix}-labels-idx1-ubyte.gz", labels)
    return tmp_path


def test_builder_chooses_the_same_images_again_and_none_twice(builder, official):
    sizes = {"train": 9, "validation": 3, "test": 6}
    arrays, again = (builder.build(official, sizes, official=False) for _ in range(2))
    assert sorted(arrays) == sorted(f"{s}_{k}" for s in sizes for k in ("images", "labels"))
    assert all(np.array_equal(arrays[key], again[key]) for key in arrays)
    pictures = [image.tobytes() for split in sizes for image in arrays[f"{split}_images"]]
    assert len(set(pictures)) == len(pictures) == 180
    for split, each in sizes.items():
        assert arrays[f"{split}_labels"].reshape(each, 10).sum() == 45 * each
    source = builder.read_idx(official / "train-images-idx3-ubyte.gz").numpy()
    labels = builder.read_idx(official / "train-labels-idx1-ubyte.gz").numpy()
    of_image = {image.tobytes(): label for image, label in zip(source, labels, strict=True)}
    pairs = zip(arrays["train_images"], arrays["train_labels"], strict=True)
    assert all(of_image[image.tobytes()] == label for image, label in pairs)


def test_builder_checks_that_the_files_are_the_official_ones(builder, official):
    with pytest.raises(ValueError, match="altered"):
        builder.build(official)


def test_the_embedded_images_obey_the_builders_rule(builder, splits):
    """Without the official files: inside the set, digests grow within each class and order each block."""
    for images in splits.values():
        pixels, labels = images.pixels.squeeze(1).numpy(), images.labels.numpy()
        for label in range(10):
            digests = [builder.digest(image) for image in pixels[labels == label]]
            assert digests == sorted(digests)
        order = [builder.digest(image, b"order") for image in pixels[:500]]
        assert all(order[i : i + 10] == sorted(order[i : i + 10]) for i in range(0, 500, 10))

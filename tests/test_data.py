"""pcltut.data: images, batches, and the embedded data set."""

import gzip
import hashlib
import importlib.util
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pcltut import data
from pcltut.data import mini
from pcltut.data.files import atomic_path, write_text

ROOT = Path(__file__).resolve().parents[1]


def ramp(n: int = 7, shape: tuple[int, int, int] = (1, 2, 2)) -> data.Images:
    """n images, image i filled with the value i and labeled i."""
    pixels = torch.arange(n, dtype=torch.uint8).view(n, 1, 1, 1).expand(n, *shape).contiguous()
    return data.Images(pixels, torch.arange(n), "ramp", "train")


# -- images ----------------------------------------------------------------------------------------------------


def test_as_float_maps_the_256_values_to_the_centers_of_the_bins():
    pixels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    x = data.Images(pixels, torch.zeros(1, dtype=torch.int64), "all", "train").as_float()
    assert x.dtype == torch.float32
    torch.testing.assert_close(x.flatten(), torch.linspace(-1, 1, 256))
    assert x.min() == -1 and x.max() == 1
    assert torch.equal(((x.flatten() + 1) * 127.5).round().to(torch.uint8), pixels.flatten())
    assert pixels[0, 0, 0, 3] == 3  # the pixels themselves are left alone


def test_indexing_by_slice_indices_and_mask():
    images = ramp()
    assert images[2:4].labels.tolist() == [2, 3]
    assert images[torch.tensor([5, 1])].pixels[:, 0, 0, 0].tolist() == [5, 1]
    assert images[images.labels > 4].labels.tolist() == [5, 6]
    assert images[2:4].name == "ramp" and images[2:4].event_shape == (1, 2, 2)


@pytest.mark.parametrize("index", [slice(None), slice(3, 3)])
def test_length_follows_the_slice(index):
    assert len(ramp()[index]) == len(range(7)[index])


@pytest.mark.parametrize("index", [0, [1, 2]])
def test_other_indices_are_refused_with_the_remedy(index):
    with pytest.raises((ValueError, TypeError)):  # the shape checks of the tests answer first
        ramp()[index]
    with pytest.raises(ValueError, match=r"images\[i : i \+ 1\]"):
        data.Images.__getitem__.__wrapped__(ramp(), index)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("pixels", torch.zeros(7, 1, 2, 2), r"torch.float32.*scale floats to 0..255"),
        ("pixels", torch.zeros(7, 2, 2, dtype=torch.uint8), r"\(7, 2, 2\), expected torch.uint8 \[n, c, h, w\]"),
        ("labels", torch.zeros(6, dtype=torch.int64), r"\(6,\), expected torch.int64 \[7\], one for each image"),
        ("labels", torch.zeros(7), "torch.float32"),
        ("labels", torch.zeros(7, dtype=torch.int64, device="meta"), "labels are on meta, pixels on cpu"),
    ],
)
def test_what_is_no_image_set_is_refused(field, value, message):
    images = ramp()
    object.__setattr__(images, field, value)  # around the shape checks of the tests, which would answer first
    with pytest.raises(ValueError, match=message):
        images.__post_init__()


def test_repr_is_one_short_line():
    assert repr(ramp()) == "Images(name='ramp', split='train', n=7, event_shape=(1, 2, 2), device='cpu')"


def test_to_moves_both_tensors():
    moved = ramp().to("meta")
    assert moved.device.type == moved.labels.device.type == "meta" and moved.name == "ramp"


# -- batches ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 3, 7, 10])
def test_an_epoch_holds_each_image_once(batch_size, generator):
    images = ramp()
    seen = list(data.batches(images, batch_size, generator))
    assert [len(batch.x) for batch in seen[:-1]] == [min(batch_size, 7)] * (len(seen) - 1)
    index = torch.cat([batch.index for batch in seen])
    assert sorted(index.tolist()) == list(range(7))
    assert torch.equal(torch.cat([batch.x for batch in seen]), images[index].as_float())
    assert torch.equal(torch.cat([batch.labels for batch in seen]), images.labels[index])


def test_order_comes_from_the_generator_alone():
    def order(seed: int) -> list[int]:
        generator = torch.Generator().manual_seed(seed)
        return torch.cat([batch.index for batch in data.batches(ramp(200), 32, generator)]).tolist()

    assert order(0) == order(0) != order(1)
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.cat([b.index for b in data.batches(ramp(200), 32, generator)]) for _ in range(2))
    assert not torch.equal(first, second)


def test_the_generator_moves_on_by_one_epoch_however_many_batches_are_taken():
    one, two = (torch.Generator().manual_seed(0) for _ in range(2))
    list(data.batches(ramp(), 2, one))
    next(data.batches(ramp(), 2, two))
    assert torch.equal(one.get_state(), two.get_state())


@pytest.mark.parametrize("batch_size", [0, -1])
def test_batch_size_is_checked_at_the_call(batch_size, generator):
    with pytest.raises(ValueError, match=f"batch_size: got {batch_size}"):
        data.batches(ramp(), batch_size, generator)


def test_an_empty_set_has_no_batches(generator):
    with pytest.raises(ValueError, match="empty"):
        data.batches(ramp()[:0], 2, generator)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("generator_device", ["cpu", "cuda"])
def test_batches_lie_on_the_images_device_whatever_the_generators(generator_device):
    images = ramp().to("cuda")
    generator = torch.Generator(generator_device).manual_seed(0)
    seen = list(data.batches(images, 3, generator))
    assert all(tensor.device.type == "cuda" for batch in seen for tensor in batch)
    assert sorted(torch.cat([batch.index for batch in seen]).tolist()) == list(range(7))


# -- the embedded set ------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("name", "split", "message"),
    [
        ("fashion_mnist", "train", "got 'fashion_mnist', expected one of fashion-mnist-mini, fashion-mnist, mnist"),
        ("fashion-mnist-mini", "valid", "got 'valid', expected one of train, validation, test"),
    ],
)
def test_wrong_names_are_answered_with_the_right_ones(name, split, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        data.load(name, split)


def test_importing_and_loading_needs_no_torchvision_and_moves_nothing():
    code = """
import sys, torch
threads, state = torch.get_num_threads(), torch.get_rng_state()
import pcltut.data
pcltut.data.load("fashion-mnist-mini", "train")
pcltut.data.available()
loaded = [m for m in sys.modules if m.split(".")[0] in ("torchvision", "PIL", "matplotlib", "scipy")]
assert not loaded, loaded
assert threads == torch.get_num_threads() and torch.equal(state, torch.get_rng_state())
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


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


# -- files -----------------------------------------------------------------------------------------------------


def test_atomic_path_leaves_the_old_file_after_an_error(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    write_text(path, "old\n")
    with pytest.raises(RuntimeError), atomic_path(path) as part:
        part.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old\n" and [p.name for p in path.parent.iterdir()] == ["file.txt"]
    write_text(path, "new\n")
    assert path.read_bytes() == b"new\n" and [p.name for p in path.parent.iterdir()] == ["file.txt"]

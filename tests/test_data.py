"""pcltut.data: images and batches, and names."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pcltut import data
from pcltut.data.sources import find_source

ROOT = Path(__file__).resolve().parents[1]
batches = data.batches.__wrapped__  # without the shape checks of the tests, which would answer first


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


@pytest.mark.parametrize(
    ("pixels", "labels", "message"),
    [
        (np.zeros((2, 1, 2, 2), np.uint8), torch.zeros(2, dtype=torch.int64), r"pixels: got ndarray.*torch\.as_tensor"),
        ([[[[0]]]], torch.zeros(1, dtype=torch.int64), "pixels: got list"),
        (None, torch.zeros(1, dtype=torch.int64), "pixels: got NoneType"),
        (torch.zeros(2, 1, 2, 2, dtype=torch.uint8), [0, 1], "labels: got list"),
        (torch.zeros(2, 1, 2, 2, dtype=torch.uint8), np.zeros(2, np.int64), "labels: got ndarray"),
    ],
    ids=["array", "list", "None", "labels-list", "labels-array"],
)
def test_what_is_no_tensor_is_refused_in_one_line(pixels, labels, message):
    images = object.__new__(data.Images)  # around the shape checks of the tests, as above
    for field, value in (("pixels", pixels), ("labels", labels), ("name", "x"), ("split", "train")):
        object.__setattr__(images, field, value)
    with pytest.raises(ValueError, match=message) as error:
        images.__post_init__()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "index",
    [torch.tensor([7]), torch.tensor([-8]), torch.tensor([0.5]), torch.tensor([True, False]), slice(None, None, -1)],
    ids=["beyond", "below", "fraction", "short-mask", "backwards"],
)
def test_an_index_that_does_not_fit_is_refused_with_the_number_of_images(index):
    with pytest.raises(ValueError, match=r"index: got .*expected whole numbers below 7"):
        ramp()[index]


def test_repr_is_one_short_line():
    assert repr(ramp()) == "Images(name='ramp', split='train', n=7, event_shape=(1, 2, 2), device='cpu')"


def test_to_moves_both_tensors():
    moved = ramp().to("meta")
    assert moved.device.type == moved.labels.device.type == "meta" and moved.name == "ramp"


# -- batches ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 3, 7, 10])
def test_an_epoch_holds_each_image_once(batch_size, generator):
    images = ramp()
    seen = list(data.batches(images, batch_size, generator=generator))
    assert [len(batch.x) for batch in seen[:-1]] == [min(batch_size, 7)] * (len(seen) - 1)
    index = torch.cat([batch.index for batch in seen])
    assert sorted(index.tolist()) == list(range(7))
    assert torch.equal(torch.cat([batch.x for batch in seen]), images[index].as_float())
    assert torch.equal(torch.cat([batch.labels for batch in seen]), images.labels[index])


def test_order_comes_from_the_generator_alone():
    def order(seed: int) -> list[int]:
        generator = torch.Generator().manual_seed(seed)
        return torch.cat([batch.index for batch in data.batches(ramp(200), 32, generator=generator)]).tolist()

    assert order(0) == order(0) != order(1)
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.cat([b.index for b in data.batches(ramp(200), 32, generator=generator)]) for _ in range(2))
    assert not torch.equal(first, second)


def test_the_generator_moves_on_by_one_epoch_however_many_batches_are_taken():
    one, two = (torch.Generator().manual_seed(0) for _ in range(2))
    list(data.batches(ramp(), 2, generator=one))
    next(data.batches(ramp(), 2, generator=two))
    assert torch.equal(one.get_state(), two.get_state())


@pytest.mark.parametrize("batch_size", [0, -1, 2.0, "2", None])
def test_batch_size_is_checked_at_the_call(batch_size, generator):
    with pytest.raises(ValueError, match=f"batch_size: got {batch_size!r}"):
        batches(ramp(), batch_size, generator=generator)


def test_batches_take_an_image_set_and_a_generator_by_its_name(generator):
    for images, source in ((ramp().pixels, generator), (ramp(), 0), (ramp(), None)):
        with pytest.raises(ValueError, match=r"expected Images and a torch\.Generator"):
            batches(images, 2, generator=source)
    with pytest.raises(TypeError):
        batches(ramp(), 2, generator)


def test_an_empty_set_has_no_batches(generator):
    with pytest.raises(ValueError, match="empty"):
        data.batches(ramp()[:0], 2, generator=generator)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("generator_device", ["cpu", "cuda"])
def test_batches_lie_on_the_images_device_whatever_the_generators(generator_device):
    images = ramp().to("cuda")
    generator = torch.Generator(generator_device).manual_seed(0)
    seen = list(data.batches(images, 3, generator=generator))
    assert all(tensor.device.type == "cuda" for batch in seen for tensor in batch)
    assert sorted(torch.cat([batch.index for batch in seen]).tolist()) == list(range(7))


# -- names --------------------------------------------------------------------------------


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


@pytest.mark.parametrize("name", [None, ["mnist"], 3])
def test_what_is_no_name_is_answered_too(name):
    with pytest.raises(ValueError, match="expected one of fashion-mnist-mini"):
        find_source.__wrapped__(name)


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

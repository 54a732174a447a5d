"""The loaders of the whole data sets, on small files written in each set's own format; no network."""

import dataclasses
import gzip
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from image_sets import MAKERS, SIZES, expected, make_celeba64, make_idx, make_mnist, use_small_sets
from PIL import Image

from pcltut import data
from pcltut.data import catalog, celeba, sources
from pcltut.data.idx import read_idx
from pcltut.data.torchvision_compat import import_torchvision

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def small_sets(monkeypatch, tmp_path):
    use_small_sets(monkeypatch, tmp_path)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("name", MAKERS)
def test_each_set_is_read_from_its_own_format(name, tmp_path, rng, monkeypatch):
    parts = MAKERS[name](tmp_path / "data", rng, monkeypatch)
    for split in ("train", "validation", "test"):
        images = data.load(name, split)  # from ./data
        pixels, labels = expected(parts, split)
        assert images.name == name and images.split == split
        assert images.event_shape == sources.SOURCES[name].event_shape
        assert torch.equal(images.labels, labels)
        tolerance = 2 if name == "celeba64" else 0  # JPEG
        assert (images.pixels.int() - pixels.int()).abs().max() <= tolerance
    assert data.verify(name).present
    assert data.get(name).folder  # nothing to fetch
    assert {info.name for info in data.available() if info.present} == {"fashion-mnist-mini", name}


def test_the_root_argument_goes_before_the_variable_and_that_before_the_folder(tmp_path, rng, monkeypatch):
    parts = {}
    for folder in ("argument", "variable", "data"):
        parts[folder] = make_mnist(tmp_path / folder, rng, monkeypatch)
    monkeypatch.setitem(sources.SOURCES, "mnist", dataclasses.replace(sources.SOURCES["mnist"], sums=()))
    monkeypatch.setenv("PCLTUT_DATA", str(tmp_path / "variable"))
    for root, folder in ((tmp_path / "argument", "argument"), (None, "variable")):
        assert torch.equal(data.load("mnist", "test", root).labels, expected(parts[folder], "test")[1])
    monkeypatch.delenv("PCLTUT_DATA")
    assert torch.equal(data.load("mnist", "test").labels, expected(parts["data"], "test")[1])


def test_fashion_mnist_is_taken_from_a_system_wide_copy_without_torchvision(tmp_path, rng, monkeypatch):
    parts = make_idx(tmp_path / "system", rng, monkeypatch, "fashion-mnist")
    monkeypatch.setattr(catalog, "download", None)  # would fail
    monkeypatch.setattr("pcltut.data.readers.import_torchvision", None)
    assert torch.equal(data.load("fashion-mnist", "validation").labels, expected(parts, "validation")[1])
    (info,) = (info for info in data.available() if info.name == "fashion-mnist")
    assert info.present and info.folder == str(tmp_path / "system")


def test_system_wide_means_below_the_prefix_and_usr():
    code = "from pcltut.data.sources import system_folders; print(*system_folders(), sep='\\n')"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    folders = [Path(line) for line in run.stdout.splitlines()]
    tail = Path("share/datasets/fashion-mnist")
    assert folders == list(dict.fromkeys(Path(p) / tail for p in (sys.prefix, "/usr/local", "/usr")))


# -- damage ----------------------------------------------------------------------------------------------------

VICTIMS = {
    "fashion-mnist": "FashionMNIST/raw/train-images-idx3-ubyte.gz",
    "mnist": "MNIST/raw/train-labels-idx1-ubyte.gz",
    "cifar10": "cifar-10-batches-py/data_batch_3",
    "svhn": "train_32x32.mat",
    "celeba64": "celeba/identity_CelebA.txt",
}


@pytest.mark.parametrize("damage", ["flip", "truncate"])
@pytest.mark.parametrize("name", MAKERS)
def test_a_damaged_file_is_named_in_one_line_with_the_remedy(name, damage, tmp_path, rng, monkeypatch):
    MAKERS[name](tmp_path, rng, monkeypatch)
    victim = tmp_path / VICTIMS[name]
    content = bytearray(victim.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
    victim.write_bytes(bytes(content) if damage == "flip" else bytes(content[:-5]))
    for read in (lambda: data.load(name, "train", tmp_path), lambda: data.verify(name, tmp_path)):
        with pytest.raises(ValueError, match=f"pcltut data get {name}") as error:
            read()
        assert str(victim) in str(error.value) and "\n" not in str(error.value)


def test_a_set_of_another_size_is_refused(tmp_path, rng, monkeypatch):
    make_mnist(tmp_path, rng, monkeypatch)
    larger = dataclasses.replace(sources.SOURCES["mnist"], sizes={**SIZES, "test": 7})
    monkeypatch.setitem(sources.SOURCES, "mnist", larger)
    with pytest.raises(ValueError, match=r"mnist: got \(6, 1, 28, 28\) test pixels .*expected \(7, 1, 28, 28\)"):
        data.load("mnist", "test", tmp_path)


def test_a_broken_face_is_named(tmp_path, rng, monkeypatch):
    make_celeba64(tmp_path, rng, monkeypatch)
    victim = tmp_path / "celeba" / "img_align_celeba" / "000003.jpg"
    victim.write_bytes(victim.read_bytes()[:400])
    with pytest.raises(ValueError, match=r"000003\.jpg: the image cannot be read"):
        data.load("celeba64", "train", tmp_path)
    assert not (tmp_path / "celeba64").exists()


def test_faces_are_decoded_once_then_kept_and_checked(tmp_path, rng, monkeypatch):
    make_celeba64(tmp_path, rng, monkeypatch)
    first = {split: data.load("celeba64", split, tmp_path) for split in SIZES}
    shutil.rmtree(tmp_path / "celeba")
    again = data.load("celeba64", "test", tmp_path)
    assert torch.equal(again.pixels, first["test"].pixels) and torch.equal(again.labels, first["test"].labels)
    kept = tmp_path / "celeba64" / "test.safetensors"
    assert sorted(p.name for p in kept.parent.iterdir()) == [f"{s}.safetensors" for s in sorted(SIZES)]
    content = bytearray(kept.read_bytes())
    content[-100] ^= 1
    for damaged in (content, content[:-3]):
        kept.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"got an? .*test\.safetensors.*; delete this file"):
            data.load("celeba64", "test", tmp_path)


def test_crop_takes_the_central_140_pixels(tmp_path):
    picture = np.zeros((218, 178, 3), np.uint8)
    picture[39:179, 19:89] = 200  # left half of the crop
    Image.fromarray(picture).save(tmp_path / "face.png")
    small = celeba.crop_and_resize(tmp_path / "face.png")
    assert small.shape == (3, 64, 64)
    assert (small[:, :, :31] == 200).all() and (small[:, :, 33:] == 0).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x1f\x8b\x08\x00", "not a complete gzip file"),
        (gzip.compress(b"PK\x03\x04" * 5), "not an IDX file"),
        (gzip.compress(b"\0\0\x08\x03\0\0"), "header of the IDX file is cut off"),
        (gzip.compress(struct.pack(">BBBBi", 0, 0, 8, 1, 5) + b"1234"), r"4 values, expected 5 .*\(5,\)"),
    ],
    ids=["cut-off", "not-idx", "no-header", "too-short"],  # fixed: parallel workers must agree on them
)
def test_what_is_no_idx_file_is_refused(content, message, tmp_path):
    file = tmp_path / "x-ubyte.gz"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_idx(file)


def test_the_published_checksums_are_complete():
    official = {source.name: source for source in sources._ALL}
    datasets = import_torchvision().datasets
    assert dict(official["mnist"].sums) == dict(datasets.MNIST.resources)
    assert [name for name, _ in official["fashion-mnist"].sums] == [n for n, _ in datasets.FashionMNIST.resources]
    assert all(len(digest) == 64 for _, digest in official["fashion-mnist"].sums)

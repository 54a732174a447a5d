"""The loaders of the whole data sets, on small files written in each set's own format; no network."""

import dataclasses
import gzip
import re
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
from pcltut.files import load_tensors

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def small_sets(monkeypatch, tmp_path):
    use_small_sets(monkeypatch, tmp_path)


def idx_header(*sizes: int) -> bytes:
    return struct.pack(f">BBBB{len(sizes)}i", 0, 0, 8, len(sizes), *sizes)


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


# -- other places ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["beside", "instead", "dotted", "folder"])
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_unpacked_idx_files_are_read_and_checked(name, place, tmp_path, rng, monkeypatch):
    parts = MAKERS[name](tmp_path, rng, monkeypatch)
    monkeypatch.setattr(catalog, "download", None)  # would fail
    for packed in list(tmp_path.rglob("*.gz")):
        plain = packed.with_suffix("")
        if place == "dotted":
            plain = plain.with_name(plain.name.replace("-idx", ".idx"))
        if place == "folder":
            plain.mkdir()
            plain = plain / plain.name
        plain.write_bytes(gzip.decompress(packed.read_bytes()))
        if place != "beside" or packed.name.startswith("t10k"):
            packed.unlink()
    for split in SIZES:
        images = data.load(name, split, tmp_path)
        pixels, labels = expected(parts, split)
        assert torch.equal(images.pixels, pixels) and torch.equal(images.labels, labels)
    (info,) = (info for info in data.available(tmp_path) if info.name == name)
    assert info.present and data.verify(name, tmp_path).present
    content = bytearray(plain.read_bytes())
    content[-1] ^= 1
    plain.write_bytes(content)
    if not packed.exists():
        with pytest.raises(ValueError, match=f"{plain.name}: the file was altered .*pcltut data get {name}"):
            data.verify(name, tmp_path)


@pytest.mark.parametrize("name", MAKERS)
def test_archives_unpacked_one_folder_deeper_are_found(name, tmp_path, rng, monkeypatch):
    deeper = {"svhn": "svhn", "cifar10": "cifar-10-batches-py", "celeba64": "celeba", "mnist": "MNIST"}
    parts = MAKERS[name](tmp_path / "data" / deeper.get(name, "FashionMNIST"), rng, monkeypatch)
    monkeypatch.setattr(catalog, "download", None)  # would fail
    for split in SIZES:
        assert torch.equal(data.load(name, split).labels, expected(parts, split)[1])
    assert data.verify(name).present


def test_faces_in_a_folder_of_the_archives_own_name(tmp_path, rng, monkeypatch):
    parts = make_celeba64(tmp_path, rng, monkeypatch)
    folder = tmp_path / "celeba" / "img_align_celeba"
    folder.rename(tmp_path / "pictures")
    folder.mkdir()
    (tmp_path / "pictures").rename(folder / folder.name)
    images = data.load("celeba64", "test", tmp_path)
    assert (images.pixels.int() - expected(parts, "test")[0].int()).abs().max() <= 2


def test_the_tilde_is_the_home_folder(tmp_path, rng, monkeypatch):
    parts = make_mnist(tmp_path / "home" / "images", rng, monkeypatch)
    monkeypatch.setenv("USERPROFILE" if sys.platform == "win32" else "HOME", str(tmp_path / "home"))
    assert torch.equal(data.load("mnist", "test", "~/images").labels, expected(parts, "test")[1])
    monkeypatch.setenv("PCLTUT_DATA", "~/images")
    assert torch.equal(data.load("mnist", "test").labels, expected(parts, "test")[1])
    with pytest.raises(ValueError, match="home folder is not known"):
        data.load("mnist", "test", "~nobody-of-this-name/images")


# -- caches ------------------------------------------------------------------------------------------------------------


def test_faces_in_a_folder_that_cannot_be_written_are_decoded_each_time(tmp_path, rng, monkeypatch, caplog):
    parts = make_celeba64(tmp_path, rng, monkeypatch)
    (tmp_path / "celeba64").write_text("a file in the place of the folder")
    for _ in range(2):
        images = data.load("celeba64", "test", tmp_path)
        assert torch.equal(images.labels, expected(parts, "test")[1])
        assert (images.pixels.int() - expected(parts, "test")[0].int()).abs().max() <= 2
    assert "decoded at each call" in caplog.text
    assert data.verify("celeba64", tmp_path).present
    (tmp_path / "celeba64").unlink()

    def refuse(self, *arguments, **keywords):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert torch.equal(data.load("celeba64", "test", tmp_path).labels, images.labels)
    assert not (tmp_path / "celeba64").exists()


def test_a_damaged_file_of_faces_is_made_again_from_the_pictures(tmp_path, rng, monkeypatch):
    make_celeba64(tmp_path, rng, monkeypatch)
    first = data.load("celeba64", "test", tmp_path)
    kept = tmp_path / "celeba64" / "test.safetensors"
    whole = kept.read_bytes()
    for damaged in (whole[:-3], b"", whole[:-1] + bytes([whole[-1] ^ 1])):
        kept.write_bytes(damaged)
        assert torch.equal(data.load("celeba64", "test", tmp_path).pixels, first.pixels)
        assert torch.equal(load_tensors(kept)[0]["pixels"], first.pixels)


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
        (gzip.compress(idx_header(5) + b"1234"), r"4 values, expected 5 .*\(5,\)"),
        (gzip.compress(idx_header(5) + b"123456"), r"6 values, expected 5 .*\(5,\)"),
        (gzip.compress(idx_header(0, 28, 28) + b"1"), r"1 values, expected 0 .*\(0, 28, 28\)"),
        (gzip.compress(idx_header(-2, -3) + b"123456"), r"got sizes \(-2, -3\)"),
        (gzip.compress(idx_header(-1)), r"got sizes \(-1,\)"),
        (gzip.compress(idx_header() + b"1"), r"got sizes \(\)"),
    ],  # fixed names: parallel workers must agree on them
    ids=[
        "cut-off",
        "not-idx",
        "no-header",
        "too-short",
        "too-long",
        "empty-and-more",
        "negative-twice",
        "negative",
        "no-sizes",
    ],
)
def test_what_is_no_idx_file_is_refused(content, message, tmp_path):
    file = tmp_path / "x-ubyte.gz"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        read_idx(file)
    assert "\n" not in str(error.value)
    file.with_suffix("").write_bytes(gzip.decompress(content) if len(content) > 4 else content)
    with pytest.raises(ValueError):
        read_idx(file.with_suffix(""))


@pytest.mark.parametrize("sizes", [(0, 28, 28), (0,), (3, 0), (2, 3)])
def test_idx_files_without_values_are_empty(sizes, tmp_path):
    (tmp_path / "x").write_bytes(idx_header(*sizes) + bytes(range(int(np.prod(sizes)))))
    assert torch.equal(read_idx(tmp_path / "x"), torch.arange(int(np.prod(sizes)), dtype=torch.uint8).reshape(sizes))


def test_a_folder_or_nothing_in_the_place_of_an_idx_file(tmp_path):
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ValueError, match="cannot be read"):
            read_idx(path)


def test_the_published_checksums_are_complete():
    official = {source.name: source for source in sources._ALL}
    datasets = import_torchvision().datasets
    for name, cls in (("mnist", datasets.MNIST), ("fashion-mnist", datasets.FashionMNIST)):
        assert [file for file, _ in official[name].sums] == [file for file, _ in cls.resources]
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for _, digest in official[name].sums)
    assert len({digest for name in ("mnist", "fashion-mnist") for _, digest in official[name].sums}) == 8

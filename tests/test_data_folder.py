"""A folder of pictures as images: order, classes, sizes, colors, and what is wrong with a file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pcltut.data import DataError, load_folder


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def test_order_classes_and_size(tmp_path: Path):
    for name, value in (("b/2.png", 20), ("a/1.png", 10), ("b/1.png", 30), ("a/deep/9.bmp", 40)):
        save(tmp_path / name, np.full((12, 12), value))
    (tmp_path / "a" / "notes.txt").write_text("no picture", encoding="utf-8")
    images = load_folder(tmp_path, size=8)
    assert images.event_shape == (1, 8, 8) and images.name == tmp_path.name
    assert images.pixels[:, 0, 0, 0].tolist() == [10, 40, 30, 20]
    assert images.labels.tolist() == [0, 0, 1, 1]


def test_the_central_square_is_kept(tmp_path: Path):
    wide = np.zeros((10, 30))
    wide[:, 10:20] = 200
    save(tmp_path / "wide.png", wide)
    assert (load_folder(tmp_path, size=10).pixels == 200).all()
    assert load_folder(tmp_path, size=10).labels.tolist() == [0]


def test_a_picture_is_shrunk_by_means(tmp_path: Path):
    pixels = np.arange(64).reshape(8, 8) * 4
    save(tmp_path / "ramp.png", pixels)
    mean = torch.as_tensor(pixels.reshape(4, 2, 4, 2).mean((1, 3)))
    assert ((load_folder(tmp_path, size=4).pixels[0, 0] - mean).abs() <= 1).all()


def test_colors_are_kept_or_become_gray(tmp_path: Path):
    red = np.zeros((6, 6, 3))
    red[..., 0] = 255
    save(tmp_path / "red.png", red)
    color = load_folder(tmp_path, size=6, channels=3)
    assert color.event_shape == (3, 6, 6) and color.pixels[0, :, 0, 0].tolist() == [255, 0, 0]
    assert load_folder(tmp_path, size=6).pixels.unique().tolist() == [76]  # ITU-R 601: .299 of 255


def test_a_photograph_is_turned_upright(tmp_path: Path):
    picture = Image.fromarray(np.array([[0, 0], [250, 250]], dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    picture.save(tmp_path / "turned.png", exif=exif)
    assert load_folder(tmp_path, size=2).pixels[0, 0].tolist() == [[250, 250], [0, 0]]


def test_what_cannot_be_read_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"got no picture, expected files that end in \.bmp"):
        load_folder(tmp_path, size=8)
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"broken\.png: the image cannot be read .*; mend it or take it away"):
        load_folder(tmp_path, size=8)


@pytest.mark.parametrize(("options", "message"), [({"size": 0}, "size"), ({"size": 8, "channels": 2}, "channels")])
def test_bad_arguments_are_named(tmp_path: Path, options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        load_folder(tmp_path, **options)

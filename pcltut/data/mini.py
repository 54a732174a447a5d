"""Fashion-MNIST in small, inside the package: 9,000 + 1,000 + 2,000 images, no network, always the same.

Origin: H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine
Learning Algorithms" (2017), arXiv 1708.07747; copyright 2017 Zalando SE, MIT license
(fashion_mnist_license.txt in this folder). The images are taken unchanged from the official files by
book/_tools/make_mini.py.
"""

import io
from pathlib import Path

import numpy as np
import torch

from pcltut.data.images import DataError, Images
from pcltut.files import FileError, verified_bytes

NAME = "fashion-mnist-mini"
PATH = Path(__file__).with_name("fashion_mnist_mini.npz")
SHA256 = "8738fd937f5cc3699a9e67943d0239ed282efc6ae2026d942a0c3c5941572aad"
_REMEDY = "restore it with `git checkout -- pcltut/data` in a clone, or install the package again"


def load_mini(split: str) -> Images:
    """The embedded set, its file checked against the SHA-256 written above on each load.

    1,000 images of each of the ten classes come from the official training set (900 of them are the training
    split, 100 the validation split) and 200 of each from the official test set. In every split each run of
    ten images from a multiple of ten on holds one image of each class, so the first 10 n images are
    stratified too. All 12,000 images differ.
    """
    try:
        content = verified_bytes(PATH, SHA256, _REMEDY)
    except FileError as error:
        raise DataError(error.problem, _REMEDY) from error
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        pixels, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
    return Images(torch.from_numpy(pixels).unsqueeze(1), torch.from_numpy(labels).long(), NAME, split)

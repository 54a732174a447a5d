"""Build the embedded data set "fashion-mnist-mini" from the official IDX files of Fashion-MNIST.

    python book/_tools/make_mini.py FOLDER            write the embedded file and print its SHA-256
    python book/_tools/make_mini.py FOLDER --check    compare the embedded images with a fresh selection

FOLDER holds train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz and the two t10k files. The official
content is checked first. No random numbers: of each class the images with the smallest SHA-256 of their
pixels are taken (a repeated image counts once): 900 + 100 from the training set, 200 from the test set. Image
i of a class goes into block i of its split; inside a block of ten the order is again that of a SHA-256. The
bytes of the file depend on the installed zlib's version, its content does not.
"""

import argparse
import hashlib
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pcltut.data.idx import read_idx
from pcltut.data.mini import PATH
from pcltut.data.sources import SOURCES
from pcltut.files import atomic_path

SIZES = {"train": 900, "validation": 100, "test": 200}  # images of each class


def digest(image: np.ndarray, salt: bytes = b"") -> bytes:
    """A fixed number for an image, as good as random."""
    return hashlib.sha256(salt + image.tobytes()).digest()


def choose(images: np.ndarray, labels: np.ndarray, taken: set[bytes]) -> dict[int, list[np.ndarray]]:
    """The images of each class in the order of their digests, each picture once; ``taken`` grows."""
    classes: dict[int, list[np.ndarray]] = {}
    for key, position in sorted((digest(image), i) for i, image in enumerate(images)):
        if key not in taken:
            taken.add(key)
            classes.setdefault(int(labels[position]), []).append(images[position])
    return classes


def interleave(classes: dict[int, list[np.ndarray]], start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """Images start .. stop of each class, one of each class a block, mixed inside the block."""
    images, labels = [], []
    for i in range(start, stop):
        block = sorted((digest(chosen[i], b"order"), label) for label, chosen in classes.items())
        images += [classes[label][i] for _, label in block]
        labels += [label for _, label in block]
    return np.stack(images), np.array(labels, dtype=np.uint8)


def build(folder: Path, sizes: dict[str, int] = SIZES, *, official: bool = True) -> dict[str, np.ndarray]:
    """The arrays of the embedded file; ``official`` checks the IDX files against known sums."""
    sums = dict(SOURCES["fashion-mnist"].sums) if official else {}

    def part(prefix: str) -> tuple[np.ndarray, np.ndarray]:
        names = (f"{prefix}-images-idx3-ubyte.gz", f"{prefix}-labels-idx1-ubyte.gz")
        images, labels = (read_idx(folder / name, sha256=sums.get(name)).numpy() for name in names)
        return images, labels

    taken: set[bytes] = set()
    training, test = choose(*part("train"), taken), choose(*part("t10k"), taken)
    end = sizes["train"] + sizes["validation"]
    splits = {
        "train": interleave(training, 0, sizes["train"]),
        "validation": interleave(training, sizes["train"], end),
        "test": interleave(test, 0, sizes["test"]),
    }
    return {
        f"{split}_{kind}": array
        for split, pair in splits.items()
        for kind, array in zip(("images", "labels"), pair, strict=True)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of the official IDX files")
    parser.add_argument("--check", action="store_true", help="compare with the embedded file, write nothing")
    arguments = parser.parse_args()
    arrays = build(arguments.folder)
    if arguments.check:
        with np.load(PATH, allow_pickle=False) as embedded:
            same = sorted(embedded) == sorted(arrays) and all(np.array_equal(embedded[k], arrays[k]) for k in arrays)
        print(f"{PATH.name}: {'equal to' if same else 'DIFFERS FROM'} a fresh selection from {arguments.folder}")
        sys.exit(0 if same else 1)
    with atomic_path(PATH) as target:
        np.savez_compressed(target, **arrays)
    print(f"{PATH.name}: {PATH.stat().st_size} bytes, SHA-256 {hashlib.sha256(PATH.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()

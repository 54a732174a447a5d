"""IDX, the file format of MNIST and its relatives: a short header, then one byte a value."""

import gzip
import hashlib
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from pcltut.data.images import DataError

_UNSIGNED_BYTES = 8


def read_idx(path: Path, *, sha256: str | None = None) -> UInt8[Tensor, "..."]:
    """Read an IDX file of bytes, plain or (name ending in .gz) compressed.

    The header is two zero bytes, the type (8: unsigned bytes), the number of dimensions, and each size as a
    big-endian 32-bit number.

    Args:
        sha256: expected checksum of the content **after** decompression.
    """
    try:
        stored = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: the file cannot be read ({error.strerror})") from error
    try:
        content = gzip.decompress(stored) if path.suffix == ".gz" else stored
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: not a complete gzip file ({error})") from error
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise DataError(f"{path}: the file was altered or truncated (the SHA-256 of its content is not {sha256})")
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != _UNSIGNED_BYTES:
        raise DataError(f"{path}: not an IDX file of bytes (it starts with {content[:4].hex()})")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise DataError(f"{path}: the header of the IDX file is cut off")
    sizes = tuple(np.frombuffer(content, ">i4", count=content[3], offset=4).tolist())
    if min(sizes, default=-1) < 0:
        raise DataError(f"{path}: got sizes {sizes} in the IDX header, expected at least one, none negative")
    if len(content) - start != math.prod(sizes):
        raise DataError(
            f"{path}: {len(content) - start} values, expected {math.prod(sizes)} for a set of sizes {sizes}"
        )
    return torch.from_numpy(np.frombuffer(content, np.uint8)[start:].copy()).reshape(sizes)

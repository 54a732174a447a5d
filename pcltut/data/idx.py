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


def read_idx(path: Path, *, sha256: str | None = None, md5: str | None = None) -> UInt8[Tensor, "..."]:
    """Read an IDX file of bytes, plain or (name ending in .gz) compressed.

    The header is two zero bytes, the type (8: unsigned bytes), the number of dimensions, and each size as a
    big-endian 32-bit number.

    Args:
        sha256: expected checksum of the content **after** decompression.
        md5: expected checksum of the file as stored, the one that torchvision lists.
    """
    stored = path.read_bytes()
    if md5 is not None and hashlib.md5(stored, usedforsecurity=False).hexdigest() != md5:
        raise DataError(f"{path}: the file was altered or truncated (its MD5 is not {md5})")
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
    if len(content) - start != math.prod(sizes):
        raise DataError(
            f"{path}: {len(content) - start} values, expected {math.prod(sizes)} for a set of sizes {sizes}"
        )
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=start).reshape(sizes)

"""The explorables' random numbers in numpy, written from their definition: a test replays a page's noise with it."""

import numpy as np


def mix(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> 16)) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * np.uint32(0x846CA68B)
    return x ^ (x >> 16)


def uniforms(seed: int, count: int, start: int = 0) -> np.ndarray:
    """Numbers start .. start + count - 1 of a seed's sequence, in (0, 1)."""
    index = np.arange(start, start + count, dtype=np.uint32)
    hashed = mix(mix(mix(np.array([seed], np.uint32)) ^ index) + np.uint32(0x9E3779B9))
    return (hashed.astype(np.float64) + 0.5) / 2**32


def normals(seed: int, *shape: int) -> np.ndarray:
    """The first standard normal numbers of a seed, in the order in which a page draws them."""
    u, v = uniforms(seed, 2 * int(np.prod(shape))).reshape(-1, 2).T
    return (np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v)).reshape(shape)

"""What measurements read: splits and feature networks, each loaded once a process, and features of images."""

import functools
from typing import Any

import torch
from torch import Tensor

from pcltut import data
from pcltut.data import Images
from pcltut.evaluation import FeatureNet, load_color_features, load_feature_net
from pcltut.models import GenerativeModel

CHUNK = 500  # images that are decoded at once


@functools.lru_cache(maxsize=8)
def load(name: str, split: str, device: str, root: Any = None) -> Images:
    """A split on its device, kept for the next run in the same process."""
    return data.load(name, split, root).to(device)


@functools.lru_cache(maxsize=3)
def feature_network(name: str, device: str) -> torch.nn.Module:
    """The network whose features samples are judged on, kept for the next run in the same process."""
    if name == "feature-net":
        return load_feature_net().to(device)
    if name == "random-net":  # its architecture with weights that no image has formed
        return FeatureNet(generator=torch.Generator().manual_seed(0)).eval().requires_grad_(False).to(device)
    return load_color_features(name, device)


@functools.lru_cache(maxsize=8)
def features_of(name: str, images: Images, num: int) -> Tensor:
    """Features of the first images of a split, kept for the next run in the same process."""
    with torch.no_grad():
        return feature_network(name, str(images.device))(images[:num].as_float())


@torch.no_grad()
def decoded(model: GenerativeModel, z: Tensor) -> Tensor:
    """Mean images, a few at a time."""
    return torch.cat([model.decode(part) for part in z.split(CHUNK)])

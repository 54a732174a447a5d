"""The network on whose features samples of Fashion-MNIST are judged, and how its weights are verified."""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pcltut.files import verified_bytes
from pcltut.models.networks import draw_weights, empty_layer
from pcltut.training.checkpoint import load_checkpoint, module_tensors, restore_modules, save_checkpoint

NUM_FEATURES, NUM_CLASSES = 64, 10
BATCH = 500  # images that go through the network at once
PREFIX = "network"
WEIGHTS = Path(__file__).with_name("feature_net.safetensors")
SHA256 = "5b3b51eab9c618b952f21c5376df714df3e605dc30ae9c583559e4da61e45386"
REMEDY = "restore it with `git checkout -- pcltut/evaluation` in a clone, or install the package again"


class FeatureNet(nn.Module):
    r"""A small classifier of Fashion-MNIST; the inputs of its last layer are the features of an image.

    Two convolutions (kernel 3, 32 and 64 channels, ReLU, each followed by maximum pooling to half the side), a linear
    layer to the 64 features :math:`h`, and a linear layer on SiLU(h) to the ten classes. The features are taken before
    their nonlinearity, so that none of them is constant and their law is closer to a normal one, as the Fréchet
    distance wants it.

    The choices are ours: distances on these features are to be compared with one another only, and are not an FID,
    which means Inception-v3. A classifier keeps what tells the classes apart and may be blind to the rest.

    Args:
        generator: draws the initial weights; for the trained ones use `load_feature_net`.
    """

    def __init__(self, *, generator: torch.Generator) -> None:
        super().__init__()
        self.features = nn.Sequential(
            empty_layer(nn.Conv2d, 1, 32, 3, padding=1, generator=generator),
            nn.ReLU(),
            nn.MaxPool2d(2),
            empty_layer(nn.Conv2d, 32, 64, 3, padding=1, generator=generator),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            empty_layer(nn.Linear, 64 * 7 * 7, NUM_FEATURES, generator=generator),
        )
        self.classes = nn.Sequential(nn.SiLU(), empty_layer(nn.Linear, NUM_FEATURES, NUM_CLASSES, generator=generator))
        draw_weights(self, generator=generator)
        self.to(memory_format=torch.channels_last)  # pooling and convolution take less than half the time on a CPU

    def forward(self, x: Float[Tensor, "n 1 28 28"]) -> Float[Tensor, "n 64"]:
        """Features of images in [-1, 1], a few hundred images at a time; NaN for images that hold one."""
        check_images(x, (1, 28, 28))
        return torch.cat([self.features(part) for part in x.split(BATCH)])

    def logits(self, x: Float[Tensor, "n 1 28 28"]) -> Float[Tensor, "n 10"]:
        """Log-probabilities of the classes up to a constant."""
        return self.classes(self(x))


def check_images(x: Tensor, event_shape: tuple[int | None, ...]) -> None:
    """Raise ValueError unless x is a float tensor `[n, *event_shape]`, where None is any size."""
    kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
    if not isinstance(x, Tensor) or not x.is_floating_point():
        raise ValueError(
            f"got images of {kind}, expected a float tensor in [-1, 1]; convert them, as Images.as_float does"
        )
    sizes = x.shape[1:]
    if len(sizes) != len(event_shape) or any(b not in (None, a) for a, b in zip(sizes, event_shape, strict=True)):
        expected = ", ".join("any" if size is None else str(size) for size in event_shape)
        raise ValueError(f"got images of shape {tuple(x.shape)}, expected [n, {expected}]; reshape them")


def load_feature_net() -> FeatureNet:
    """The trained network, from the weights inside the package, for evaluation only: no gradient flows into them.

    `python -m pcltut features --epochs 10 --seed 0` trained it on the 55,000 training images of the whole
    Fashion-MNIST; it is right on 92.6 % of the 10,000 test images. The file's metadata hold command, seed and
    accuracies. Weights are stored with 16 bits and used with 32. The embedded set's test images are new to the network,
    its training and validation images are not.

    Raises:
        ValueError: the file is missing or was altered.
    """
    verified_bytes(WEIGHTS, SHA256, REMEDY)
    return read_feature_net(WEIGHTS)[0]


def read_feature_net(path: str | Path) -> tuple[FeatureNet, dict[str, str]]:
    """A network and its metadata from any file that `save_feature_net` wrote."""
    tensors, metadata = load_checkpoint(path)
    network = FeatureNet(generator=torch.Generator().manual_seed(0))
    restore_modules({PREFIX: network}, tensors)
    return network.eval().requires_grad_(False), metadata


def save_feature_net(path: str | Path, network: FeatureNet, metadata: dict[str, str]) -> None:
    """Write weights, as float16, and metadata to one safetensors file, in one step."""
    tensors = {name: tensor.half() for name, tensor in module_tensors(network, PREFIX).items()}
    save_checkpoint(path, tensors, metadata)


@torch.no_grad()
def accuracy(network: FeatureNet, x: Float[Tensor, "n 1 28 28"], labels: Tensor) -> float:
    """Share of images whose most probable class is right."""
    return (network.logits(x).argmax(-1) == labels).double().mean().item()

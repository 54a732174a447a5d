"""Decoder and encoder networks for images, with weights drawn from a generator that you pass."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from pcltut.models.encoders import GaussianEncoder

CONV_EVENT_SHAPES = ((1, 28, 28), (3, 32, 32), (3, 64, 64))


class _Decoder(nn.Sequential):
    """Layers on `[n, latent]`, for any leading dimensions, with the output shaped as images."""

    def __init__(self, event_shape: Sequence[int], *layers: nn.Module) -> None:
        super().__init__(*layers)
        self.event_shape = tuple(event_shape)

    def forward(self, z: Tensor) -> Tensor:
        flat = super().forward(z.reshape(-1, z.shape[-1]))
        return flat.reshape(*z.shape[:-1], *self.event_shape)


def empty_layer(kind: type[nn.Module], *sizes: int, generator: torch.Generator, **options: int) -> nn.Module:
    """A layer on the generator's device whose weights are still to be drawn: it takes no number from torch's state."""
    return nn.utils.skip_init(kind, *sizes, **options, device=generator.device)


def draw_weights(network: nn.Module, *, generator: torch.Generator) -> nn.Module:
    """Draw each linear and convolutional layer's weight and bias from U(-1, 1) / sqrt(fan_in), on its device.

    It is torch's own default for these layers, but takes no number from the global generator. All else (a PReLU's
    slope, a buffer) stays as its module made it.
    """
    network = network.to(generator.device)
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            fan_in = nn.init._calculate_fan_in_and_fan_out(module.weight)[0]
            for parameter in module.parameters(recurse=False):
                nn.init.uniform_(parameter, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in), generator=generator)
    return network


def _mlp_layers(
    sizes: Sequence[int], activation: Callable[[], nn.Module], *, generator: torch.Generator
) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for num_in, num_out in pairwise(sizes):
        layers += [empty_layer(nn.Linear, num_in, num_out, generator=generator), activation()]
    return layers[:-1]


def mlp_decoder(
    latent_dim: int,
    event_shape: Sequence[int],
    *,
    hidden: Sequence[int] = (512, 512),
    activation: Callable[[], nn.Module] = nn.SiLU,
    generator: torch.Generator,
) -> nn.Module:
    """A fully connected decoder `[..., latent]` to `[..., *event]`, with a linear output."""
    layers = _mlp_layers((latent_dim, *hidden, math.prod(event_shape)), activation, generator=generator)
    return draw_weights(_Decoder(event_shape, *layers), generator=generator)


def mlp_encoder(
    event_shape: Sequence[int],
    latent_dim: int,
    *,
    hidden: Sequence[int] = (512, 512),
    activation: Callable[[], nn.Module] = nn.SiLU,
    generator: torch.Generator,
) -> GaussianEncoder:
    """A fully connected Gaussian encoder, the mirror image of `mlp_decoder`."""
    layers = _mlp_layers((math.prod(event_shape), *hidden, 2 * latent_dim), activation, generator=generator)
    network = nn.Sequential(nn.Flatten(-len(event_shape)), *layers)
    return GaussianEncoder(draw_weights(network, generator=generator), latent_dim)


def conv_decoder(
    latent_dim: int,
    event_shape: Sequence[int],
    *,
    hidden: int = 256,
    channels: Sequence[int] = (64, 64, 32, 32),
    activation: Callable[[], nn.Module] = nn.SiLU,
    generator: torch.Generator,
) -> nn.Module:
    """A transposed-convolution decoder `[..., latent]` to `[..., *event]`, with a tanh output in [-1, 1].

    The network is the closest known to that of the paper (as replicated by Sennesh et al., 2024) without its batch
    normalization: a hidden layer, then kernels of 4 with stride 2 through `channels`, for images of 28x28x1, 32x32x3
    and 64x64x3. An image of 28 pixels is grown from a grid of 7 by two doublings; the other two from a grid of 4 by
    three and four. Stages beyond those doublings keep their size (kernel 3).
    """
    grid, num_doublings = _conv_geometry(event_shape)
    stages: list[nn.Module] = []
    sizes = (*channels, event_shape[0])
    for index, (num_in, num_out) in enumerate(pairwise(sizes)):
        doubles = index >= len(channels) - num_doublings
        layer = nn.ConvTranspose2d if doubles else nn.Conv2d
        geometry = {"kernel_size": 4, "stride": 2, "padding": 1} if doubles else {"kernel_size": 3, "padding": 1}
        stages += [activation(), empty_layer(layer, num_in, num_out, generator=generator, **geometry)]
    decoder = _Decoder(
        event_shape,
        empty_layer(nn.Linear, latent_dim, hidden, generator=generator),
        activation(),
        empty_layer(nn.Linear, hidden, channels[0] * grid * grid, generator=generator),
        nn.Unflatten(-1, (channels[0], grid, grid)),
        *stages,
        nn.Tanh(),
    )
    return draw_weights(decoder, generator=generator)


def conv_encoder(
    event_shape: Sequence[int],
    latent_dim: int,
    *,
    hidden: int = 256,
    channels: Sequence[int] = (32, 32, 64, 64),
    activation: Callable[[], nn.Module] = nn.SiLU,
    generator: torch.Generator,
) -> GaussianEncoder:
    """A convolutional Gaussian encoder, the mirror image of `conv_decoder`."""
    grid, num_halvings = _conv_geometry(event_shape)
    stages: list[nn.Module] = []
    sizes = (event_shape[0], *channels)
    for index, (num_in, num_out) in enumerate(pairwise(sizes)):
        halves = index < num_halvings
        geometry = {"kernel_size": 4, "stride": 2, "padding": 1} if halves else {"kernel_size": 3, "padding": 1}
        stages += [empty_layer(nn.Conv2d, num_in, num_out, generator=generator, **geometry), activation()]
    network = nn.Sequential(
        *stages,
        nn.Flatten(),
        empty_layer(nn.Linear, channels[-1] * grid * grid, hidden, generator=generator),
        activation(),
        empty_layer(nn.Linear, hidden, 2 * latent_dim, generator=generator),
    )
    return GaussianEncoder(draw_weights(network, generator=generator), latent_dim)


def _conv_geometry(event_shape: Sequence[int]) -> tuple[int, int]:
    """Side of the smallest grid and the number of doublings from it to the image."""
    if tuple(event_shape) not in CONV_EVENT_SHAPES:
        raise ValueError(
            f"got event_shape={tuple(event_shape)}, expected one of {CONV_EVENT_SHAPES} (channels, height, width); "
            "resize the images or use an MLP"
        )
    grid = 7 if event_shape[-1] == 28 else 4
    return grid, int(math.log2(event_shape[-1] // grid))

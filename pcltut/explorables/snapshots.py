"""A chain on a real image, walking through what a small decoder paints, at seven times of its training."""

import base64
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from traitlets import Dict, Float, Int, List, Unicode

from pcltut.data import load
from pcltut.explorables.explorable import Explorable, script
from pcltut.models import DiagonalGaussian, Gaussian, GenerativeModel, mlp_decoder

METHODS = ("LPC", "VAE")
UPDATES = (0, 10, 30, 100, 300, 1000, 3000)
IMAGES = {"coat": 384, "trousers": 6, "sneaker": 2, "bag": 3}  # of the validation split; the coat runs through the book
HIDDEN = (32, 48)
COMPONENTS = 32
SCALE = 0.6  # sigma, where it starts
WEIGHTS = Path(__file__).with_name("snapshots.safetensors")  # by book/_tools/make_snapshots.py


class Snapshots(Explorable):
    r"""The latent plane as a map of pictures, and a chain of :eq:`eq-ula` for one image on top of it.

    Two decoders of two latents each, which started from the same weights and saw the same batches: one trained by
    LPC, one as a VAE. A snapshot is what either was after some number of updates. The chain's noise is the same in
    all of them, so that what differs is the decoder's doing.

    Attributes:
        method: "LPC" or "VAE".
        snapshot: which of `UPDATES`, 0 to 6.
        steps: T, 1 to 100.
        step_size: :math:`\gamma`, 1e-5 to .1.
        start: "prior", "encoder", or "here", at `home`.
        home: where a reader put the chain's start, two numbers.
        image: which of `IMAGES`, 0 to 3.
        seed: of start and noise.
    """

    _esm = script("snapshots")

    updates = List().tag(sync=True)
    names = List().tag(sync=True)
    packed = Dict().tag(sync=True)
    method = Unicode("LPC").tag(sync=True)
    snapshot = Int(len(UPDATES) - 1).tag(sync=True)
    steps = Int(30).tag(sync=True)
    step_size = Float(0.001).tag(sync=True)
    start = Unicode("prior").tag(sync=True)
    home = List(Float(), [0.0, 0.0], minlen=2, maxlen=2).tag(sync=True)
    image = Int(0).tag(sync=True)
    seed = Int(0).tag(sync=True)

    def __init__(self, **options: object) -> None:
        super().__init__(updates=list(UPDATES), names=list(IMAGES), packed=packed(), **options)


def new_model(components: Tensor, mean: Tensor, *, generator: torch.Generator) -> GenerativeModel:
    """An untrained model of two latents whose last layer paints principal components and is not trained.

    So the snapshots of a page share by far the most of their weights.

    Args:
        components: `[784, 32]`, one a column.
        mean: `[784]`, the mean image.
    """
    readout = nn.utils.skip_init(nn.Linear, COMPONENTS, 784)
    readout.weight.data, readout.bias.data = components, mean
    mixer = mlp_decoder(2, (COMPONENTS,), hidden=HIDDEN, generator=generator)
    decoder = nn.Sequential(mixer, readout.requires_grad_(False), nn.Unflatten(-1, (1, 28, 28)))
    return GenerativeModel(decoder, Gaussian(SCALE), latent_dim=2)


def snapshot_model(method: str, snapshot: int) -> GenerativeModel:
    """The model of a method, "LPC" or "VAE", after `UPDATES[snapshot]` updates; no parameter has a gradient."""
    saved = {name: tensor.float() for name, tensor in load_file(WEIGHTS).items()}
    model = new_model(saved["components"], saved["mean"], generator=torch.Generator().manual_seed(0))
    nn.utils.vector_to_parameters(saved[f"{method}.weights"][snapshot], model.decoder[0].parameters())
    model.likelihood.log_scale.data.copy_(saved[f"{method}.log_scale"][snapshot])
    return model.requires_grad_(False)


def snapshot_guess(method: str, snapshot: int) -> DiagonalGaussian:
    """What the encoder of that time proposes for each of `IMAGES`."""
    mean, log_scale = load_file(WEIGHTS)[f"{method}.guesses"][snapshot].float().chunk(2, -1)
    return DiagonalGaussian(mean, log_scale)


def chosen_images() -> Tensor:
    """The images of `IMAGES`, `[4, 1, 28, 28]`, in [-1, 1] and in half precision, as the page has them."""
    return load("fashion-mnist-mini", "validation").as_float()[list(IMAGES.values())].half().float()


def packed() -> dict[str, object]:
    """What a page needs: sizes, and in half precision as base64 all weights, guesses, sigmas and images."""
    saved = {**load_file(WEIGHTS), "images": chosen_images()}
    texts = {name: base64.b64encode(values.half().numpy().tobytes()).decode("ascii") for name, values in saved.items()}
    return {"sizes": [2, *HIDDEN, COMPONENTS], "updates": len(UPDATES), **texts}

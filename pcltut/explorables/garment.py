"""The book's running picture, a garment of which the top rows are seen, and the small decoder that explains it."""

import base64
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from pcltut.data import load
from pcltut.models import Gaussian, GenerativeModel, mlp_decoder

HIDDEN = (64, 128)
SCALE = 1.0  # sigma, fixed: with a learned one (.3) the posteriors of few rows are islands that no chain leaves
IMAGE = 384  # of the validation split: a coat
ROWS = 4
WEIGHTS = Path(__file__).with_name("garment.safetensors")  # by book/_tools/make_decoder.py


class TopRows(nn.Module):
    """The first `num_rows` rows of an image `[..., height, width]`."""

    def __init__(self, num_rows: int) -> None:
        super().__init__()
        self.num_rows = num_rows

    def forward(self, image: Tensor) -> Tensor:
        """The image without its lower rows."""
        return image[..., : self.num_rows, :]


def garment() -> Tensor:
    """The whole picture `[1, 1, 28, 28]`, in [-1, 1]."""
    return load("fashion-mnist-mini", "validation").as_float()[IMAGE : IMAGE + 1]


def garment_model(num_rows: int = 28) -> GenerativeModel:
    """The model of an image's first `num_rows` rows: 2 latents, sigma = 1, trained by LPC; no parameter has a gradient.

    A model of some of the pixels is the same prior, decoder and sigma with fewer pixels to explain, since pixels are
    independent given z.
    """
    decoder = mlp_decoder(2, (1, 28, 28), hidden=HIDDEN, generator=torch.Generator().manual_seed(0))
    decoder.load_state_dict({name: weights.float() for name, weights in load_file(WEIGHTS).items()})
    top = decoder if num_rows == 28 else nn.Sequential(decoder, TopRows(num_rows))
    model = GenerativeModel(top, Gaussian(SCALE, learn_scale=False), latent_dim=2)
    return model.requires_grad_(False)


def packed_picture() -> list[float]:
    """The picture's pixels for a page, row by row."""
    return [round(pixel, 4) for pixel in garment().flatten().tolist()]


def packed_decoder() -> dict[str, object]:
    """What a page needs to evaluate the decoder: its sizes, and its weights in half precision as base64."""
    weights = load_file(WEIGHTS)
    flat = torch.cat([weights[name].flatten() for name in sorted(weights, key=_layer_then_weight)])
    return {"sizes": [2, *HIDDEN, 784], "weights": base64.b64encode(flat.numpy().tobytes()).decode("ascii")}


def _layer_then_weight(name: str) -> tuple[int, bool]:
    layer, kind = name.split(".")
    return int(layer), kind == "bias"

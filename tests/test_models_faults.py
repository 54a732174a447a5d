"""What strangers' networks and data did to a model; each test is named after the kind of fault."""

import math
import re

import pytest
import torch
from oracles import normal, seeded
from torch import nn

from pcltut.models import (
    DiscretizedGaussian,
    Gaussian,
    GaussianEncoder,
    GenerativeModel,
    LinearGaussian,
    conv_decoder,
    conv_encoder,
    mlp_decoder,
    mlp_encoder,
)
from pcltut.training import LPC, VAE, fit

EVENT = (1, 4, 4)
MAKERS = {
    "mlp_decoder": lambda activation: mlp_decoder(4, EVENT, hidden=(6,), activation=activation, generator=seeded(1)),
    "mlp_encoder": lambda activation: mlp_encoder(EVENT, 4, hidden=(6,), activation=activation, generator=seeded(1)),
    "conv_decoder": lambda activation: conv_decoder(
        4, (1, 28, 28), hidden=6, channels=(4, 4), activation=activation, generator=seeded(1)
    ),
    "conv_encoder": lambda activation: conv_encoder(
        (1, 28, 28), 4, hidden=6, channels=(4, 4), activation=activation, generator=seeded(1)
    ),
}


class Scaled(nn.Module):
    """An activation with a parameter, a buffer and a plain number of its own."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(1.5))
        self.register_buffer("shift", torch.tensor(0.25))

    def forward(self, x):
        return torch.tanh(self.gain * x + self.shift)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("activation", [nn.PReLU, Scaled, lambda: nn.PReLU(init=0.1)])
def test_initialization_leaves_what_it_does_not_draw(make, activation):
    fresh = activation()
    network = make(activation)
    found = [module for module in network.modules() if type(module) is type(fresh)]
    assert found
    for module in found:
        for name, value in fresh.state_dict().items():
            assert torch.equal(module.state_dict()[name], value), name
    assert all(bool(torch.isfinite(value).all()) for value in network.state_dict().values())


@pytest.fixture
def torchs_own_numbers():
    """Layers of torch draw their first weights from its global state, which is put back."""
    with torch.random.fork_rng():
        yield


def model_of(decoder: nn.Module) -> GenerativeModel:
    return GenerativeModel(nn.Sequential(nn.Linear(4, 16), decoder, nn.Unflatten(-1, EVENT)), Gaussian(), 4)


RANDOM = {
    "dropout": lambda: nn.Dropout(0.1),
    "dropout of channels": lambda: nn.Dropout2d(0.5),
    "alpha dropout": lambda: nn.AlphaDropout(0.1),
    "random slopes": nn.RReLU,
    "inside a block": lambda: nn.Sequential(nn.Linear(16, 16), nn.Sequential(nn.Dropout(0.2))),
    "transformer layer": lambda: nn.TransformerEncoderLayer(16, 2, dim_feedforward=8, batch_first=True),
    "attention": lambda: nn.MultiheadAttention(16, 2, dropout=0.1),
    "recurrent net": lambda: nn.GRU(16, 16, num_layers=2, dropout=0.3),
}


@pytest.mark.parametrize("layer", RANDOM.values(), ids=RANDOM)
@pytest.mark.usefixtures("torchs_own_numbers")
def test_randomness_of_a_modules_own_is_refused(layer):
    for build in (model_of, lambda network: GaussianEncoder(nn.Sequential(nn.Flatten(), network), 8)):
        with pytest.raises(ValueError, match=r"^got (a decoder|an encoder) with \w+ at '.*', expected .*; remove it"):
            build(layer())


@pytest.mark.parametrize("layer", [nn.Dropout(0.0), nn.ReLU(), nn.GroupNorm(2, 16)], ids=repr)
@pytest.mark.usefixtures("torchs_own_numbers")
def test_randomness_layers_that_draw_nothing_are_fine(layer):
    model_of(layer), GaussianEncoder(layer, 8)


X = torch.randint(0, 256, (6, *EVENT), generator=seeded(2))
LEVELS = (X * 2 / 255 - 1).float()
WRONG_DATA = {
    "bytes 0 .. 255": (X.to(torch.uint8), Gaussian, "x / 127.5 - 1"),
    "whole numbers": (X, Gaussian, "x / 127.5 - 1"),
    "floats 0 .. 255": (X.float(), Gaussian, "x / 127.5 - 1"),
    "numpy array": (LEVELS.numpy(), Gaussian, "as_tensor"),
    "list": (LEVELS.tolist(), Gaussian, "as_tensor"),
    "double for a float model": (LEVELS.double(), Gaussian, r"x\.to\(torch\.float32\)"),
    "NaN pixel": (torch.where(torch.arange(6)[:, None, None, None] == 2, math.nan, LEVELS), Gaussian, "1 of 6"),
    "infinite pixel": (torch.where(LEVELS > 0.9, math.inf, LEVELS), Gaussian, "finite"),
    "no batch axis": (LEVELS[0], Gaussian, r"x\[None\]"),
    "another size": (LEVELS[..., 1:], Gaussian, "decoder's output"),
    "one axis too many": (LEVELS[None], Gaussian, "decoder's output"),
    "flat images": (LEVELS.flatten(1), Gaussian, "decoder's output"),
    "pixels k / 255 under levels": (X.float() / 255, DiscretizedGaussian, r"2 \* x - 1"),
    "noisy pixels under levels": (LEVELS + 0.3 / 255, DiscretizedGaussian, "levels"),
    "beyond the levels": (LEVELS * 3, DiscretizedGaussian, "levels"),
}


def networks(likelihood=Gaussian):
    decoder = mlp_decoder(3, EVENT, hidden=(6,), generator=seeded(3))
    return GenerativeModel(decoder, likelihood(0.4), 3), mlp_encoder(EVENT, 3, generator=seeded(4))


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize("name", WRONG_DATA)
def test_data_of_the_wrong_kind_are_named_before_anything_else(name):
    data, likelihood, remedy = WRONG_DATA[name]
    model, encoder = networks(likelihood)
    calls = [
        lambda: model.check_data(data),
        lambda: fit(VAE(), model, data, encoder=encoder, generator=seeded(5), num_epochs=1),
        lambda: fit(LPC(2, 1e-3, warm_start="prior"), model, data, generator=seeded(5), num_epochs=1),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"^got .*, expected .*; ") as error:
            call()
        assert re.search(remedy, str(error.value))
        assert "\n" not in str(error.value) and "step_size" not in str(error.value)


@pytest.mark.parametrize("likelihood", [Gaussian, DiscretizedGaussian])
def test_data_of_the_right_kind_pass(likelihood):
    model, _ = networks(likelihood)
    model.check_data(LEVELS)
    model.check_data(LEVELS[:0])
    model.check_data(model.sample(5, generator=seeded(6)))  # pixel noise included
    linear = LinearGaussian(normal(5, 2, seed=7), scale=0.5)
    linear.check_data(100 * normal(3, 5, seed=8))  # no images: any finite numbers
    half = networks(DiscretizedGaussian)[0].half()
    half.check_data(LEVELS.half())


@pytest.mark.parametrize("shape", [(3, 4, 4), (1, 4, 4)])
def test_data_of_the_wrong_kind_color_image_without_batch_axis(shape):
    """Three channels can be taken for three images: the number of axes decides, whatever the first number is."""
    decoder = mlp_decoder(2, shape, hidden=(4,), generator=seeded(9))
    model = GenerativeModel(decoder, Gaussian(), 2)
    with pytest.raises(ValueError, match=r"one batch axis.*x\[None\]"):
        model.check_data(torch.zeros(shape))

"""Small training runs that several test modules begin, compare and stop."""

import torch
from oracles import seeded

from pcltut.data import Images
from pcltut.models import Gaussian, GenerativeModel, mlp_decoder, mlp_encoder
from pcltut.samplers import RMSPreconditioner
from pcltut.training import IWAE, LPC, VAE, TrainingState

EVENT, NUM_IMAGES = (1, 3, 3), 50
X = (torch.randint(0, 256, (NUM_IMAGES, *EVENT), generator=seeded(1)) * 2 / 255 - 1).float()
ALGORITHMS = [
    VAE(),
    IWAE(2),
    LPC(3, 0.02, warm_start="jeffreys", preconditioner=RMSPreconditioner(0.9, share="batch")),
    LPC(2, 0.02, warm_start="persistent"),
    LPC(2, 0.02, kernel="mala"),
]


def networks(hidden: tuple[int, ...] = (10,)):
    decoder = mlp_decoder(3, EVENT, hidden=hidden, generator=seeded(2))
    encoder = mlp_encoder(EVENT, 3, hidden=hidden, generator=seeded(3))
    return GenerativeModel(decoder, Gaussian(0.4), 3), encoder


def begin(algorithm, *, model=None, encoder=None, data=X, seed: int = 4, **settings) -> TrainingState:
    """A run at its beginning: 50 images in batches of 16."""
    fresh = networks()
    model = fresh[0] if model is None else model
    encoder = (fresh[1] if encoder is None else encoder) if algorithm.uses_encoder else None
    settings = {"batch_size": 16, "learning_rate": 0.01} | settings
    return TrainingState.init(algorithm, model, data, generator=seeded(seed), encoder=encoder, **settings)


def weights(state: TrainingState) -> torch.Tensor:
    modules = [module for module in (state.model, state.encoder) if module is not None]
    return torch.cat([value.detach().flatten() for module in modules for value in module.parameters()])


def assert_same(first: TrainingState, second: TrainingState) -> None:
    """Every tensor of two runs agrees in every bit."""
    ours, theirs = first.state_dict(), second.state_dict()
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], rtol=0, atol=0, equal_nan=True, msg=name)


def images() -> Images:
    pixels = torch.randint(0, 256, (NUM_IMAGES, *EVENT), generator=seeded(1), dtype=torch.uint8)
    return Images(pixels, torch.zeros(NUM_IMAGES, dtype=torch.int64), "made", "train")

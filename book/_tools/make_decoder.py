"""Trains the small decoder of the book's running picture: two latents, garments seen through sigma = 1.

``python book/_tools/make_decoder.py`` writes ``pcltut/explorables/garment.safetensors``, in half precision, since it
is shipped inside the pages. It takes about two minutes on one thread; other processors give slightly other weights.
"""

from pathlib import Path

import torch

from pcltut.data import load
from pcltut.experiments.run import SCHEDULES
from pcltut.explorables.garment import HIDDEN, SCALE
from pcltut.files import save_tensors
from pcltut.models import Gaussian, GenerativeModel, mlp_decoder, mlp_encoder
from pcltut.samplers import RMSPreconditioner
from pcltut.training import LPC, fit

TARGET = Path(__file__).resolve().parents[2] / "pcltut" / "explorables" / "garment.safetensors"
NUM_UPDATES = 3000


def cosine(rate):
    return lambda update: rate * SCHEDULES["cosine"](update / NUM_UPDATES)


def main():
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    train = load("fashion-mnist-mini", "train")
    decoder = mlp_decoder(2, train.event_shape, hidden=HIDDEN, generator=generator)
    encoder = mlp_encoder(train.event_shape, 2, hidden=(256, 128), generator=generator)
    fit(
        LPC(10, 0.1, preconditioner=RMSPreconditioner(share="batch")),
        GenerativeModel(decoder, Gaussian(SCALE, learn_scale=False), latent_dim=2),
        train,
        encoder=encoder,
        generator=generator,
        num_iterations=NUM_UPDATES,
        batch_size=100,
        learning_rate=cosine(4e-3),
        encoder_learning_rate=cosine(2e-3),
    )
    save_tensors(TARGET, {name: tensor.half() for name, tensor in decoder.state_dict().items()}, {})


if __name__ == "__main__":
    main()

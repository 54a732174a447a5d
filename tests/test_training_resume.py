"""A process killed in mid-epoch, at a random moment: the run that resumes ends as if nothing had happened.

As a script this file is the training that is killed: `python test_training_resume.py PATH SEED ITERATION STEP`.
"""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pcltut.data import load
from pcltut.models import DiscretizedGaussian, GenerativeModel, mlp_decoder, mlp_encoder
from pcltut.samplers import RMSPreconditioner
from pcltut.training import LPC, fit

NUM_IMAGES, BATCH_SIZE, NUM_EPOCHS, CHECKPOINT_EVERY, NUM_STEPS = 200, 16, 4, 5, 3
PER_EPOCH = -(-NUM_IMAGES // BATCH_SIZE)  # 13 iterations: checkpoints fall anywhere in an epoch


def train(path: str, seed: int, wait_at: tuple[int, int] | None = None) -> None:
    """Train on images; at one step of one iteration's chain say so and wait for the end."""
    images = load("fashion-mnist-mini", "train")[:NUM_IMAGES]
    generator = torch.Generator().manual_seed(seed)
    decoder = mlp_decoder(4, images.event_shape, hidden=(16,), generator=generator)
    model = GenerativeModel(decoder, DiscretizedGaussian(0.3), 4)
    encoder = mlp_encoder(images.event_shape, 4, hidden=(16,), generator=generator)
    at = [-1, 0]

    def next_chain(*_):
        at[:] = at[0] + 1, 0

    def next_step(*_):
        at[1] += 1
        if tuple(at) == wait_at:
            print("kill me", flush=True)
            sys.stdin.read()

    encoder.register_forward_hook(next_chain)
    decoder.register_forward_hook(next_step)
    fit(
        LPC(NUM_STEPS, 1e-3, preconditioner=RMSPreconditioner(share="batch")),
        model,
        images,
        encoder=encoder,
        generator=generator,
        num_epochs=NUM_EPOCHS,
        batch_size=BATCH_SIZE,
        checkpoint=path,
        checkpoint_every=CHECKPOINT_EVERY,
    )


def start(*arguments: object) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, str(Path(__file__)), *(str(argument) for argument in arguments)]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_killed_and_resumed_equals_uninterrupted(seed, tmp_path):
    chance = random.Random(seed)
    iteration = chance.choice([i for i in range(CHECKPOINT_EVERY, PER_EPOCH * NUM_EPOCHS) if i % PER_EPOCH > 2])
    step = chance.randint(1, NUM_STEPS)
    killed, whole = tmp_path / "killed.safetensors", tmp_path / "whole.safetensors"
    with start(killed, seed, iteration, step) as process:
        assert process.stdout.readline().strip() == "kill me"
        process.kill()  # SIGKILL: nothing is flushed, no handler runs
        process.wait(timeout=60)
        assert process.returncode != 0
    assert load_file(killed)["iteration"].item() == iteration - iteration % CHECKPOINT_EVERY
    train(str(killed), seed)  # here, in another process than the killed one
    train(str(whole), seed)
    resumed, expected = load_file(killed), load_file(whole)
    assert resumed["iteration"].item() == expected["iteration"].item() == PER_EPOCH * NUM_EPOCHS
    assert resumed.keys() == expected.keys()
    for name, value in expected.items():  # weights, optimizer, generator, history
        torch.testing.assert_close(resumed[name], value, rtol=0, atol=0, equal_nan=True, msg=name)


if __name__ == "__main__":
    train(sys.argv[1], int(sys.argv[2]), (int(sys.argv[3]), int(sys.argv[4])))

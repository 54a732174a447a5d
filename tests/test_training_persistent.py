"""Persistent chains: each image's chain goes on where it ended, under shuffling and over interruptions."""

import torch
from oracles import assert_mean, close, normal, seeded

from pcltut.models import LinearGaussian
from pcltut.training import LPC, fit, load_checkpoint

STEP_SIZE, NUM_STEPS = 0.05, 2


def fitted(path, x, num_epochs, *, learning_rate=0.0, seed=1) -> LinearGaussian:
    model = LinearGaussian(torch.tensor([[1.5, 0.2], [-0.4, 1.0]], dtype=torch.float64))
    fit(
        LPC(NUM_STEPS, STEP_SIZE, warm_start="persistent"),
        model,
        x,
        generator=seeded(seed),
        num_epochs=num_epochs,
        batch_size=333,
        learning_rate=learning_rate,
        checkpoint=path,
        checkpoint_every=7,
    )
    return model


def test_each_image_keeps_its_own_chain(tmp_path):
    """After E epochs each chain has the law of E T steps from the prior on its own image's posterior."""
    x = normal(2000, 2, seed=2) * 5  # posteriors far apart: a chain on another image's would be seen
    model = fitted(tmp_path / "run.safetensors", x, num_epochs=6)
    chains = load_checkpoint(tmp_path / "run.safetensors")[0]["chains"]
    steps = 6 * NUM_STEPS
    mean, _ = model.posterior(x)
    contraction = torch.eye(2, dtype=torch.float64) - STEP_SIZE * model.posterior_precision()
    reached = mean - mean @ torch.linalg.matrix_power(contraction, steps)
    covariance = model.ula_covariance_after(steps, STEP_SIZE, torch.eye(2, dtype=torch.float64))
    error = (chains - reached).detach()
    assert_mean(error, torch.zeros(2))
    assert_mean(error[:, :, None] * error[:, None, :], covariance.detach())


def test_a_resumed_run_keeps_the_chains(tmp_path):
    x = normal(1000, 2, seed=3)
    whole = fitted(tmp_path / "whole.safetensors", x, 3, learning_rate=1e-2)
    fitted(tmp_path / "parts.safetensors", x, 1, learning_rate=1e-2)
    parts = fitted(tmp_path / "parts.safetensors", x, 3, learning_rate=1e-2, seed=99)  # the seed comes from the file
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.equal(one, other)
    first, second = (load_checkpoint(tmp_path / f"{name}.safetensors")[0]["chains"] for name in ("whole", "parts"))
    assert torch.equal(first, second)
    close(first, second, 0)

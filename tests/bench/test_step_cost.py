"""What a training step costs beside the passes that it cannot do without: `make bench`."""

import time
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pcltut.models import Gaussian, GenerativeModel, mlp_decoder, mlp_encoder
from pcltut.training import LPC

LATENT_DIM, HIDDEN, EVENT, BATCH, NUM_STEPS = 32, (512, 512), (1, 28, 28), 250, 10
ROUNDS = 15
ALLOWED = 1.10


class Parts:
    """A model, an encoder and a batch; the algorithm's step; and the bare passes that make it up."""

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        decoder = mlp_decoder(LATENT_DIM, EVENT, hidden=HIDDEN, generator=generator)
        self.model = GenerativeModel(decoder, Gaussian(0.3), LATENT_DIM)
        self.encoder = mlp_encoder(EVENT, LATENT_DIM, hidden=HIDDEN, generator=generator)
        self.x = torch.rand(BATCH, *EVENT, generator=generator) * 2 - 1
        self.z = torch.randn(BATCH, LATENT_DIM, generator=generator)
        self.noise = torch.randn(BATCH, LATENT_DIM, generator=generator)
        self.generator = generator

    def step(self, num_steps: int = NUM_STEPS) -> None:
        LPC(num_steps, 1e-4).gradients(self.model, self.encoder, self.x, generator=self.generator)

    def fused_pass(self) -> tuple[Tensor, ...]:
        """One forward and backward pass of the log-joint, for z and theta at once."""
        z = self.z.detach().requires_grad_()
        return torch.autograd.grad(self.model.log_joint(self.x, z).sum(), (z, *self.model.parameters()))

    def encoder_pass(self) -> tuple[Tensor, ...]:
        """One forward and backward pass of the encoder."""
        q = self.encoder(self.x)
        return torch.autograd.grad((q.sample(self.noise) + q.log_scale).sum(), list(self.encoder.parameters()))

    def bare(self) -> None:
        for _ in range(NUM_STEPS):
            self.fused_pass()
        self.encoder_pass()


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@pytest.mark.usefixtures("two_threads")
def test_training_step_costs_little_more_than_its_passes(benchmark, capsys):
    """Interleaved in one run, so that both see the same machine; the median of the rounds' ratios decides."""
    parts = Parts()
    for _ in range(3):
        parts.step(), parts.bare()
    pairs = []

    def one_round() -> None:
        if len(pairs) % 2:  # in turns, so that neither always runs on warm caches
            step, bare = seconds(parts.step), seconds(parts.bare)
        else:
            bare, step = seconds(parts.bare), seconds(parts.step)
        pairs.append((step, bare))

    benchmark.pedantic(one_round, rounds=ROUNDS)
    times = torch.tensor(pairs)
    ratio = (times[:, 0] / times[:, 1]).median().item()
    step, bare = (1e3 * times.median(0).values).tolist()
    benchmark.extra_info.update(step_ms=step, bare_ms=bare, ratio=ratio)
    with capsys.disabled():
        print(f"\nT = {NUM_STEPS}: {step:.1f} ms a step, {bare:.1f} ms of bare passes, ratio {ratio:.3f}")
    assert ratio <= ALLOWED


class Kept:
    """A tensor kept for a backward pass, which counts itself while it lives."""

    now = peak = 0

    def __init__(self, tensor: Tensor):
        self.tensor = tensor
        Kept.now += tensor.nbytes
        Kept.peak = max(Kept.peak, Kept.now)

    def __del__(self):
        Kept.now -= self.tensor.nbytes


def test_memory_does_not_grow_with_the_chain(capsys):
    """Bytes of all tensors that autograd keeps at the worst moment, for chains of 1, 10 and 100 steps."""
    parts, peaks = Parts(), []
    for num_steps in (1, 10, 100):
        Kept.peak = Kept.now
        with torch.autograd.graph.saved_tensors_hooks(Kept, lambda kept: kept.tensor):
            parts.step(num_steps)
        peaks.append(Kept.peak)
    with capsys.disabled():
        print("\nkept for backward, T = 1, 10, 100: " + ", ".join(f"{peak / 2**20:.2f} MiB" for peak in peaks))
    assert peaks[0] == peaks[1] == peaks[2]

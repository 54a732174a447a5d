"""How fast this machine takes Langevin steps: the unit in which chapters' costs are scaled."""

import time

import torch

from pcltut import data
from pcltut.models import Gaussian, GenerativeModel, mlp_decoder
from pcltut.training import LPC

BATCH, LATENT, STEPS = 250, 32, 10


def steps_per_second(seconds: float, device: str = "cpu", num_threads: int | None = None) -> float:
    """Fused Langevin steps a second on the standard decoder (MLP 32-512-512-784, 250 images).

    One step is a forward and a backward pass for z and theta at once: nearly all of the cost of training with LPC.
    With one thread the seconds are those of the processor, as in the book's measured costs, so that other programs
    on the machine do not count.

    Args:
        seconds: how long to measure, after two passes to warm up.
        num_threads: threads on the CPU; the process's own setting, which is restored, if not given.
    """
    clock = time.process_time if num_threads == 1 else time.perf_counter
    generator = torch.Generator(device).manual_seed(0)
    decoder = mlp_decoder(LATENT, (1, 28, 28), generator=generator)
    model = GenerativeModel(decoder, Gaussian(0.4), LATENT).to(device)
    x = data.load("fashion-mnist-mini", "validation")[:BATCH].as_float().to(device)
    algorithm = LPC(num_steps=STEPS, step_size=1e-4, warm_start="prior")
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads or before)
    try:
        for _ in range(2):
            algorithm.gradients(model, None, x, generator=generator).log_joint.item()
        begin, start, passes = time.perf_counter(), clock(), 0
        while time.perf_counter() - begin < seconds or passes == 0:
            algorithm.gradients(model, None, x, generator=generator).log_joint.item()  # waits for the device
            passes += 1
        return passes * STEPS / (clock() - start)
    finally:
        torch.set_num_threads(before)

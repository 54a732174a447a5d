"""The training loop that all algorithms share."""

import os
import sys
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from pcltut.arguments import whole_number
from pcltut.data import Images
from pcltut.distributed import rank
from pcltut.files import writable_path
from pcltut.models import GaussianEncoder, GenerativeModel
from pcltut.training.algorithm import Algorithm
from pcltut.training.history import History
from pcltut.training.state import Rate, TrainingState

PROGRESS_EVERY = 10


def fit(
    algorithm: Algorithm,
    model: GenerativeModel,
    data: Images | Tensor,
    *,
    generator: torch.Generator,
    num_epochs: int | None = None,
    num_iterations: int | None = None,
    encoder: GaussianEncoder | None = None,
    batch_size: int = 250,
    learning_rate: Rate = 1e-3,
    encoder_learning_rate: Rate | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 100,
    progress: bool | None = None,
) -> History:
    """Train `model` (and `encoder`) in place with Adam, one step for each batch, both at the gradients of one moment.

    The encoder's gradient is taken before the decoder moves. Alternating would give up the stability that Adam's
    momentum buys, and the encoder's standard deviation collapses (:eq:`eq-coupled-loss`). Each iteration seeds its own
    noise from `generator`, so that all algorithms with one seed see the same batches and the same start noise.

    Args:
        algorithm: `LPC(...)`, `VAE()` or `IWAE(...)`.
        data: `Images`, or a float tensor `[n, *event]` (images in about [-1, 1]).
        generator: source of all randomness, on the device of model and data.
        num_epochs: passes over the data; or give
        num_iterations: batches, which may end within an epoch. A checkpoint of a shorter run goes on to either.
        encoder: needed by algorithms that start at it, and only by them.
        learning_rate: Adam's for the decoder, a number or a function of the iteration (from 0).
        encoder_learning_rate: the encoder's; the decoder's if not given.
        checkpoint: file to save to every `checkpoint_every` iterations and at the end. If it exists the run goes on
            from it, and ends with the same bits as a run that was never stopped.
        progress: True or False; None shows a bar in a terminal or notebook unless PCLTUT_PROGRESS=0.

    Raises:
        ChainDiverged: a chain left the finite numbers; the message holds the measured stability margin.
        FloatingPointError: the loss of an algorithm without chains, or a weight, left them.
        CheckpointError: the checkpoint is damaged or belongs to another run.
    """
    if (num_epochs is None) == (num_iterations is None):
        raise ValueError(
            f"got num_epochs={num_epochs} and num_iterations={num_iterations}, expected exactly one of them; "
            "leave the other out"
        )
    state = TrainingState.init(
        algorithm,
        model,
        data,
        generator=generator,
        encoder=encoder,
        batch_size=batch_size,
        learning_rate=learning_rate,
        encoder_learning_rate=encoder_learning_rate,
    )
    if num_iterations is None:
        num_iterations = whole_number("num_epochs", num_epochs) * state.batches_per_epoch
    last_iteration = whole_number("num_iterations", num_iterations)
    if checkpoint is not None:
        state.resume(checkpoint)
    return train_until(
        state, last_iteration, checkpoint=checkpoint, checkpoint_every=checkpoint_every, progress=progress
    )


def train_until(
    state: TrainingState,
    last_iteration: int,
    *,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 100,
    progress: bool | None = None,
) -> History:
    """Take steps until `last_iteration` of them are done; may be called again to go on. Arguments as in `fit`."""
    last_iteration = whole_number("last_iteration", last_iteration, at_least=0)
    checkpoint_every = whole_number("checkpoint_every", checkpoint_every)
    if checkpoint is not None:
        writable_path(checkpoint)
    last_epoch = -(-last_iteration // state.batches_per_epoch)
    with _progress_bar(progress, last_iteration, state.iteration) as bar:
        while state.iteration < last_iteration:
            epoch = state.iteration // state.batches_per_epoch
            state.step()
            bar.update()
            if not bar.disable and state.iteration % PROGRESS_EVERY == 0:
                bar.set_description(f"epoch {epoch + 1}/{last_epoch}", refresh=False)
                bar.set_postfix_str(state.history.status(), refresh=False)
            if checkpoint is not None and state.iteration % checkpoint_every == 0 and state.iteration < last_iteration:
                state.save(checkpoint)
    state.check_weights()
    if checkpoint is not None:
        state.save(checkpoint)
    return state.history


def _progress_bar(progress: bool | None, total: int, initial: int) -> tqdm:
    if progress is None:
        terminal = sys.stderr is not None and sys.stderr.isatty()
        wanted = os.environ.get("PCLTUT_PROGRESS") != "0" and rank() == 0
        progress = wanted and (terminal or "ipykernel" in sys.modules)
    return tqdm(total=total, initial=initial, unit="step", disable=not progress)

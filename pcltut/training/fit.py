"""The training loop that all algorithms share."""

import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from pcltut.data import Images
from pcltut.models import GaussianEncoder, GenerativeModel
from pcltut.samplers import ChainDiverged, ChainState
from pcltut.training import checkpoint as files
from pcltut.training.gradients import Gradients, trained_parameters
from pcltut.training.history import COLUMNS, History, HistoryRecorder

MARGIN_EVERY = 50
PROGRESS_EVERY = 10


@runtime_checkable
class Algorithm(Protocol):
    """What `fit` needs of an algorithm: `LPC` and `VAE` have it."""

    @property
    def uses_encoder(self) -> bool: ...

    @property
    def keeps_chains(self) -> bool: ...

    def gradients(
        self, model: GenerativeModel, encoder: GaussianEncoder | None, x: Tensor, generator: torch.Generator
    ) -> Gradients: ...


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
    learning_rate: float | Callable[[int], float] = 1e-3,
    encoder_learning_rate: float | Callable[[int], float] | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 100,
    progress: bool | None = None,
) -> History:
    """Train `model` (and `encoder`) in place with Adam, one step for each batch, both at the gradients of one moment.

    The encoder's gradient is taken before the decoder moves. Alternating would give up the stability that Adam's
    momentum buys, and the encoder's standard deviation collapses (:eq:`eq-coupled-loss`). Each iteration seeds its own
    noise from `generator`, so that all algorithms with one seed see the same batches and the same start noise.

    Args:
        algorithm: `LPC(...)` or `VAE()`.
        data: `Images`, or a float tensor `[n, *event]`.
        generator: source of all randomness, on the device of model and data.
        num_epochs: passes over the data; or give
        num_iterations: Adam steps, which may end within an epoch. A checkpoint of a shorter run goes on to either.
        encoder: needed by algorithms that start at it, and only by them.
        learning_rate: Adam's for the decoder, a number or a function of the iteration (from 0).
        encoder_learning_rate: the encoder's; the decoder's if not given.
        checkpoint: file to save to every `checkpoint_every` iterations and at the end. If it exists the run goes on
            from it, and ends with the same bits as a run that was never stopped.
        progress: True or False; None shows a bar in a terminal or notebook unless PCLTUT_PROGRESS=0.

    Raises:
        ChainDiverged: a chain left the finite numbers; the message holds the measured stability margin.
        FloatingPointError: the loss of an algorithm without chains left them.
        CheckpointError: the checkpoint is damaged or belongs to another run.
    """
    num_images, device = len(data), generator.device
    _check_arguments(algorithm, model, encoder, data, generator)
    _check_lengths(num_epochs, num_iterations, batch_size, checkpoint_every)
    per_epoch = math.ceil(num_images / batch_size)
    last_iteration = num_epochs * per_epoch if num_iterations is None else num_iterations
    rate = _schedule(learning_rate)
    encoder_rate = rate if encoder_learning_rate is None else _schedule(encoder_learning_rate)
    optimizer, encoder_optimizer = _adam(model), _adam(encoder)
    identity = {
        "algorithm": repr(algorithm),
        "batch_size": str(batch_size),
        "num_images": str(num_images),
    }
    iteration, order = 0, torch.empty(0, dtype=torch.long, device=device)
    chains = model.sample_prior(num_images, generator=generator) if algorithm.keeps_chains else None
    recorder = HistoryRecorder()
    if checkpoint is not None and Path(checkpoint).is_file():
        tensors = _load(checkpoint, identity, model, encoder, optimizer, encoder_optimizer)
        generator.set_state(tensors["generator"])
        iteration, order = int(tensors["iteration"]), tensors["order"].to(device)
        chains = tensors["chains"].to(device) if algorithm.keeps_chains else None
        recorder = HistoryRecorder(History(**{name: tensors[f"history.{name}"] for name in COLUMNS}))

    def save() -> None:
        history = recorder.history()
        tensors = {
            "iteration": torch.tensor(iteration),
            "order": order,
            "generator": generator.get_state(),
            **({} if chains is None else {"chains": chains}),
            **{f"history.{name}": values for name, values in history.columns().items()},
            **files.module_tensors(model, "model"),
            **files.module_tensors(encoder, "encoder"),
            **files.optimizer_tensors(optimizer, "optimizer"),
            **files.optimizer_tensors(encoder_optimizer, "encoder_optimizer"),
        }
        files.save_checkpoint(checkpoint, tensors, identity)

    past = recorder.history()
    evaluations, restarts = (int(past.decoder_evaluations[-1]), int(past.restarts[-1])) if iteration else (0, 0)
    noise = torch.Generator(device)
    last_epoch = math.ceil(last_iteration / per_epoch)
    with _progress_bar(progress, last_iteration, iteration) as bar:
        while iteration < last_iteration:
            epoch, batch = divmod(iteration, per_epoch)
            if batch == 0:
                order = torch.randperm(num_images, generator=generator, device=device)
            index = order[batch * batch_size : (batch + 1) * batch_size]
            x = _select(data, index)
            noise.manual_seed(torch.randint(2**62, (), generator=generator, device=device).item())
            if chains is None:
                gradients = algorithm.gradients(model, encoder, x, noise)
            else:
                gradients = algorithm.gradients(model, encoder, x, noise, chains[index])
                chains[index] = gradients.chain.z
            _check_finite(algorithm, model, encoder, x, gradients, iteration)
            margin = math.nan
            if gradients.chain is not None and iteration % MARGIN_EVERY == 0:
                margin = algorithm.stability_margin(model, x, gradients.chain)
            evaluations += gradients.decoder_evaluations
            restarts += gradients.num_restarts
            recorder.append(
                iteration=iteration,
                epoch=epoch,
                loss=gradients.loss,
                log_joint=gradients.log_joint,
                scale=model.likelihood.scale.detach().clone(),
                decoder_evaluations=evaluations,
                stability_margin=margin,
                acceptance=gradients.acceptance,
                restarts=restarts,
            )
            _step(optimizer, model, gradients.model, rate(iteration))
            if encoder_optimizer is not None:
                _step(encoder_optimizer, encoder, gradients.encoder, encoder_rate(iteration))
            iteration += 1
            bar.update()
            if not bar.disable and iteration % PROGRESS_EVERY == 0:
                bar.set_description(f"epoch {epoch + 1}/{last_epoch}", refresh=False)
                bar.set_postfix_str(recorder.history().status(), refresh=False)
            if checkpoint is not None and iteration % checkpoint_every == 0 and iteration < last_iteration:
                save()
    if checkpoint is not None:
        save()
    return recorder.history()


def _check_arguments(
    algorithm: Algorithm,
    model: GenerativeModel,
    encoder: nn.Module | None,
    data: Images | Tensor,
    generator: torch.Generator,
) -> None:
    if not trained_parameters(model):
        raise ValueError("got a model without trained parameters, expected at least one; set requires_grad on them")
    if len(data) == 0:
        raise ValueError("got no data, expected at least one image; pass a split that is not empty")
    if algorithm.uses_encoder and encoder is None:
        raise ValueError(f"got no encoder, expected one for {algorithm}; pass encoder=mlp_encoder(...)")
    if not algorithm.uses_encoder and encoder is not None:
        raise ValueError(f"got an encoder, expected none for {algorithm}; leave it out (it would not be trained)")
    devices = {"model": next(model.parameters()).device, "data": data.device, "generator": generator.device}
    if len({device.type for device in devices.values()}) > 1:
        found = ", ".join(f"{name} on {device}" for name, device in devices.items())
        raise ValueError(f"got {found}, expected one device; move them with .to(device) or Generator(device)")
    with torch.no_grad():
        prior_draw = model.sample_prior(1, generator=torch.Generator(generator.device).manual_seed(0))
        modeled = tuple(model.decode(prior_draw).shape[1:])
    event_shape = tuple(data.shape[1:]) if isinstance(data, Tensor) else tuple(data.event_shape)
    if event_shape != modeled:
        raise ValueError(
            f"got data of event shape {event_shape}, expected {modeled}, the decoder's output; "
            "reshape the data or build the networks for this shape"
        )


def _check_lengths(num_epochs: int | None, num_iterations: int | None, batch_size: int, checkpoint_every: int) -> None:
    if (num_epochs is None) == (num_iterations is None):
        raise ValueError(
            f"got num_epochs={num_epochs} and num_iterations={num_iterations}, expected exactly one of them; "
            "leave the other out"
        )
    lengths = {"batch_size": batch_size, "checkpoint_every": checkpoint_every}
    lengths |= {"num_iterations": num_iterations} if num_epochs is None else {"num_epochs": num_epochs}
    for name, value in lengths.items():
        if value < 1:
            raise ValueError(f"got {name}={value}, expected at least 1; raise it")


def _check_finite(
    algorithm: Algorithm,
    model: GenerativeModel,
    encoder: GaussianEncoder | None,
    x: Tensor,
    gradients: Gradients,
    iteration: int,
) -> None:
    finite = torch.isfinite(gradients.loss) & torch.isfinite(gradients.log_joint)
    if gradients.chain is not None:
        finite = finite & torch.isfinite(gradients.chain.z).all()
    if bool(finite):
        return
    if gradients.chain is None:
        raise FloatingPointError(
            f"the loss left the finite numbers in iteration {iteration} of {algorithm}; lower learning_rate"
        )
    with torch.no_grad():
        generator = torch.Generator(x.device).manual_seed(0)
        start = model.sample_prior(len(x), generator=generator) if encoder is None else encoder(x).mean
    margin = algorithm.stability_margin(model, x, ChainState(start))
    raise ChainDiverged(
        f"a chain left the finite numbers in iteration {iteration} at step_size={algorithm.step_size} "
        f"(stability margin {margin:.3g} at its start; below 1 a chain diverges); lower step_size"
    )


def _step(optimizer: torch.optim.Optimizer, module: nn.Module, gradients: Sequence[Tensor], rate: float) -> None:
    for parameter, gradient in zip(trained_parameters(module), gradients, strict=True):
        parameter.grad = gradient
    optimizer.param_groups[0]["lr"] = rate
    optimizer.step()
    optimizer.zero_grad()


def _adam(module: nn.Module | None) -> torch.optim.Optimizer | None:
    parameters = trained_parameters(module)
    return torch.optim.Adam(parameters, fused=True) if parameters else None


def _schedule(learning_rate: float | Callable[[int], float]) -> Callable[[int], float]:
    return learning_rate if callable(learning_rate) else lambda iteration: learning_rate


def _select(data: Images | Tensor, index: Tensor) -> Tensor:
    return data[index] if isinstance(data, Tensor) else data[index].as_float()


def _load(
    path: str | Path,
    identity: dict[str, str],
    model: nn.Module,
    encoder: nn.Module | None,
    optimizer: torch.optim.Optimizer,
    encoder_optimizer: torch.optim.Optimizer | None,
) -> dict[str, Tensor]:
    tensors, metadata = files.load_checkpoint(path)
    for name, expected in identity.items():
        if metadata.get(name) != expected:
            raise files.CheckpointError(
                f"got a checkpoint {path} with {name} {metadata.get(name)}, expected {expected}; go on with the same "
                "settings, or choose another path"
            )
    files.restore_module(model, "model", tensors, path)
    files.restore_optimizer(optimizer, "optimizer", tensors)
    if encoder is not None:
        files.restore_module(encoder, "encoder", tensors, path)
        files.restore_optimizer(encoder_optimizer, "encoder_optimizer", tensors)
    return tensors


def _progress_bar(progress: bool | None, total: int, initial: int) -> tqdm:
    if progress is None:
        watched = sys.stderr.isatty() or "ipykernel" in sys.modules
        progress = watched and os.environ.get("PCLTUT_PROGRESS") != "0"
    return tqdm(total=total, initial=initial, unit="step", disable=not progress)

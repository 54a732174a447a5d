"""Checkpoints: one safetensors file, replaced atomically, that holds all a run needs to go on."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from pcltut.files import FileError, load_tensors, save_tensors


class CheckpointError(ValueError):
    """A checkpoint that cannot be read, or that belongs to another run."""


def save_checkpoint(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors and text to `path`; the old file stays whole until the new one is complete on disk."""
    save_tensors(path, tensors, metadata)


def load_checkpoint(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors (on the CPU) and metadata of a checkpoint.

    Raises:
        CheckpointError: the file is missing, truncated or altered.
    """
    try:
        return load_tensors(path)
    except FileError as error:
        raise CheckpointError(f"{error.problem}; check the path, or delete the file and train again") from error


def load_weights(path: str | Path, model: nn.Module, encoder: nn.Module | None = None) -> None:
    """Copy a checkpoint's weights into networks of the same shapes.

    Raises:
        CheckpointError: the file is unreadable, or its weights do not fit the networks.
    """
    tensors, _ = load_checkpoint(path)
    restore_module(model, "model", tensors, path)
    if encoder is not None:
        restore_module(encoder, "encoder", tensors, path)


def module_tensors(module: nn.Module | None, prefix: str) -> dict[str, Tensor]:
    """A module's weights under names that begin with `prefix`."""
    return {} if module is None else {f"{prefix}.{name}": value for name, value in module.state_dict().items()}


def restore_module(module: nn.Module, prefix: str, tensors: Mapping[str, Tensor], path: str | Path) -> None:
    """Put the weights named `prefix` into a module."""
    start = prefix + "."
    state = {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise CheckpointError(
            f"got a checkpoint {path} whose {prefix} does not fit this one ({reason}); build the networks as they were "
            "when it was written, or choose another path"
        ) from error


def optimizer_tensors(optimizer: torch.optim.Optimizer | None, prefix: str) -> dict[str, Tensor]:
    """An optimizer's state under names that begin with `prefix`."""
    if optimizer is None:
        return {}
    state = optimizer.state_dict()["state"]
    return {f"{prefix}.{index}.{name}": value for index, slots in state.items() for name, value in slots.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, prefix: str, tensors: Mapping[str, Tensor]) -> None:
    """Put the state named `prefix` into an optimizer."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(prefix + "."):
            _, index, name = key.rsplit(".", 2)
            state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})

"""Checkpoints: one safetensors file, replaced atomically, that holds all a run needs to go on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
    """Copy a checkpoint's weights into networks of the same shapes; where one does not fit, none is changed.

    Raises:
        CheckpointError: the file is unreadable, or its weights do not fit the networks.
    """
    tensors, _ = load_checkpoint(path)
    try:
        restore_modules({"model": model, "encoder": encoder}, tensors)
    except CheckpointError as error:
        raise CheckpointError(f"got a checkpoint {path} of other networks: {error}") from error


def module_tensors(module: nn.Module | None, prefix: str) -> dict[str, Tensor]:
    """A module's weights under names that begin with `prefix`."""
    return {} if module is None else {f"{prefix}.{name}": value for name, value in module.state_dict().items()}


def restore_modules(modules: Mapping[str, nn.Module | None], tensors: Mapping[str, Tensor]) -> None:
    """Put weights into modules, each from the names that begin with its own; if one does not fit, none is changed."""
    found = {prefix: (module, _below(prefix, tensors)) for prefix, module in modules.items() if module is not None}
    for prefix, (module, state) in found.items():
        theirs, ours = ({name: tuple(v.shape) for name, v in each.items()} for each in (state, module.state_dict()))
        if theirs != ours:
            name = next(name for name in (*ours, *theirs) if ours.get(name) != theirs.get(name))
            raise CheckpointError(
                f"got weights that do not fit this {prefix} ({name}: {theirs.get(name)}), expected {ours.get(name)}; "
                "build the networks as they were when the checkpoint was written, or choose another path"
            )
    for module, state in found.values():
        module.load_state_dict(state)


def optimizer_tensors(
    optimizer: torch.optim.Optimizer | None, module: nn.Module | None, prefix: str
) -> dict[str, Tensor]:
    """An optimizer's moments under the names of the parameters they belong to, each beginning with `prefix`."""
    return {
        f"{prefix}.{name}.{slot}": value
        for name, parameter in trained_names(module).items()
        for slot, value in (optimizer.state[parameter] if optimizer is not None else {}).items()
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer, module: nn.Module, prefix: str, tensors: Mapping[str, Tensor]
) -> None:
    """Put the moments named `prefix` into an optimizer, in the memory layout of the parameters."""
    found: dict[str, dict[str, Tensor]] = {}
    for key, value in _below(prefix, tensors).items():
        name, _, slot = key.rpartition(".")
        found.setdefault(name, {})[slot] = value
    parameters = trained_names(module)
    if found and found.keys() != parameters.keys():
        raise CheckpointError(
            f"got moments of {_listed(found)}, expected {_listed(parameters)}, the parameters trained now; set "
            "requires_grad as it was, or choose another path"
        )
    optimizer.state.clear()
    for name, slots in found.items():
        parameter = parameters[name]
        optimizer.state[parameter] = {
            slot: torch.empty_like(parameter).copy_(value) if value.ndim else value.to(parameter.device, copy=True)
            for slot, value in slots.items()
        }


def trained_names(module: nn.Module | None) -> dict[str, nn.Parameter]:
    """The parameters that require a gradient, by name."""
    named = [] if module is None else module.named_parameters()
    return {name: parameter for name, parameter in named if parameter.requires_grad}


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    start = prefix + "."
    return {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(names) or "nothing"

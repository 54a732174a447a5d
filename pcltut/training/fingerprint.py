"""Settings as text that can be compared: what makes two runs the same run."""

import dataclasses
import functools
import numbers
import types
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pcltut.files import sha256_of_tensors


def fingerprint(value: Any) -> str:
    """Text that is equal for equal settings: numbers by value, tensors by their bits, dataclasses field by field.

    A function is its code with its defaults and what it closes over; an object of a class is its attributes.

    Raises:
        ValueError: there is something whose value cannot be told.
    """
    if isinstance(value, np.ndarray | np.generic):
        value = torch.as_tensor(value) if isinstance(value, np.ndarray) else value.item()
    if isinstance(value, Tensor):
        return f"tensor {tuple(value.shape)} {sha256_of_tensors({'': value.contiguous()}, {})[:16]}"
    if isinstance(value, str | bytes | bool | int | complex | None | torch.dtype | torch.device | type):
        return repr(value)
    if isinstance(value, numbers.Real):
        return repr(float(value))
    if isinstance(value, Mapping):
        return "{" + ", ".join(sorted(f"{fingerprint(key)}: {fingerprint(item)}" for key, item in value.items())) + "}"
    if isinstance(value, set | frozenset):
        return "{" + ", ".join(sorted(map(fingerprint, value))) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(fingerprint, value)) + "]"
    if isinstance(value, functools.partial):
        return f"partial {fingerprint([value.func, value.args, value.keywords])}"
    if isinstance(value, types.FunctionType):
        closed = [cell.cell_contents for cell in value.__closure__ or ()]
        return f"{value.__qualname__} {fingerprint([value.__code__, value.__defaults__, value.__kwdefaults__, closed])}"
    if isinstance(value, types.CodeType):
        return f"{value.co_code.hex()} {fingerprint([value.co_consts, value.co_names])}"
    if isinstance(value, types.MethodType):
        return f"{value.__qualname__} {fingerprint(value.__self__)}"
    is_dataclass = dataclasses.is_dataclass(value)
    names = [field.name for field in dataclasses.fields(value)] if is_dataclass else getattr(value, "__dict__", None)
    if names is None or isinstance(value, types.ModuleType | nn.Module):
        raise ValueError(
            f"got a setting of type {type(value).__name__}, whose value cannot be told when a checkpoint is resumed, "
            "expected numbers, texts, tensors or a frozen dataclass of them; change it, or train without checkpoint="
        )
    fields = (f"{name}={fingerprint(getattr(value, name))}" for name in names)
    return f"{type(value).__qualname__}({', '.join(fields)})"

"""`--device`: where tensors lie."""

import enum


class Device(enum.StrEnum):
    """Where the tensors lie."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


def find_device(name: str) -> str:
    """The device of that name, if torch finds it here; "auto" is a CUDA device if there is one, else the processor."""
    import torch

    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == Device.auto:
        return "cuda" if present["cuda"] else "cpu"
    if not present[name]:
        kind = {"cuda": "CUDA", "mps": "Apple (Metal)"}[name]
        raise ValueError(f"got --device {name}, but torch finds no {kind} device; use --device cpu or auto")
    return str(name)

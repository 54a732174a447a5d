"""`--device`: where tensors lie."""

import enum


class Device(enum.StrEnum):
    """Where the tensors lie."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


def find_device(name: str) -> str:
    """The device of that name, if torch finds it here; "auto" is a CUDA device, else Apple's, else the processor."""
    import torch

    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == Device.auto:
        return next(device for device, is_here in present.items() if is_here)
    if not present[name]:
        kind = {"cuda": "CUDA", "mps": "Apple (Metal)"}[name]
        raise ValueError(f"got --device {name}, but torch finds no {kind} device; use --device cpu or auto")
    return str(name)

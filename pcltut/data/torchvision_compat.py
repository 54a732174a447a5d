"""Import torchvision where its compiled part does not fit the installed torch.

The usual case: PyPI's torchvision for Linux is compiled against the CUDA build of torch. Beside a CPU-only
torch of the same version its library does not load, and then ``import torchvision`` stops, because it
attaches shape functions to two operators that only this library declares. Data sets and transforms need
neither operator.
"""

import importlib
import re
import sys
from types import ModuleType

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_MISSING = re.compile(r"operator torchvision::(\w+) does not exist")
_declared: list[torch.library.Library] = []  # a declaration lives as long as its Library


def import_torchvision() -> ModuleType:
    """Import torchvision, declaring the operators that its compiled part would declare, if needed.

    Nothing is declared where ``import torchvision`` works by itself. Where it stops with "operator
    torchvision::nms does not exist", its half-imported modules are dropped, the schemas of ``nms`` and
    ``qnms`` are declared without an implementation, and the import is repeated. Calling these operators still
    fails, with torchvision's own message.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        missing = _MISSING.search(str(error))
        if missing is None:
            raise
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    declare_operators({"nms", "qnms", missing.group(1)})
    return importlib.import_module("torchvision")


def declare_operators(names: set[str]) -> None:
    """Declare those of the operators torchvision::<name> that do not exist yet, without an implementation."""
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in sorted(names):
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}{_SCHEMA}")
    _declared.append(library)


def operators_were_declared() -> bool:
    """Whether `import_torchvision` had to declare operators in this process."""
    return bool(_declared)

"""Samplers: one transition as a kernel, its preconditioner, and the loop that runs it."""

from pcltut.samplers.kernel import ChainDiverged, ChainState, Kernel, StepInfo, Trace, run, score_of
from pcltut.samplers.preconditioners import Preconditioner, constant_preconditioner, rms_preconditioner
from pcltut.samplers.stability import stability_margin
from pcltut.samplers.ula import gradient_ascent, ula

__all__ = [
    "ChainDiverged",
    "ChainState",
    "Kernel",
    "Preconditioner",
    "StepInfo",
    "Trace",
    "constant_preconditioner",
    "gradient_ascent",
    "rms_preconditioner",
    "run",
    "score_of",
    "stability_margin",
    "ula",
]

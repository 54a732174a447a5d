"""Samplers: one transition as a kernel, its preconditioner, and the loop that runs it."""

from pcltut.samplers.corrected_ula import corrected_ula
from pcltut.samplers.hmc import hmc
from pcltut.samplers.kernel import (
    ChainDiverged,
    ChainState,
    Kernel,
    MetropolisNoise,
    StepInfo,
    Trace,
    restart_diverged,
    run,
    score_of,
    standard_normal,
)
from pcltut.samplers.mala import mala
from pcltut.samplers.preconditioners import Preconditioner, constant_preconditioner, rms_preconditioner
from pcltut.samplers.riemannian import riemannian_ula
from pcltut.samplers.stability import stability_margin
from pcltut.samplers.ula import gradient_ascent, ula
from pcltut.samplers.underdamped import underdamped

__all__ = [
    "ChainDiverged",
    "ChainState",
    "Kernel",
    "MetropolisNoise",
    "Preconditioner",
    "StepInfo",
    "Trace",
    "constant_preconditioner",
    "corrected_ula",
    "gradient_ascent",
    "hmc",
    "mala",
    "restart_diverged",
    "riemannian_ula",
    "rms_preconditioner",
    "run",
    "score_of",
    "stability_margin",
    "standard_normal",
    "ula",
    "underdamped",
]

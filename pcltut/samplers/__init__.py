"""Samplers: one transition as a kernel, its preconditioner, and the loop that runs it."""

from pcltut.samplers.chain import ChainDiverged, Step, Trace, run, walk
from pcltut.samplers.corrected_ula import corrected_ula
from pcltut.samplers.hmc import hmc
from pcltut.samplers.kernel import ChainState, Kernel, MetropolisNoise, StepInfo, Target, value_and_score_of
from pcltut.samplers.mala import mala
from pcltut.samplers.preconditioners import ConstantPreconditioner, Preconditioner, RMSPreconditioner, RMSState
from pcltut.samplers.riemannian import riemannian_ula
from pcltut.samplers.stability import stability_margin
from pcltut.samplers.ula import gradient_ascent, ula
from pcltut.samplers.underdamped import underdamped

__all__ = [
    "ChainDiverged",
    "ChainState",
    "ConstantPreconditioner",
    "Kernel",
    "MetropolisNoise",
    "Preconditioner",
    "RMSPreconditioner",
    "RMSState",
    "Step",
    "StepInfo",
    "Target",
    "Trace",
    "corrected_ula",
    "gradient_ascent",
    "hmc",
    "mala",
    "riemannian_ula",
    "run",
    "stability_margin",
    "ula",
    "underdamped",
    "value_and_score_of",
    "walk",
]

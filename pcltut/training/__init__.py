"""Training: one frozen dataclass an algorithm, one state and one loop for all of them, checkpoints that resume."""

from pcltut.training.algorithm import Algorithm
from pcltut.training.checkpoint import CheckpointError, load_checkpoint, load_weights, save_checkpoint
from pcltut.training.fit import fit, train_until
from pcltut.training.gradients import Gradients
from pcltut.training.history import History, HistoryRecorder
from pcltut.training.iwae import IWAE
from pcltut.training.lpc import LPC
from pcltut.training.state import TrainingState
from pcltut.training.step_size import VarianceScaledStep
from pcltut.training.vae import VAE

__all__ = [
    "IWAE",
    "LPC",
    "VAE",
    "Algorithm",
    "CheckpointError",
    "Gradients",
    "History",
    "HistoryRecorder",
    "TrainingState",
    "VarianceScaledStep",
    "fit",
    "load_checkpoint",
    "load_weights",
    "save_checkpoint",
    "train_until",
]

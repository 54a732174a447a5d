"""Training: one frozen dataclass an algorithm, one loop for all of them, checkpoints that resume bit for bit."""

from pcltut.training.checkpoint import CheckpointError, load_checkpoint, load_weights, save_checkpoint
from pcltut.training.fit import Algorithm, fit
from pcltut.training.gradients import Gradients
from pcltut.training.history import History
from pcltut.training.iwae import IWAE
from pcltut.training.lpc import LPC
from pcltut.training.vae import VAE

__all__ = [
    "IWAE",
    "LPC",
    "VAE",
    "Algorithm",
    "CheckpointError",
    "Gradients",
    "History",
    "fit",
    "load_checkpoint",
    "load_weights",
    "save_checkpoint",
]

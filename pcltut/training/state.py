"""Where a training run stands: networks, optimizers, random numbers, order, chains and history, one batch at a time."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from pcltut.arguments import whole_number
from pcltut.data import Images
from pcltut.models import GaussianEncoder, GenerativeModel
from pcltut.samplers import ChainDiverged, ChainState
from pcltut.training import checkpoint as files
from pcltut.training.algorithm import Algorithm
from pcltut.training.gradients import Gradients, trained_parameters
from pcltut.training.history import History, HistoryRecorder

MARGIN_EVERY = 50
Rate = float | Callable[[int], float]

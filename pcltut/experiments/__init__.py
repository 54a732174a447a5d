"""Experiments: named comparisons, declared as data, resumable at any moment, with where each number comes from."""

from pcltut.experiments.catalog import EXPERIMENTS, find_experiment
from pcltut.experiments.declaration import Effort, Experiment, Job, Method, Setting
from pcltut.experiments.pool import Event
from pcltut.experiments.results import ResultError, load_results
from pcltut.experiments.runner import Plan, read_results, run_experiment
from pcltut.experiments.statistics import Interval, paired_interval, t_interval

__all__ = [
    "EXPERIMENTS",
    "Effort",
    "Event",
    "Experiment",
    "Interval",
    "Job",
    "Method",
    "Plan",
    "ResultError",
    "Setting",
    "find_experiment",
    "load_results",
    "paired_interval",
    "read_results",
    "run_experiment",
    "t_interval",
]

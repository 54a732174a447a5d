"""Experiments: named comparisons, declared as data, resumable at any moment, with where each number comes from."""

from pcltut.experiments.builder import Built, build
from pcltut.experiments.catalog import EXPERIMENTS, find_experiment
from pcltut.experiments.declaration import Effort, Experiment, Job, Method, Setting
from pcltut.experiments.measurement import measure
from pcltut.experiments.pool import Event
from pcltut.experiments.results import ResultError, load_results, load_search
from pcltut.experiments.runner import Plan, read_results, run_experiment
from pcltut.experiments.statistics import Interval, paired_interval, t_interval
from pcltut.experiments.summary import curves, difference, reach_baseline, summarize, values_by_seed
from pcltut.experiments.tables import (
    cost_table,
    differences_table,
    means_table,
    reach_table,
    report_text,
    search_table,
    verdict,
    verdicts_table,
)

__all__ = [
    "EXPERIMENTS",
    "Built",
    "Effort",
    "Event",
    "Experiment",
    "Interval",
    "Job",
    "Method",
    "Plan",
    "ResultError",
    "Setting",
    "build",
    "cost_table",
    "curves",
    "difference",
    "differences_table",
    "find_experiment",
    "load_results",
    "load_search",
    "means_table",
    "measure",
    "paired_interval",
    "reach_baseline",
    "reach_table",
    "read_results",
    "report_text",
    "run_experiment",
    "search_table",
    "summarize",
    "t_interval",
    "values_by_seed",
    "verdict",
    "verdicts_table",
]

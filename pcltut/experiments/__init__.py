"""Experiments: runs as values, named comparisons of them declared as data, resumable at any moment, in tables."""

from pcltut.experiments.declaration import EvaluationBudget, Experiment, Method, Setting
from pcltut.experiments.declarations import EXPERIMENTS, find_experiment
from pcltut.experiments.executor import Event, Executor, WorkerError
from pcltut.experiments.intervals import (
    Interval,
    crossed_interval,
    difference,
    paired_interval,
    reach_baseline,
    summarize,
    t_interval,
    values_by_seed,
)
from pcltut.experiments.measurement import METRICS, measure
from pcltut.experiments.plan import Plan, read_results, run_experiment
from pcltut.experiments.reports import report_html, report_text
from pcltut.experiments.results import ResultError, load_results, load_search
from pcltut.experiments.run import Run
from pcltut.experiments.single import finish
from pcltut.experiments.tables import (
    cost_table,
    differences_table,
    means_table,
    reach_table,
    search_table,
    summary_frame,
    verdict,
)

__all__ = [
    "EXPERIMENTS",
    "METRICS",
    "EvaluationBudget",
    "Event",
    "Executor",
    "Experiment",
    "Interval",
    "Method",
    "Plan",
    "ResultError",
    "Run",
    "Setting",
    "WorkerError",
    "cost_table",
    "crossed_interval",
    "difference",
    "differences_table",
    "find_experiment",
    "finish",
    "load_results",
    "load_search",
    "means_table",
    "measure",
    "paired_interval",
    "reach_baseline",
    "reach_table",
    "read_results",
    "report_html",
    "report_text",
    "run_experiment",
    "search_table",
    "summarize",
    "summary_frame",
    "t_interval",
    "values_by_seed",
    "verdict",
]

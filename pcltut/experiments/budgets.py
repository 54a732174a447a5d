"""How many batches a run has: from updates of the decoder, from seconds by the committed costs, or from a curve."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pcltut.experiments.declaration import Experiment, Method, Value
from pcltut.experiments.results import ResultError, read_json
from pcltut.files import results_folder

COSTS = "seconds-a-batch.json"


def points_of(experiment: Experiment, method: Method, hyperparameters: Mapping[str, Value]) -> tuple[int, ...]:
    """Batches after which a run of the method is measured, the last being its end."""
    if experiment.updates:
        return (num_batches(experiment.updates, hyperparameters),)
    if experiment.seconds:
        return (batches_within(experiment.seconds, method, hyperparameters, committed_costs()),)
    points = {point for point in (*experiment.curve, *experiment.budgets) if point <= method.max_iterations}
    return tuple(sorted(points | {method.max_iterations}))


def num_batches(updates: int, hyperparameters: Mapping[str, Value]) -> int:
    """Batches in which the decoder gets that many updates: `num_steps` of them a batch if incremental, else one.

    Raises:
        ValueError: the last batch would not be whole.
    """
    if not hyperparameters.get("incremental", False):
        return updates
    num_steps = hyperparameters["num_steps"]
    if updates % num_steps:
        raise ValueError(f"got {updates} updates in chains of {num_steps} states, expected whole chains; change either")
    return updates // num_steps


def batches_within(
    seconds: float, method: Method, hyperparameters: Mapping[str, Value], costs: Mapping[str, Any]
) -> int:
    """Batches that a method trains in that time, by a table of costs; between its lengths of chains on straight lines.

    Args:
        costs: for each method's key the seconds of one batch by `num_steps`, see `pcltut.experiments.costs`.
    """
    table = costs["seconds_a_batch"].get(method.key)
    if table is None:
        raise ResultError(f"got no costs of {method.key} in {COSTS}, expected its seconds a batch; measure them again")
    num_steps = hyperparameters.get("num_steps", 1)
    lengths = sorted(map(int, table))
    if not lengths[0] <= num_steps <= lengths[-1]:
        raise ResultError(f"got costs of {method.key} for {lengths} steps, expected {num_steps} within; measure it")
    return max(1, int(seconds / np.interp(num_steps, lengths, [table[str(each)] for each in lengths])))


def committed_costs() -> dict[str, Any]:
    """The committed table of costs, measured while nothing else ran."""
    return read_json(results_folder() / COSTS, "restore it with git, or measure it by `experiment NAME --costs-only`")

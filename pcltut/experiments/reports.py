"""The text and the page that `report` makes of an experiment's results."""

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from pcltut.experiments.tables import (
    as_text,
    choices_table,
    classes_table,
    cost_table,
    differences_table,
    frame_of,
    means_table,
    points_of,
    ranks_table,
    reach_table,
    scales_table,
    search_table,
    title_of,
)

OF_SAMPLES = ("frechet_extrapolated", "kernel_distance", "precision", "recall", "coverage")
GROUPS = {
    "Evidence": (
        "log_evidence",
        "bdmc_gap",
        "log_evidence_checked",
        "log_evidence_300",
        "log_evidence_3000",
        "log_evidence_fitted",
        "bdmc_gap_fitted",
        "bits_per_dimension",
        "encoder_scale",
        "sigma",
    ),
    "Samples from N(0, I)": OF_SAMPLES,
    "Samples from the density fitted to refined latents": (
        *(f"{name}_fitted" for name in OF_SAMPLES),
        "components",
        "nearest_training",
    ),
    "Samples from the density fitted to the encoder's draws": tuple(f"{name}_draws" for name in OF_SAMPLES),
}


def sections(results: Mapping[str, Any], search: Mapping[str, Any] | None = None) -> Iterator[tuple[str, pd.DataFrame]]:
    """Titles and frames of a report; those without rows are left out.

    Args:
        search: the search that chose the hyperparameters, if there was one.
    """
    methods, baseline = results["methods"], results["methods"][results["baseline"]]["name"]
    found: list[tuple[str, pd.DataFrame]] = []
    for at in points_of(results):
        for title, columns in GROUPS.items():
            means, differences = means_table(results, at, columns), differences_table(results, at, columns)
            found.append((f"{title}, test split, {title_of(at)}", _short(means)))
            found.append((f"The same minus {baseline}, paired (* outside the 95 % interval)", _short(differences)))
        found.append(("Places by Fréchet distance and coverage", ranks_table(results, at)))
        found.append(("N(0, s^2 I) with the s that is best on validation", scales_table(results, at)))
        found.append(("Classes among the samples, in percent", classes_table(results, at)))
    if results["budgets"]:
        title = f"To the validation log-evidence that {baseline} of the same seed has"
        found.append((title, reach_table(results)))
    origin = results.get("costs", {}).get("provenance", {}).get("device")
    title = f"Cost: medians of one process in which the methods take turns ({origin})"
    found.append((title, cost_table(results)))
    if search is not None:
        found.append(("The search", search_table(search)))
        found.append(("Best trials on validation, by the criterion and by Fréchet distance", choices_table(search)))
    runs = {f"{methods[run['method']]['name']}, seed {run['seed']}": [run["failed"]] for run in results["runs"]}
    failed = {name: why for name, why in runs.items() if why != [None]}
    found.append(("Runs that ended early", frame_of(failed, ["why"])))
    seed, present = results["provenance"]["seeds"][0], dict.fromkeys(run["method"] for run in results["runs"])
    commands = [repeat_command(results["experiment"], key, seed) for key in present]
    width = max(map(len, commands))
    again = {methods[key]["name"]: [each.ljust(width)] for key, each in zip(present, commands, strict=True)}
    found.append(("One seed of a row again", frame_of(again, ["command"])))
    yield from ((title, frame) for title, frame in found if len(frame) and len(frame.columns))


def _short(frame: pd.DataFrame) -> pd.DataFrame:
    """Metrics without the names of samplers, which the section's title says."""
    return frame.rename(columns=lambda name: re.sub(r" \((fitted|fitted to draws)\)$", "", name)).rename_axis(
        columns=None
    )


def report_text(results: Mapping[str, Any], search: Mapping[str, Any] | None = None) -> str:
    """The whole report as text."""
    parts = ["\n".join(header(results))]
    return "\n\n".join([*parts, *(f"{title}\n{as_text(frame)}" for title, frame in sections(results, search))])


def report_html(results: Mapping[str, Any], search: Mapping[str, Any] | None = None) -> str:
    """The whole report as one page."""
    name = html.escape(results["experiment"])
    lines = [f"<!doctype html>\n<html lang='en'>\n<meta charset='utf-8'>\n<title>{name}</title>\n<h1>{name}</h1>"]
    lines += [f"<p>{html.escape(line)}</p>" for line in header(results)]
    lines += [f"<h2>{html.escape(title)}</h2>\n{frame.to_html(border=0)}" for title, frame in sections(results, search)]
    return "\n".join(lines) + "\n</html>\n"


def header(results: Mapping[str, Any]) -> list[str]:
    """Question, origin and notes, one a line."""
    origin, budget = results["provenance"], results["setting"]["test"]
    return [
        f"{results['experiment']}: {results['question']}",
        f"Seeds {', '.join(map(str, origin['seeds']))}; {'; '.join(origin['devices'])}; commit "
        f"{', '.join(origin['commits'])}; "
        + ", ".join(f"{name} {version}" for name, version in origin["versions"].items()),
        "Mean and half width of the 95 % t interval over seeds. Log-evidence in nats an image by AIS from N(0, I) "
        f"({budget['num_images']} images, {budget['num_bridges']} bridges), for all methods alike; its differences "
        "are paired by image, too.",
        f"Samples are decoder means, without pixel noise, judged on {results['setting']['features']} features.",
        *results["notes"],
    ]


def repeat_command(experiment: str, method: str, seed: int) -> str:
    """The command that repeats one run, and shows it beside the committed one."""
    return f"python -m pcltut experiment {experiment} --only {method} --seed {seed} --out runs/again"

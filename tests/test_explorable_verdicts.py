"""The verdicts of chapter 9: the numbers are the results' own, and the words agree with the package's signs."""

from pathlib import Path

import pytest
from in_node import in_node

from pcltut.experiments import difference, load_results, summarize, verdict
from pcltut.explorables.verdicts import MEASURES, SAMPLERS, Verdicts

RESULTS = load_results("headline")
SIGNS = {"ahead": "+", "behind": "-", "undecided": "."}


def metrics() -> list[str]:
    of_samples = [f"{measure}{sampler}" for measure in MEASURES for sampler in SAMPLERS if measure != "log_evidence"]
    return ["log_evidence", *of_samples]


def test_every_number_and_every_verdict_is_that_of_the_results(tmp_path: Path):
    shown = Verdicts({"1,600 updates": RESULTS}).results["1,600 updates"]
    assert set(shown) == set(metrics())
    body = """
    const entries = Object.entries(given.shown).map(([metric, rows]) => [metric, rows.map(js.verdictOf)]);
    return Object.fromEntries(entries);
    """
    words = in_node("verdicts", body, tmp_path, shown=shown)
    keys = {method["name"]: key for key, method in RESULTS["methods"].items()}
    for metric in metrics():
        for row, word in zip(shown[metric], words[metric], strict=True):
            key = keys[row["name"]]
            mean, other = (each(RESULTS, key, "end", metric) for each in (summarize, difference))
            assert row["mean"] == pytest.approx(mean.mean, rel=1e-6)
            if row["base"]:
                continue
            assert [row["difference"], row["wide"]] == pytest.approx(other[:2], rel=1e-6)
            assert SIGNS[word] == verdict(RESULTS, key, "end", (metric,)), (metric, key)


def test_python_chooses_what_is_shown():
    widget = Verdicts({"now": RESULTS, "later": RESULTS}, measure="recall", sampler="", budget="later")
    assert (widget.measure, widget.sampler, widget.budget, widget.baseline) == ("recall", "", "later", "VAE")

"""`python -m pcltut experiment` and `report`: what they print, and how they refuse."""

import dataclasses
import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import torch
from bs4 import BeautifulSoup
from tiny_experiment import TINY, TUNED
from typer.testing import CliRunner

from pcltut.cli import app
from pcltut.cli.device import find_device
from pcltut.cli.experiment import Progress, chosen_seeds
from pcltut.data import sources
from pcltut.experiments import EXPERIMENTS, Event

FAST = dataclasses.replace(TINY, budgets=(2, 4), curve=(2, 4))
FAST = dataclasses.replace(
    FAST, methods=tuple(dataclasses.replace(method, search={}, max_iterations=4) for method in FAST.methods)
)


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def only_line(text: str) -> str:
    assert text.endswith("\n") and text.count("\n") == 1, text
    return text.rstrip("\n")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Work in an empty folder, with results in another and no data set but the embedded one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PCLTUT_DATA", raising=False)
    monkeypatch.setattr(sources, "system_folders", lambda: ())
    monkeypatch.setitem(EXPERIMENTS, "tiny", FAST)
    results = tmp_path / "book" / "results"
    results.mkdir(parents=True)
    for module in ("results", "plan"):
        monkeypatch.setattr(f"pcltut.experiments.{module}.results_folder", lambda: results)
    monkeypatch.setattr("pcltut.cli.experiment.results_folder", lambda: results)


@pytest.mark.slow
def test_run_report_save_and_repeat():
    done = invoke("experiment", "tiny", "--workers", 1)
    assert done.exit_code == 0, done.output
    assert re.search(r"0 tuning and 4 final runs to do, about \S+ h with 1 at a time on cpu", done.stderr)
    assert "4/4 after" in done.stderr and "vae.seed-1" in done.stderr
    assert Path("runs/tiny/final/lpc.seed-2.json").exists()
    again = invoke("experiment", "tiny", "--workers", 1)
    assert again.stdout == done.stdout and "all runs are finished" in again.stderr

    assert "tiny.json, expected a committed result" in only_line(invoke("report", "tiny").stderr)
    assert "--out" in only_line(invoke("report", "tiny", "--save").stderr)
    saved = invoke("report", "tiny", "--out", "runs/tiny", "--save")
    assert saved.exit_code == 0 and saved.stdout == done.stdout
    assert invoke("report", "tiny").stdout == done.stdout

    text = done.stdout
    for title in ("Evidence", "Samples from N(0, I)"):
        assert all(f"{title}, test split, {at}" in text for at in ("after 2 iterations", "best by validation"))
    assert re.search(r"^VAE +-[\d.]+±[\d.]+ ", text, re.MULTILINE)
    assert "The same minus VAE, paired" in text and "training images" in text and "pixel Gaussian" in text
    assert "relative" in text and "that VAE of the same seed has\nat its best" in text

    (command,) = re.findall(r"^LPC, prior start +python -m pcltut (experiment tiny .*)$", text, re.MULTILINE)
    repeated = invoke(*command.split())
    assert repeated.exit_code == 0, repeated.output
    rows = re.findall(r"LPC, prior start +1 +(?:2|4|best) +\S+ +(\S+) +(\S+)$", repeated.stdout, re.MULTILINE)
    assert len(rows) >= 12 and all(now == committed for now, committed in rows)


@pytest.mark.slow
def test_tables_go_to_csv_and_html():
    done = invoke("experiment", "tiny", "--workers", 1)
    assert (
        invoke("report", "tiny", "--out", "runs/tiny", "--save", "--csv", "a/t.csv", "--html", "t.html").exit_code == 0
    )
    frame = pd.read_csv("a/t.csv")
    assert list(frame.columns[:4]) == ["at", "method", "name", "metric"] and set(frame["at"]) == {"2", "4", "best"}
    runs = json.loads(Path("book/results/tiny.json").read_text())["runs"]
    values = [run["test"]["4"]["log_evidence"] for run in runs if run["method"] == "lpc"]
    (row,) = frame.query("method == 'lpc' and at == '4' and metric == 'log_evidence'").itertuples()
    low, high = scipy.stats.t.interval(0.95, 1, loc=np.mean(values), scale=scipy.stats.sem(values))
    assert (row.mean, row.half_width, row.num_seeds) == pytest.approx(((low + high) / 2, (high - low) / 2, 2))
    each = {key: [run["test"]["4"]["log_evidence_each"] for run in runs if run["method"] == key] for key in TINY.keys}
    assert row.difference == pytest.approx(np.mean(each["lpc"]) - np.mean(each["vae"]))
    page = BeautifulSoup(Path("t.html").read_text(encoding="utf-8"), "html.parser")
    printed = re.search(r"^VAE +(-[\d.]+±[\d.]+) ", done.stdout, re.MULTILINE)[1]
    assert page.h2.text == "Evidence, test split, after 2 iterations" and page.table.tbody.tr.th.text == "VAE"
    assert page.table.tbody.tr.td.text == printed


def test_part_of_the_results_can_be_reported():
    assert invoke("experiment", "tiny", "--only", "VAE", "--seeds", 1, "--workers", 1).exit_code == 0
    done = invoke("report", "tiny", "--out", "runs/tiny")
    assert done.exit_code == 0 and "3 runs are not finished" in done.stderr
    plotted = invoke("report", "tiny", "--out", "runs/tiny", "--plot", "search.png")
    assert plotted.exit_code == 1 and "without a search" in plotted.stderr
    assert re.search(r"^VAE +-[\d.]+ +", done.stdout, re.MULTILINE)


def test_tuning_only(monkeypatch):
    monkeypatch.setitem(EXPERIMENTS, "tiny", dataclasses.replace(TUNED, num_trials=2, updates=2))
    done = invoke("experiment", "tiny", "--tuning-only", "--workers", 1)
    assert done.exit_code == 0, done.output
    assert "12 tuning and 0 final runs to do" in done.stderr and Path("runs/tiny/tuning.json").exists()
    assert not Path("runs/tiny/final").exists()
    assert "tuning.json" in invoke("experiment", "tiny", "--tuning-only").stdout
    assert invoke("experiment", "tiny", "--workers", 1).exit_code == 0
    report = ("report", "tiny", "--out", "runs/tiny", "--plot")
    assert invoke(*report, "search.png").exit_code == 0
    assert Path("search.png").read_bytes().startswith(b"\x89PNG")
    assert "ends in .png, .svg or .pdf" in only_line(invoke(*report, "search.xyz").stderr)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["experiment", "huge"], "expected one of headline"),
        (["report", "huge"], "expected one of headline"),
        (["experiment", "tiny", "--only", "gan"], "expected one of vae, lpc"),
        (["experiment", "tiny", "--seed", 1, "--seeds", 2], "leave one out"),
        (["experiment", "headline-gpu"], "python -m pcltut data get fashion-mnist"),
        (["experiment", "color-svhn", "--features", "none"], "python -m pcltut data get svhn"),
        (["report", "tiny", "--out", "runs/nowhere"], "got no folder runs/nowhere"),
        (["experiment", "tiny", "--workers", 2, "--scheduler", "tcp://127.0.0.1:9"], "the cluster has its own workers"),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, list) else "",
)
def test_refusals_take_one_line(arguments, message):
    done = invoke(*arguments)
    assert done.exit_code == 1 and message in only_line(done.stderr) and not Path("runs").exists()


@pytest.mark.slow
def test_damaged_files_are_named_in_one_line():
    assert invoke("experiment", "tiny", "--workers", 1).exit_code == 0
    path = Path("runs/tiny/final/vae.seed-2.json")
    whole = path.read_text()
    path.write_text(whole[: len(whole) // 2])
    for command in (["experiment", "tiny"], ["report", "tiny", "--out", "runs/tiny"]):
        done = invoke(*command)
        assert done.exit_code == 1 and "vae.seed-2.json" in only_line(done.stderr) and "delete it" in done.stderr
    assert path.read_text() == whole[: len(whole) // 2]
    path.unlink()
    assert invoke("experiment", "tiny", "--workers", 1).exit_code == 0
    assert json.loads(path.read_text())["test"] == json.loads(whole)["test"]

    committed = Path("book/results/tiny.json")
    committed.write_text("{")
    assert "damaged" in only_line(invoke("report", "tiny").stderr)
    committed.write_text("{}")
    assert "damaged" in only_line(invoke("report", "tiny").stderr)


def test_a_full_disk_takes_one_line(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", lambda *arguments: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        done = invoke("experiment", "tiny", "--workers", 1)
    assert done.exit_code == 1 and "No space left on device" in done.stderr.splitlines()[-1]
    assert "make room" in done.stderr


def test_ctrl_c_says_how_to_go_on(monkeypatch):
    interrupt = lambda *arguments, **options: (_ for _ in ()).throw(KeyboardInterrupt)  # noqa: E731
    monkeypatch.setattr("pcltut.experiments.executor.finish", interrupt)
    done = invoke("experiment", "tiny", "--workers", 1)
    assert done.exit_code == 130
    assert done.stderr.splitlines()[-1] == "interrupted; finished runs are kept in runs/tiny, the same command goes on"


def test_an_out_that_is_a_file_takes_one_line():
    Path("file").write_text("")
    done = invoke("experiment", "tiny", "--workers", 1, "--out", "file")
    assert done.exit_code == 1 and done.stderr.splitlines()[-1].startswith(
        "error: got file, a file or below one, expected a folder"
    )


def test_a_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    assert invoke("experiment", "tiny", "--only", "vae", "--seed", 1, "--out", "~/runs").exit_code == 0
    assert (tmp_path / "home/runs/final/vae.seed-1.json").exists() and not Path("~").exists()
    assert invoke("report", "tiny", "--out", "~/runs", "--html", "~/page.html").exit_code == 0
    assert (tmp_path / "home/page.html").exists() and not Path("~").exists()


def test_without_stderr_it_runs(monkeypatch):
    """As under pythonw: sys.stderr is None."""
    progress = Progress(1, 1)
    monkeypatch.setattr(sys, "stderr", None)
    for each in (progress, Progress(1, 1)):
        with each:
            each(Event("vae.seed-1", 1, {"curve": [], "failed": None}))


def test_without_dask_one_worker_is_enough(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    done = invoke("experiment", "tiny", "--only", "vae", "--seeds", 2, "--workers", 2)
    assert done.exit_code == 1
    assert "pip install distributed" in done.stderr.splitlines()[-1] and "--workers 1" in done.stderr
    assert invoke("experiment", "tiny", "--only", "vae", "--seeds", 2, "--workers", 1).exit_code == 0


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_takes_one_line(device, monkeypatch):
    for part in ("cuda", "backends.mps"):
        monkeypatch.setattr(f"torch.{part}.is_available", lambda: False)
    done = invoke("experiment", "tiny", "--device", device)
    assert done.exit_code == 1 and f"got --device {device}, but torch finds no" in only_line(done.stderr)
    assert find_device("auto") == "cpu" and find_device("cpu") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert find_device("auto") == "cuda"


def test_seeds():
    assert chosen_seeds((1, 2, 3), None, None) == () == chosen_seeds((1, 2, 3), 3, None)
    assert chosen_seeds((1, 2, 3), 2, None) == (1, 2)
    assert chosen_seeds((1, 2, 3), 5, None) == (1, 2, 3, 4, 5)
    assert chosen_seeds((1, 2, 3), None, 9) == (9,)

"""The command line: help, versions, data sets, doctor; how commands end. Training is in test_main_train.py."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import pcltut
from pcltut import data
from pcltut.cli import app, doctor, probe
from pcltut.cli.data import size_text
from pcltut.cli.errors import one_line_errors
from pcltut.data import mini, sources

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = [
    [],
    ["doctor"],
    ["data"],
    ["data", "list"],
    ["data", "get"],
    ["data", "verify"],
    ["train"],
    ["experiment"],
    ["report"],
]


def invoke(*arguments: str):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def only_line(text: str) -> str:
    assert text.endswith("\n") and text.count("\n") == 1, text
    return text.rstrip("\n")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Work in an empty folder, with no data set but the embedded one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PCLTUT_DATA", raising=False)
    monkeypatch.setattr(sources, "system_folders", lambda: ())


# -- help and exit codes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_examples(command):
    result = invoke(*command, "--help")
    assert result.exit_code == 0
    examples = re.findall(rf"^    python -m pcltut {' '.join(command)}.*", result.output, re.MULTILINE)
    assert "Examples:" in result.output and examples
    assert invoke(*command, "-h").output == result.output


def test_the_options_in_the_examples_exist():
    for command in COMMANDS:
        for line in re.findall(r"^    python -m pcltut (.*)", invoke(*command, "--help").output, re.MULTILINE):
            words = line.split("   ")[0].split()  # without the remark
            known = invoke(*words[: 2 if words[0] == "data" else 1], "--help").output
            assert all(f"  {word} " in known for word in words if word.startswith("--"))


def test_version():
    result = invoke("--version")
    assert result.exit_code == 0 and result.stdout == f"pcltut {pcltut.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["data", "get"],
        ["data", "get", "no-such-set"],
        ["data", "verify", "no-such-set"],
        ["train"],
        ["train", "--algorithm", "gan"],
        ["train", "--algorithm", "lpc", "--data", "no-such-set"],
        ["train", "--algorithm", "lpc", "--epochs", "0"],
        ["train", "--algorithm", "lpc", "--step-size", "-1"],
        ["train", "--algorithm", "lpc", "--learning-rate", "nan"],
        ["train", "--algorithm", "vae", "--num-steps", "5"],
        ["train", "--algorithm", "iwae", "--warm-start", "prior"],
        ["train", "--algorithm", "lpc", "--num-samples", "5"],
        ["train", "--algorithm", "vae", "--device", "tpu"],
        ["experiment", "headline", "--device", "cuda:7"],
        ["doctor", "--seconds", "-1"],
    ],
    ids=" ".join,
)
def test_usage_errors_end_with_2(arguments):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr and "Traceback" not in result.stderr


def test_usage_errors_name_the_choices():
    assert "fashion-mnist-mini, fashion-mnist, mnist" in " ".join(invoke("data", "get", "mnits").stderr.split())
    assert "--num-steps" in invoke("train", "--algorithm", "vae", "--num-steps", "5").stderr


def test_the_module_runs_and_help_needs_no_torch():
    code = (
        "import sys, runpy; sys.argv = ['pcltut', 'train', '--help']\n"
        "try: runpy.run_module('pcltut', run_name='__main__')\n"
        "finally: print('torch' in sys.modules, file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0 and run.stdout.startswith("Usage: python -m pcltut train")
    assert run.stderr.strip() == "False"


def test_an_error_is_one_line_and_no_traceback(tmp_path):
    (tmp_path / "file").write_text("")
    command = [sys.executable, "-m", "pcltut", "train", "--algorithm", "vae", "--out", str(tmp_path / "file")]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 1 and run.stdout == ""
    assert only_line(run.stderr).startswith("error: got ") and "expected a folder" in run.stderr


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("got 1,\n  expected 2"), "error: got 1, expected 2"),
        (ValueError(), "error: ValueError"),
        (OSError(28, "No space left on device"), "error: OSError: [Errno 28] No space left on device"),
        (KeyError("x"), "error: KeyError: 'x'"),
    ],
)
def test_any_error_becomes_one_line(error, line, capsys, monkeypatch):
    import typer

    with pytest.raises(typer.Exit) as end, one_line_errors():
        raise error
    assert end.value.exit_code == 1 and only_line(capsys.readouterr().err) == line
    monkeypatch.setenv("PCLTUT_TRACEBACK", "1")
    with pytest.raises(type(error)), one_line_errors():
        raise error


# -- data ------------------------------------------------------------------------------------------------------


def test_data_list_shows_every_set_with_its_size_and_license():
    result = invoke("data", "list")
    assert result.exit_code == 0
    for info in data.available():
        (line,) = (line for line in result.stdout.splitlines() if line.startswith(f"{info.name} "))
        assert f"{info.sizes['train']:,}" in line and info.license in line
        assert (" yes " in line) == (info.name == "fashion-mnist-mini")


def test_data_get_and_verify_of_the_embedded_set():
    assert invoke("data", "get", "fashion-mnist-mini").stdout.startswith("fashion-mnist-mini: complete, in ")
    for arguments in ([], ["fashion-mnist-mini"]):
        result = invoke("data", "verify", *arguments)
        assert result.exit_code == 0
        assert only_line(result.stdout).startswith("fashion-mnist-mini: whole, 12,000 images in ")


def test_verify_of_a_damaged_and_of_an_absent_set(tmp_path, monkeypatch):
    copy = tmp_path / mini.PATH.name
    shutil.copy(mini.PATH, copy)
    copy.write_bytes(copy.read_bytes()[:-1])
    monkeypatch.setattr(mini, "PATH", copy)
    result = invoke("data", "verify")
    assert result.exit_code == 1 and str(copy) in only_line(result.stderr)
    result = invoke("data", "verify", "mnist", "--root", tmp_path)
    assert result.exit_code == 1
    assert only_line(result.stderr).endswith("run `python -m pcltut data get mnist`") and str(tmp_path) in result.stderr


def test_get_without_network(tmp_path, monkeypatch):
    from pcltut.data.torchvision_compat import import_torchvision

    monkeypatch.setattr(import_torchvision().datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    result = invoke("data", "get", "mnist", "--root", tmp_path)
    assert result.exit_code == 1 and "connect to the network" in only_line(result.stderr)


def test_ctrl_c_during_a_download(monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("pcltut.data.catalog.download", interrupted)
    result = invoke("data", "get", "mnist")
    assert result.exit_code == 130 and only_line(result.stderr).startswith("interrupted; nothing was replaced")


@pytest.mark.parametrize(("size", "text"), [(0, "none"), (11_594_722, "12 MB"), (999e6, "999 MB"), (1.48e9, "1.5 GB")])
def test_sizes_are_written_in_a_readers_unit(size, text):
    assert size_text(size) == text


# -- doctor ----------------------------------------------------------------------------------------------------


def test_doctor_shows_versions_devices_data_and_memory(monkeypatch):
    monkeypatch.setattr(doctor, "find_costs", lambda: None)
    result = invoke("doctor", "--seconds", "0")
    assert result.exit_code == 0
    for text in (
        f"torch {torch.__version__}",
        f"pcltut    {pcltut.__version__}",
        "threads in use",
        "memory    ",
        "disk      ",
        "fashion-mnist-mini: whole",
        "mnist: not here (12 MB to download)",
        "chapters  times unknown",
    ):
        assert text in result.stdout


def test_doctor_fails_where_the_embedded_data_is_damaged(tmp_path, monkeypatch):
    copy = tmp_path / mini.PATH.name
    copy.write_bytes(b"damaged")
    monkeypatch.setattr(mini, "PATH", copy)
    result = invoke("doctor")
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("data "))
    assert result.exit_code == 1 and str(copy) in line and "altered" in line


def test_doctor_scales_the_measured_times_by_the_probe(tmp_path, monkeypatch):
    costs = {
        "01_first": {"cpu_seconds": 20.0, "peak_memory_mb": 500, "probe_steps_per_second": 100.0},
        "02_second": {"cpu_seconds": 30.0, "peak_memory_mb": 1500, "gpu_seconds": 9.0, "gpu_name": "H100"},
    }
    (tmp_path / "book" / "results").mkdir(parents=True)
    (tmp_path / "book" / "results" / "costs.json").write_text(json.dumps(costs))
    monkeypatch.setattr(pcltut, "__file__", str(tmp_path / "pcltut" / "__init__.py"))
    monkeypatch.setattr(doctor, "steps_per_second", lambda *arguments: 50.0)
    lines = invoke("doctor", "--seconds", "1").stdout.splitlines()
    rows = {line.split()[0]: re.split(r"  +", line)[1:] for line in lines if line.startswith("0")}
    assert rows["01_first"] == ["20 s", "40 s", "not measured", "524 MB"]
    assert rows["02_second"] == ["30 s", "unknown", "9 s (H100)", "1.6 GB"]
    assert any("Langevin steps a second" in line and "50 with one CPU thread" in line for line in lines)


def test_the_probe_measures_steps_and_restores_the_threads():
    threads = torch.get_num_threads()
    short = probe.steps_per_second(0.05, num_threads=1)
    assert torch.get_num_threads() == threads
    assert 1 < short < 1e5


def test_free_memory_is_a_plausible_number():
    free = doctor.free_memory()
    assert free is None or 1e7 < free < 1e14

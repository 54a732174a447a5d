"""`python -m pcltut train`: its files, defaults, resuming, and refusals."""

import csv
import errno
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from pcltut import data
from pcltut.cli import app
from pcltut.experiments import Run, sources
from pcltut.files import exclusive
from pcltut.training import TrainingState, load_checkpoint

NUM_IMAGES, BATCH = 60, 25  # three iterations an epoch
FILES = ["checkpoint.safetensors", "config.json", "history.csv", "samples.png"]
SMALL = ["--batch-size", BATCH, "--latent-dim", 3]


def train(*arguments):
    return CliRunner().invoke(app, ["train", *map(str, (*arguments, *SMALL))])


@pytest.fixture(autouse=True)
def small_set(tmp_path, monkeypatch):
    """The first images of each split, in an empty folder."""
    sources.load.cache_clear()
    whole = {split: data.load("fashion-mnist-mini", split)[:NUM_IMAGES] for split in ("train", "validation")}
    monkeypatch.setattr(data, "load", lambda name, split, root=None: whole[split])
    monkeypatch.chdir(tmp_path)
    yield
    sources.load.cache_clear()


def weights(folder: str | Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(Path(folder) / "checkpoint.safetensors")[0]


def assert_equal_runs(one: str, other: str) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value.nan_to_num(), second[name].nan_to_num()), name
    assert (Path(one) / "history.csv").read_bytes() == (Path(other) / "history.csv").read_bytes()
    assert (Path(one) / "samples.png").read_bytes() == (Path(other) / "samples.png").read_bytes()


@pytest.mark.parametrize(
    "options",
    [
        ["--algorithm", "lpc", "--num-steps", 2],
        ["--algorithm", "vae"],
        ["--algorithm", "lpc", "--num-steps", 2, "--warm-start", "prior", "--preconditioner", "none"],
        ["--algorithm", "lpc", "--num-steps", 2, "--warm-start", "jeffreys", "--preconditioner", "datum"],
        ["--algorithm", "iwae", "--num-samples", 3],
        ["--algorithm", "vae", "--network", "conv", "--likelihood", "discretized"],
    ],
    ids=lambda options: "-".join(map(str, options[1::2])),
)
def test_a_run_leaves_four_files(options):
    result = train(*options, "--epochs", 2, "--out", "runs/a")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in Path("runs/a").iterdir()) == FILES
    rows = list(csv.DictReader(Path("runs/a/history.csv").read_text().splitlines()))
    assert [row["iteration"] for row in rows] == [str(i) for i in range(6)]
    assert all(float(row["loss"]) == float(row["loss"]) for row in rows)
    config = json.loads(Path("runs/a/config.json").read_text())
    assert config["epochs"] == 2 and Run.from_json(config["run"]).algorithm == options[1]
    with Image.open("runs/a/samples.png") as sheet:
        assert sheet.width > 500 and sheet.height > 300 and len(np.unique(np.asarray(sheet.convert("L")))) > 50
    assert "iteration 6, epoch 2" in result.stdout


def test_defaults_stand_in_the_config():
    chain = {"num_steps": 5, "step_size": 0.15, "preconditioner": "batch", "warm_start": "reverse"}
    own = {"lpc": chain, "vae": {}, "iwae": {"num_samples": 8}}
    for algorithm, values in own.items():
        assert train("--algorithm", algorithm, "--epochs", 1).exit_code == 0
        config = json.loads(Path(f"runs/{algorithm}-fashion-mnist-mini/config.json").read_text())
        run = config["run"]
        assert run["algorithm"] == algorithm and run["hyperparameters"] == {"learning_rate": 3e-3, **values}
        setting = {name: run["setting"][name] for name in ("data", "network", "hidden", "latent_dim", "batch_size")}
        assert [*setting.values()] == ["fashion-mnist-mini", "mlp", [512, 512], 3, BATCH]
        assert (run["setting"]["likelihood"], run["setting"]["initial_scale"], run["seed"]) == ("gaussian", 0.4, 0)
        assert config["device"] == ("cuda" if torch.cuda.is_available() else "cpu")
    assert json.loads(_config("--preconditioner", "none"))["run"]["hyperparameters"]["step_size"] == 0.0004


def _config(*options: str) -> str:
    assert train("--algorithm", "lpc", "--epochs", 1, "--num-steps", 1, "--out", "x", *options).exit_code == 0
    return Path("x/config.json").read_text()


def test_seeds_decide_everything():
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        options = ["--algorithm", "lpc", "--num-steps", 2, "--epochs", 1, "--seed", seed, "--out", out]
        assert train(*options).exit_code == 0
    assert_equal_runs("a", "b")
    assert not torch.equal(weights("a")["model.decoder.0.weight"], weights("c")["model.decoder.0.weight"])


def test_lpc_and_vae_start_from_the_same_decoder(monkeypatch):
    import pcltut.cli.train as module

    started = []

    def note(state, *arguments, **options):
        started.append(state.model.decoder.state_dict())
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "train_until", note)
    for options in (
        ["--algorithm", "vae"],
        ["--algorithm", "iwae"],
        ["--algorithm", "lpc"],
        ["--algorithm", "lpc", "--warm-start", "prior"],
    ):
        assert train(*options, "--out", f"run{len(started)}").exit_code == 130
    assert all(torch.equal(started[0][name], other[name]) for other in started[1:] for name in other)


def interrupt_after(monkeypatch, calls: int) -> None:
    """Ctrl-C in the midst of training."""
    step, count = TrainingState.step, iter(range(calls))

    def counted(state):
        if next(count, None) is None:
            raise KeyboardInterrupt
        return step(state)

    monkeypatch.setattr(TrainingState, "step", counted)


def test_ctrl_c_then_the_same_command_again_equals_one_run(monkeypatch):
    options = ["--algorithm", "lpc", "--num-steps", 2, "--epochs", 3, "--checkpoint-every", 2]
    assert train(*options, "--out", "whole").exit_code == 0
    with monkeypatch.context() as patch:
        interrupt_after(patch, 5)
        stopped = train(*options, "--out", "parts")
    assert stopped.exit_code == 130
    expected = f"interrupted; the same command goes on from the checkpoint in {Path('parts')}\n"
    assert stopped.stderr.endswith(expected) and stopped.stderr.count("\n") == 1
    resumed = train(*options, "--out", "parts")
    assert resumed.exit_code == 0 and "going on from iteration 4 of 9" in resumed.stdout
    assert_equal_runs("whole", "parts")


def test_ctrl_c_before_the_first_checkpoint_says_so(monkeypatch):
    interrupt_after(monkeypatch, 1)
    stopped = train("--algorithm", "lpc", "--num-steps", 2, "--out", "a")
    assert stopped.exit_code == 130 and "from the beginning, since nothing was saved yet" in stopped.stderr


def test_a_finished_run_says_so_and_more_epochs_extend_it():
    options = ["--algorithm", "vae", "--out", "a"]
    assert train(*options, "--epochs", 1).exit_code == 0
    before = (Path("a") / "checkpoint.safetensors").read_bytes()
    again = train(*options, "--epochs", 1)
    assert again.exit_code == 0 and "already trained for 3 iterations, nothing to do" in again.stdout
    assert (Path("a") / "checkpoint.safetensors").read_bytes() == before
    Path("a/samples.png").unlink()  # what is missing is made again
    assert train(*options, "--epochs", 1).exit_code == 0 and Path("a/samples.png").exists()
    more = train(*options, "--epochs", 2)
    assert more.exit_code == 0 and "going on from iteration 3 of 6" in more.stdout
    assert train("--algorithm", "vae", "--out", "b", "--epochs", 2).exit_code == 0
    assert_equal_runs("a", "b")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seed", 3], "holds a run with --seed 0, got 3; choose another --out"),
        (["--learning-rate", 0.01], "holds a run with --learning-rate 0.003, got 0.01"),
        (["--network", "conv"], "holds a run with --network mlp, got conv"),
    ],
)
def test_other_settings_do_not_overwrite_a_run(options, message):
    assert train("--algorithm", "vae", "--epochs", 1, "--out", "a").exit_code == 0
    before = {name: (Path("a") / name).read_bytes() for name in FILES}
    result = train("--algorithm", "vae", "--epochs", 1, "--out", "a", *options)
    assert result.exit_code == 1 and message in result.stderr and result.stderr.count("\n") == 1
    assert before == {name: (Path("a") / name).read_bytes() for name in FILES}


@pytest.mark.parametrize("name", ["checkpoint.safetensors", "config.json"])
def test_a_damaged_run_is_refused_in_one_line(name):
    assert train("--algorithm", "vae", "--epochs", 1, "--out", "a").exit_code == 0
    path = Path("a") / name
    path.write_bytes(path.read_bytes()[:-40])
    result = train("--algorithm", "vae", "--epochs", 2, "--out", "a")
    assert result.exit_code == 1 and str(path) in result.stderr and result.stderr.count("\n") == 1


def test_a_diverging_chain_ends_with_the_remedy():
    options = ["--algorithm", "lpc", "--preconditioner", "none", "--step-size", 50, "--num-steps", 60]
    result = train(*options, "--epochs", 5, "--out", "a")
    assert result.exit_code == 1 and "lower step_size" in result.stderr and result.stderr.count("\n") == 1


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused(device, monkeypatch):
    for part in ("cuda", "backends.mps"):
        monkeypatch.setattr(f"torch.{part}.is_available", lambda: False)
    result = train("--algorithm", "vae", "--device", device, "--out", "a")
    assert result.exit_code == 1 and f"got --device {device}, but torch finds no" in result.stderr
    assert not Path("a").exists()


# -- what strangers ran into ---------------------------------------------------------------------------------------


def test_two_processes_in_one_folder_are_refused_in_one_line():
    Path("a").mkdir()
    with exclusive("a"):
        result = train("--algorithm", "vae", "--epochs", 1, "--out", "a")
    assert result.exit_code == 1 and result.stderr.count("\n") == 1
    assert "where another process is running; wait for it or choose another folder" in result.stderr
    assert not list(Path("a").iterdir())


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_an_out_that_is_a_file_is_refused_in_one_line(out):
    Path("file").write_text("")
    result = train("--algorithm", "vae", "--epochs", 1, "--out", out)
    assert result.exit_code == 1 and result.stderr.count("\n") == 1
    assert "a file or below one, expected a folder; choose another folder" in result.stderr


def test_a_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    assert train("--algorithm", "vae", "--epochs", 1, "--out", "~/a").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "home/a").iterdir()) == FILES and not Path("~").exists()


def test_a_config_with_a_byte_order_mark_is_read():
    """As an editor on Windows saves it."""
    assert train("--algorithm", "vae", "--epochs", 1, "--out", "a").exit_code == 0
    config = Path("a/config.json")
    config.write_bytes(b"\xef\xbb\xbf" + config.read_bytes().replace(b"\n", b"\r\n"))
    again = train("--algorithm", "vae", "--epochs", 1, "--out", "a")
    assert again.exit_code == 0 and "nothing to do" in again.stdout


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"run": 3, "device": "cpu"}', '{"settings": {}}'])
def test_a_config_of_something_else_is_refused_in_one_line(content):
    assert train("--algorithm", "vae", "--epochs", 1, "--out", "a").exit_code == 0
    Path("a/config.json").write_text(content)
    result = train("--algorithm", "vae", "--epochs", 2, "--out", "a")
    assert result.exit_code == 1 and result.stderr.count("\n") == 1
    assert "config.json" in result.stderr and "choose another --out" in result.stderr


@pytest.mark.parametrize("file", ["config.json", "checkpoint.safetensors", "history.csv", "samples.png"])
def test_disk_full_takes_one_line_and_the_same_command_goes_on(monkeypatch, file):
    options = ["--algorithm", "vae", "--epochs", 1]
    assert train(*options, "--out", "whole").exit_code == 0
    replace = os.replace

    def full(source, target):
        if Path(target).name == file:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        result = train(*options, "--out", "a")
    assert result.exit_code == 1 and result.stderr.count("\n") == 1
    assert f"{file}, which cannot be written (No space left on device); make room" in result.stderr
    assert train(*options, "--out", "a").exit_code == 0
    assert_equal_runs("whole", "a")


def test_without_stderr_it_trains(monkeypatch):
    """As under pythonw: sys.stderr is None."""
    from pcltut.cli.train import make_run, train_and_show

    run = make_run("vae", {}, 0, batch_size=BATCH, latent_dim=3)
    monkeypatch.delenv("PCLTUT_PROGRESS")
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)  # a test plugin may have imported it
    monkeypatch.setattr(sys, "stderr", None)
    train_and_show(run, "cpu", 1, Path("a"), 100, None)
    assert sorted(path.name for path in Path("a").iterdir()) == FILES


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("algorithm", ["lpc", "vae"])
def test_training_on_a_gpu(algorithm):
    result = train("--algorithm", algorithm, "--epochs", 1, "--device", "cuda", "--out", "a")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in Path("a").iterdir()) == FILES

"""Several processes train as one does: the same updates, noise of their own, and no one waits for the dead."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import distributed_worker as worker
import psutil
import pytest
import torch
from torch import Tensor

from pcltut.distributed import VARIABLES, joined, one_voice, own_part, own_seed, rank, sum_over_processes, world_size
from pcltut.files import load_tensors
from pcltut.training import Algorithm, TrainingState
from pcltut.training.gradients import Gradients, trained_parameters

ROOT = Path(__file__).resolve().parents[1]
CHECKPOINT = "checkpoint.safetensors"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PCLTUT_PROGRESS": "0"}
ENVIRONMENT["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])


def torchrun(num: int, *command: str) -> list[str]:
    return [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={num}", *command]


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[int, Path]:
    """For each number of processes the folder with what they wrote; four go on from the checkpoint of two."""
    made = {num: tmp_path_factory.mktemp(f"processes-{num}") for num in (2, 4)}
    for num, folder in made.items():
        command = torchrun(num, str(ROOT / "tests" / "distributed_worker.py"), str(folder), str(made[2] / CHECKPOINT))
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
    return made


@pytest.fixture(params=[2, 4])
def run(request, folders) -> tuple[int, Path]:
    """The number of processes, and the folder with what each of them wrote."""
    return request.param, folders[request.param]


def written(folder: Path, name: str, number: int) -> dict[str, Tensor]:
    return load_tensors(folder / f"{name}.{number}.safetensors")[0]


def seed_of(number: int, seed: int) -> int:
    """The first process keeps the seed, the others take the numbers that follow from it."""
    drawn = torch.randint(2**62, (8,), generator=torch.Generator().manual_seed(seed)).tolist()
    return [seed, *drawn][number]


def one_process(algorithm: Algorithm, num: int) -> TrainingState:
    """The parts one after the other in one process, averaged over images by hand, with torch's plain Adam."""
    state = worker.begin(algorithm)
    modules = [module for module in (state.model, state.encoder) if module is not None]
    optimizers = [torch.optim.Adam(trained_parameters(module), lr=1e-2) for module in modules]
    for _ in range(worker.NUM_STEPS):
        _, batch = divmod(state.iteration, 3)
        if batch == 0:
            state.order = torch.randperm(worker.NUM_IMAGES, generator=state.generator)
        index = state.order[batch * worker.BATCH : (batch + 1) * worker.BATCH]
        seed = int(torch.randint(2**62, (), generator=state.generator))
        parts = index.tensor_split(num)
        updates = [
            algorithm.updates(
                state.model,
                state.encoder,
                state.data[part],
                generator=torch.Generator().manual_seed(seed_of(number, seed)),
                start=None if state.chains is None else state.chains[part],
            )
            for number, part in enumerate(parts)
        ]
        for gradients in zip(*updates, strict=True):
            shares = [len(part) / len(index) for part in parts]
            for module, optimizer, means in zip(modules, optimizers, averages(gradients, shares), strict=False):
                for parameter, mean in zip(trained_parameters(module), means, strict=False):
                    parameter.grad = mean
                if means:
                    optimizer.step()
        if state.chains is not None:
            for part, each in zip(parts, gradients, strict=True):
                state.chains[part] = each.chain.z
        state.iteration += 1
    return state


def averages(gradients: tuple[Gradients, ...], shares: list[float]) -> list[list[Tensor]]:
    networks = zip(*(each[:2] for each in gradients), strict=True)
    return [
        [sum(share * each for share, each in zip(shares, parts, strict=True)) for parts in zip(*network, strict=True)]
        for network in networks
    ]


@pytest.mark.parametrize("name", worker.ALGORITHMS)
def test_the_update_is_that_of_one_process(run, name: str, no_shape_checks) -> None:
    num, folder = run
    algorithm = worker.ALGORITHMS[name]
    if "without noise" in name:
        state = worker.begin(algorithm)
        for _ in range(worker.NUM_STEPS):
            state.step()
        expected = worker.weights(state)
    else:
        expected = {n: v for n, v in worker.weights(one_process(algorithm, num)).items() if "history" not in n}
    found = written(folder, name, 0)
    for key, value in expected.items():
        if key not in ("history.stability_margin", "history.acceptance"):
            torch.testing.assert_close(found[key], value, rtol=1e-6, atol=1e-6)
    for number in range(1, num):
        other = written(folder, name, number)
        assert all(torch.equal(found[key], other[key]) for key in found if key.startswith(("model", "encoder")))


def test_noise_is_independent_and_reproducible(run) -> None:
    """Correlations within 4.5 standard errors; each stream is the one that its number gives."""
    num, folder = run
    noise = torch.stack([written(folder, "noise", number)["noise"] for number in range(num)])
    others = torch.corrcoef(noise) - torch.eye(num)
    assert others.abs().max() < 4.5 / noise.shape[1] ** 0.5
    for number in range(num):
        generator = torch.Generator().manual_seed(seed_of(number, 7))
        assert torch.equal(noise[number], torch.randn(noise.shape[1], generator=generator, dtype=torch.float64))


@pytest.mark.parametrize("num", [1, 2, 4])
def test_a_checkpoint_of_two_processes_goes_on_with_any_number(folders, num: int, no_shape_checks) -> None:
    """Without noise the end is that of one process that never stopped."""
    never_stopped = worker.begin(worker.ALGORITHMS["without noise"])
    for _ in range(worker.NUM_STEPS):
        never_stopped.step()
    if num == 1:
        state = worker.begin(worker.ALGORITHMS["without noise"])
        assert state.resume(folders[2] / CHECKPOINT) and state.iteration == 1
        while state.iteration < worker.NUM_STEPS:
            state.step()
        found = worker.weights(state)
    else:
        found = written(folders[num], "went on", num - 1)
    for key, value in worker.weights(never_stopped).items():
        if key not in ("history.stability_margin", "history.acceptance"):
            torch.testing.assert_close(found[key], value, rtol=1e-6, atol=1e-6)


def test_errors_are_one_line_in_every_process(run) -> None:
    num, folder = run
    for number in range(num):
        errors = load_tensors(folder / f"errors.{number}.safetensors")[1]
        assert re.fullmatch(
            rf"ValueError: got {num} processes for a batch of 1 images, expected .*; change batch_size, or start fewer",
            errors["more processes than images"],
        )
        assert re.fullmatch("ValueError: got networks .*, expected the same in all; .*", errors["other weights"])
        assert re.fullmatch("ValueError: got checkpoints .*, expected .*; keep .*", errors["other checkpoints"])
        if number == 1:
            assert errors["one diverges"].startswith("ChainDiverged: a chain left")
        if number == 0:
            assert errors["one diverges"].startswith("ProcessLost: got no answer from another process")


def test_alone_nothing_changes() -> None:
    values = torch.arange(4.0)
    assert (world_size(), rank(), own_seed(3)) == (1, 0, 3)
    assert torch.equal(own_part(values), values) and torch.equal(sum_over_processes([values])[0], values)
    with joined("cpu") as device:
        assert (device, world_size()) == ("cpu", 1)


TWO = dict.fromkeys(VARIABLES, "0") | {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}


@pytest.mark.parametrize(
    ("variables", "device", "backends", "message"),
    [
        ({"RANK": "0"}, "cpu", ["gloo"], "got RANK without WORLD_SIZE, expected all that torchrun sets; "),
        (TWO | {"RANK": "2"}, "cpu", ["gloo"], "got RANK=2, WORLD_SIZE=2, .*, expected ranks .*; use torchrun"),
        (TWO | {"RANK": "one"}, "cpu", ["gloo"], "got RANK=one, .*, expected ranks from 0"),
        (TWO | {"LOCAL_WORLD_SIZE": "3"}, "cpu", ["gloo"], "got .*LOCAL_WORLD_SIZE=3, expected ranks from 0"),
        (TWO, "cuda", ["gloo"], "got a torch without nccl, expected one for 2 processes on cuda; install"),
        (TWO, "cpu", [], "got a torch without gloo, expected one for 2 processes on cpu; install"),
        (TWO, "cuda", ["nccl"], "got 2 processes on a machine with 1 GPUs, expected a GPU for each; use"),
        (TWO, "mps", ["gloo"], "got 2 processes on mps, expected cpu or cuda; change --device"),
    ],
)
def test_a_group_that_cannot_be_joined_is_said_in_one_line(variables, device, backends, message, monkeypatch) -> None:
    monkeypatch.setattr(torch.distributed, "is_backend_available", lambda name: name in backends)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=message), joined(device):
        pass
    if variables != {"RANK": "0"}:
        monkeypatch.setenv("LOCAL_RANK", "1")
        with pytest.raises(SystemExit, match=r"^1$"), joined(device):  # the machine's first process says it
            pass


def test_of_several_errors_the_first_is_said() -> None:
    store = torch.distributed.HashStore()
    with pytest.raises(OSError, match="the first"), one_voice(store):
        raise OSError("the first")
    with pytest.raises(SystemExit, match=r"^1$"), one_voice(store):
        raise OSError("the second")


def train(num: int, *options: str) -> list[str]:
    return torchrun(num, "-m", "pcltut", "train", "--algorithm", "lpc", "--device", "cpu", *options)


def lines_of_ours(messages: str) -> list[str]:
    return [line for line in messages.splitlines() if line.startswith("error:")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--step-size", "1e30"], "error: a chain left the finite numbers .*; lower step_size"),
    ],
)
def test_an_error_of_the_command_is_one_line(options: list[str], message: str, tmp_path: Path) -> None:
    done = subprocess.run(
        train(2, "--out", str(tmp_path), *options), env=ENVIRONMENT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode != 0
    (line,) = lines_of_ours(done.stderr)
    assert re.fullmatch(message, line)


@pytest.mark.slow
def test_a_killed_process_ends_all_and_the_same_command_goes_on(tmp_path: Path) -> None:
    """Whichever it is: one line of ours, a whole checkpoint, and the same command or one process goes on from it."""
    options, path, done = ["--out", str(tmp_path), "--checkpoint-every", "5"], tmp_path / CHECKPOINT, 0
    for killed in ("1", "0"):
        with subprocess.Popen(
            train(2, *options, "--epochs", "50"),
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            for _ in waiting(120):
                if path.exists() and iteration_of(path) > done:
                    break
            (worker_process,) = [each for each in workers_of(process.pid) if each.environ()["RANK"] == killed]
            worker_process.send_signal(signal.SIGKILL)
            output, messages = process.communicate(timeout=120)
        assert process.returncode != 0
        (line,) = lines_of_ours(messages)
        assert re.fullmatch("error: got .*, expected all processes to go on; .* it goes on from the last .*", line)
        assert not done or f"going on from iteration {done}" in output
        done = iteration_of(path)
    command = [sys.executable, "-m", "pcltut", "train", "--algorithm", "lpc", "--device", "cpu", *options]
    command += ["--epochs", str(done // 90 + 1)]
    again = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    assert again.returncode == 0 and f"going on from iteration {done}" in again.stdout


REPORTS_AFTER_A_FAILURE = """
import os, signal
from pcltut.distributed import _sigterm_raises
try:
    with _sigterm_raises():
        raise RuntimeError
except RuntimeError:
    os.kill(os.getpid(), signal.SIGTERM)
    print("reported")
"""


def test_a_process_that_failed_is_not_ended_before_it_reports() -> None:
    """The peer's end breaks the connection, and torchrun asks the others to end: whichever comes first."""
    done = subprocess.run([sys.executable, "-c", REPORTS_AFTER_A_FAILURE], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "reported\n")


def iteration_of(checkpoint: Path) -> int:
    return int(load_tensors(checkpoint)[0]["iteration"])


def workers_of(pid: int) -> list[psutil.Process]:
    return [each for each in psutil.Process(pid).children(recursive=True) if "RANK" in each.environ()]


def waiting(seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.1)
    raise TimeoutError(f"nothing came in {seconds} s")

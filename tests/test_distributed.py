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

from pcltut.distributed import joined, own_part, own_seed, rank, sum_over_processes, world_size
from pcltut.files import load_tensors
from pcltut.training import Algorithm, TrainingState
from pcltut.training.gradients import Gradients, trained_parameters

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PCLTUT_PROGRESS": "0"}
ENVIRONMENT["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])


def torchrun(num: int, *command: str) -> list[str]:
    return [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={num}", *command]


@pytest.fixture(scope="module", params=[2, 4])
def run(request, tmp_path_factory) -> tuple[int, Path]:
    """The number of processes, and the folder with what each of them wrote."""
    folder = tmp_path_factory.mktemp(f"processes-{request.param}")
    command = torchrun(request.param, str(ROOT / "tests" / "distributed_worker.py"), str(folder))
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return request.param, folder


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


def test_a_checkpoint_goes_on_in_one_process(run, no_shape_checks) -> None:
    """Without its processes, and with the same numbers."""
    _, folder = run
    state = worker.begin(worker.ALGORITHMS["persistent"])
    assert state.resume(folder / "checkpoint.safetensors") and state.iteration == 1
    state.step()


def test_errors_are_one_line_in_every_process(run) -> None:
    num, folder = run
    for number in range(num):
        errors = load_tensors(folder / f"errors.{number}.safetensors")[1]
        assert re.fullmatch(
            rf"ValueError: got {num} processes for a batch of 1 images, expected .*; change batch_size, or start fewer",
            errors["more processes than images"],
        )
        assert re.fullmatch("ValueError: got networks .*, expected the same in all; .*", errors["other weights"])
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


@pytest.mark.parametrize(
    ("variables", "device", "message"),
    [
        ({"RANK": "0"}, "cpu", "got RANK without WORLD_SIZE, expected all that torchrun sets; "),
        (
            {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"},
            "cuda",
            "got a torch without nccl, expected one for 2 processes on cuda; ",
        ),
    ],
)
def test_a_group_that_cannot_be_joined_is_said_in_one_line(variables, device, message, monkeypatch) -> None:
    monkeypatch.setattr(torch.distributed, "is_backend_available", lambda name: name != "nccl")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=message), joined(device):
        pass


@pytest.mark.slow
def test_a_killed_process_ends_all_and_the_same_command_goes_on(tmp_path: Path) -> None:
    """One line of ours; the checkpoint is whole, and two, four or one process finish from it."""
    train = ["-m", "pcltut", "train", "--algorithm", "lpc", "--out", str(tmp_path), "--checkpoint-every", "5"]
    process = subprocess.Popen(
        torchrun(2, *train, "--epochs", "50"),
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        for _ in waiting(120):
            if (tmp_path / "checkpoint.safetensors").exists():
                break
        (second,) = [each for each in workers_of(process.pid) if each.environ().get("RANK") == "1"]
        second.send_signal(signal.SIGKILL)
        _, messages = process.communicate(timeout=120)
    assert process.returncode != 0
    ours = [line for line in messages.splitlines() if line.startswith("error:")]
    assert len(ours) <= 1 and all("it goes on from the last checkpoint" in line for line in ours)
    done = int(load_tensors(tmp_path / "checkpoint.safetensors")[0]["iteration"])
    again = subprocess.run(
        [sys.executable, *train, "--epochs", str(done // 90 + 1)], env=ENVIRONMENT, capture_output=True, text=True
    )
    assert again.returncode == 0 and f"going on from iteration {done}" in again.stdout


def workers_of(pid: int) -> list[psutil.Process]:
    return [each for each in psutil.Process(pid).children(recursive=True) if "RANK" in each.environ()]


def waiting(seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.1)
    raise TimeoutError(f"nothing came in {seconds} s")

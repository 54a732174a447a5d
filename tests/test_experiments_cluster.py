"""The cluster: workers on this machine, and a scheduler and workers that were started as processes of their own."""

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tiny_experiment import TINY

from pcltut.experiments import Executor, Plan, WorkerError, run_experiment
from pcltut.experiments.plan import final_run

pytest.importorskip("distributed")
pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[1]
TIMED = ("seconds", "provenance")
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests"))),
    "OMP_NUM_THREADS": "1",
    "PCLTUT_PROGRESS": "0",
}


def numbers(value):
    """Everything but times and where they come from."""
    if isinstance(value, dict):
        return {name: numbers(item) for name, item in value.items() if name not in TIMED}
    return [numbers(item) for item in value] if isinstance(value, list) else value


def wait_until(condition, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def workers_of(pid: int) -> set[psutil.Process]:
    """Processes that a process started to work, now."""
    return {each for each in psutil.Process(pid).children(recursive=True) if "spawn_main" in " ".join(each.cmdline())}


@contextlib.contextmanager
def started(*arguments: str, **options) -> Iterator[subprocess.Popen]:
    """A process of its own, ended with all its children.

    It hears Ctrl-C, even where the tests themselves were started in the background, as jobs that ignore it: what a
    process handles its children have by default, what it ignores they ignore.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen([sys.executable, *arguments], env=ENVIRONMENT, **options)
    finally:
        signal.signal(signal.SIGINT, before)
    try:
        yield process
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
        process.kill()
        process.wait()


@contextlib.contextmanager
def two_worker_cluster(folder: Path) -> Iterator[tuple[str, list[psutil.Process]]]:
    """`dask scheduler` and twice `dask worker`, each a process: the address, and the processes that do the work."""
    file = folder / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    both = ("--scheduler-file", str(file), "--no-dashboard")
    scheduler = ("-m", "dask", "scheduler", *both, "--host", "127.0.0.1", "--port", "0")
    scheduler = (*scheduler, "--dashboard-address", "127.0.0.1:0")
    worker = ("-m", "dask", "worker", *both, "--nthreads", "1", "--memory-limit", "0")
    with (
        started(*scheduler, **quiet),
        started(*worker, "--name", "one", **quiet) as one,
        started(*worker, "--name", "two", **quiet) as two,
    ):
        from distributed import Client

        wait_until(lambda: file.exists() and file.read_text().endswith("}"))
        address = json.loads(file.read_text())["address"]
        with Client(address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
            working = [psutil.Process(pid) for pid in client.run(os.getpid).values()]
        assert {process.ppid() for process in working} == {one.pid, two.pid}, "each has a nanny"
        yield address, working


def test_a_worker_that_is_killed_in_mid_run_costs_nothing_but_time(tmp_path: Path):
    plan = Plan(TINY, tmp_path / "here", only=TINY.keys)
    here = run_experiment(plan)
    with two_worker_cluster(tmp_path) as (address, working):
        killed: list[str] = []

        def kill_one(event) -> None:
            if event.result is None and event.iteration >= 4 and not killed:
                killed.append(event.name)
                working[0].send_signal(signal.SIGKILL)

        there = run_experiment(
            dataclasses.replace(plan, folder=tmp_path / "there", scheduler=address), on_event=kill_one
        )
        assert killed and is_gone(working[0])
    assert numbers(there) == numbers(here)
    files = {path.relative_to(tmp_path / "there").as_posix() for path in (tmp_path / "there").rglob("*.*")}
    names = [f"{key}.seed-{seed}" for key in TINY.keys for seed in TINY.seeds]
    assert files == {f"final/{name}.json" for name in names} | {f"final/weights/{name}.safetensors" for name in names}


def test_workers_on_this_machine_have_one_thread_each_and_give_the_same_numbers(tmp_path: Path):
    runs = {f"{m.key}.seed-1": final_run(TINY, m, 1, {}) for m in TINY.methods}
    runs = {name: dataclasses.replace(run, points=(2, 4), budgets=()) for name, run in runs.items()}
    events: list = []
    with Executor(2, on_event=events.append) as executor:
        executor.execute(runs, tmp_path / "there")
        executor.execute({}, tmp_path / "there")
        threads = executor._client.run(lambda: __import__("os").environ["OMP_NUM_THREADS"])
        assert list(threads.values()) == ["1", "1"] and len(workers_of(os.getpid())) == 2
    wait_until(lambda: not workers_of(os.getpid()), 10)
    with Executor() as executor:
        executor.execute(runs, tmp_path / "here")
    for name in runs:
        assert [event.iteration for event in events if event.name == name and event.result is None] == [2, 4]
        (last,) = [event.result for event in events if event.name == name and event.result is not None]
        here, there = (json.loads((tmp_path / each / f"{name}.json").read_text()) for each in ("here", "there"))
        assert numbers(here) == numbers(there) == numbers(last)


def test_an_error_on_a_worker_is_said_in_one_line(tmp_path: Path):
    run = final_run(TINY, TINY.methods[0], 1, {})
    (tmp_path / "second.json").write_text("{")
    with pytest.raises(WorkerError, match=r"^second: got a damaged file") as caught, Executor(2) as executor:
        executor.execute({"second": run}, tmp_path)
    assert "\n" not in str(caught.value)


def test_a_scheduler_that_is_not_there_is_said_in_one_line(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("pcltut.experiments.executor.PATIENCE", 1)
    run = final_run(TINY, TINY.methods[0], 1, {})
    message = r"got no dask scheduler at tcp://127\.0\.0\.1:9 "
    with Executor(scheduler="tcp://127.0.0.1:9") as executor, pytest.raises(WorkerError, match=message) as caught:
        executor.execute({"one": run}, tmp_path)
    assert "\n" not in str(caught.value)


SCRIPT = """
from pathlib import Path
from tiny_experiment import TUNED
from pcltut.experiments import Plan, run_experiment
run_experiment(Plan(TUNED, Path("runs"), workers=2))
"""


def test_a_script_without_a_main_guard_gets_one_line_with_the_remedy(tmp_path: Path):
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "script.py"]
    done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    *_, last = done.stderr.splitlines()
    assert done.returncode == 1 and done.stderr.count("Traceback") == 1, done.stderr
    assert "script.py" in last and 'put what it does under `if __name__ == "__main__":`' in last


@pytest.mark.skipif(sys.platform == "win32", reason="sends Ctrl-C to a group of processes")
@pytest.mark.parametrize("how", ["Ctrl-C", "SIGKILL"])
def test_no_process_is_left_when_the_command_ends(tmp_path: Path, how):
    many = ("--seeds", "60")  # so that the command is still at work when it is stopped
    script = str(ROOT / "tests" / "tiny_experiment.py")
    command = (script, "experiment", "tiny", "--workers", "2", *many, "--out", "out")
    messages = tmp_path / "messages.txt"
    with (
        messages.open("w") as stream,
        started(*command, cwd=tmp_path, stdout=stream, stderr=stream, start_new_session=True) as process,
    ):
        wait_until(lambda: list(tmp_path.glob("out/*/*.json")))
        children = workers_of(process.pid)
        assert len(children) == 2
        os.killpg(process.pid, signal.SIGINT) if how == "Ctrl-C" else process.kill()
        assert process.wait(30) == (130 if how == "Ctrl-C" else -signal.SIGKILL), messages.read_text()
        wait_until(lambda: all(map(is_gone, children)), 30)
    lines = messages.read_text().splitlines()
    if how == "Ctrl-C":
        assert lines[-1] == "interrupted; finished runs are kept in out, the same command goes on"
    lines = [line for line in lines if "resource_tracker" not in line]  # it tidies up after what was killed
    assert not [line for line in lines if "Traceback" in line or "Warning" in line or "distributed" in line], lines

"""Workers: processes that run one job after the other, with one thread each, and end when the runner ends."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from tqdm import tqdm

from pcltut.experiments.declaration import Job
from pcltut.experiments.results import commit
from pcltut.experiments.single import run_one

PATIENCE = 10  # seconds
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


class WorkerError(ValueError):
    """A run that could not be finished, in one line; everything that was finished is on disk."""


class Event(NamedTuple):
    """News of a job: it has reached a point of its curve, or it has ended (with its result)."""

    job: Job
    iteration: int
    result: dict[str, Any] | None = None


def run_jobs(
    jobs: Sequence[Job],
    folder: Path,
    *,
    workers: int,
    device: str = "cpu",
    root: Any = None,
    on_event: Callable[[Event], None],
) -> None:
    """Run all jobs, at most `workers` at a time, and tell their events as they come.

    With one worker the jobs run in this process. The first error ends all workers; what they had not measured yet is
    trained again next time.
    """
    if workers == 1:
        _run_here(jobs, folder, device, root, on_event)
        return
    pending, live = list(reversed(jobs)), {}
    try:
        while pending or live:
            while pending and len(live) < workers:
                worker = _Worker(device)
                worker.give(pending.pop(), folder, root)
                live[worker.connection] = worker
            for connection in wait(list(live)):
                worker = live[connection]
                event = worker.receive()
                if event.result is not None and pending:
                    worker.give(pending.pop(), folder, root)
                elif event.result is not None:
                    live.pop(connection).end()
                on_event(event)
    finally:
        for worker in live.values():
            worker.end(at_once=True)


def _run_here(jobs: Sequence[Job], folder: Path, device: str, root: Any, on_event: Callable[[Event], None]) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for job in jobs:
            try:
                result = run_one(
                    job, folder, device=device, root=root, on_point=lambda point, job=job: on_event(Event(job, point))
                )
            except (OSError, SafetensorError) as error:
                raise WorkerError(explain(error, job)) from error
            on_event(Event(job, job.points[-1], result))
    finally:
        torch.set_num_threads(before)


def explain(error: Exception, job: Job) -> str:
    """An error of a run in one line, with what to do."""
    text = " ".join(str(error).split())
    if getattr(error, "errno", None) == 28 or "os error 28" in text or "No space left" in text:
        return (
            f"the disk is full, {job.name} could not be saved; finished runs are kept, free some space and give the "
            "same command again"
        )
    return f"{job.name}: {text}" if isinstance(error, ValueError) else f"{job.name}: {type(error).__name__}: {text}"


class _Worker:
    """One process and the connection to it."""

    def __init__(self, device: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        with _one_thread():
            self.process = context.Process(target=_serve, args=(theirs, device), daemon=True)
            self.process.start()
        theirs.close()
        self.job: Job | None = None

    def give(self, job: Job, folder: Path, root: Any) -> None:
        self.job = job
        self.connection.send((job, folder, root))

    def receive(self) -> Event:
        try:
            kind, value = self.connection.recv()
        except EOFError:
            raise WorkerError(
                f"the worker of {self.job.name} was ended from outside (out of memory?); give the same command again, "
                "with fewer --workers"
            ) from None
        if kind == "error":
            raise WorkerError(value)
        return Event(self.job, value if kind == "point" else self.job.points[-1], value if kind == "done" else None)

    def end(self, *, at_once: bool = False) -> None:
        """End the process: an idle one by itself, when its connection closes."""
        self.connection.close()
        if not at_once:
            self.process.join(PATIENCE)
        self.process.kill()
        self.process.join()


def _serve(connection: Connection, device: str) -> None:
    """Take jobs and send their events until the runner closes the connection or ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the runner, which ends its workers
    parent = multiprocessing.parent_process()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    tqdm.set_lock(threading.RLock())  # its own would be one between processes, left behind by a killed one
    torch.set_num_threads(1)
    commit()
    while True:
        try:
            job, folder, root = connection.recv()
        except EOFError:
            return
        try:
            result = run_one(
                job, folder, device=device, root=root, on_point=lambda point: connection.send(("point", point))
            )
            message = ("done", result)
        except Exception as error:
            message = ("error", explain(error, job))
        connection.send(message)


def _end_with(parent: Any) -> None:
    """End this process at once when the runner has ended, even by SIGKILL."""
    wait([parent.sentinel])
    os._exit(1)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Processes that start inside use one thread."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

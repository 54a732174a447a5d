"""Many runs to their results: one after the other in this process, or on the workers of a dask cluster."""

import contextlib
import logging
import queue
import signal
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from pcltut.experiments.run import Run
from pcltut.experiments.single import finish

PATIENCE = 30  # seconds


class WorkerError(ValueError):
    """A run that could not be finished, in one line; everything that was finished is on disk."""


class Event(NamedTuple):
    """News of a run: it has reached a point of its curve, or it has ended (with its result)."""

    name: str
    iteration: int
    result: dict[str, Any] | None = None


class Executor(contextlib.AbstractContextManager):
    """Where runs are finished: in this process, or in those of a dask cluster, which starts when it is first needed.

    The processes have one thread each and end with this one, however it ends. A run whose worker died is started again
    on another.

    Args:
        workers: processes on this machine; one run alone, or all with one worker, go on in this process.
        scheduler: address of a cluster that is there already; its workers must see the same folders.
        on_event: is told the runs' events as they come.
    """

    def __init__(
        self,
        workers: int = 1,
        scheduler: str | None = None,
        *,
        device: str = "cpu",
        root: Any = None,
        on_event: Callable[[Event], None] = lambda event: None,
    ) -> None:
        self.workers, self.scheduler, self.on_event = workers, scheduler, on_event
        self.where = (device, None if root is None else Path(root).resolve())
        self._opened = contextlib.ExitStack()
        self._client: Any = None

    def __exit__(self, *error: object) -> None:
        self._opened.close()

    def execute(self, runs: Mapping[str, Run], folder: Path) -> None:
        """Finish all runs, each with the result `folder/<name>.json`.

        The first error ends all; what was not measured yet is trained again next time.
        """
        folder = Path(folder).resolve()
        if not runs or (self.scheduler is None and min(self.workers, len(runs)) == 1):
            for name, run in runs.items():
                self.on_event(_finish(name, run, folder, *self.where, lambda *news: self.on_event(Event(*news))))
            return
        if self._client is None:
            self._client = self._opened.enter_context(_client(self.workers, self.scheduler))
        news, topic = queue.SimpleQueue(), f"pcltut-{uuid.uuid4().hex}"
        self._client.subscribe_topic(topic, lambda message: news.put(Event(*message[1])))
        futures = {}
        for place, (name, run) in enumerate(runs.items()):
            arguments, key = (name, run, folder, *self.where, topic), f"{name}-{topic}"
            future = self._client.submit(_finish_on_worker, *arguments, key=key, priority=-place)
            future.add_done_callback(news.put)
            futures[future] = name
        finished = 0
        while finished < len(futures):
            event = _next(news, self._client)
            if not isinstance(event, Event):
                event, finished = _result(event, futures[event]), finished + 1
            self.on_event(event)
        self._client.unsubscribe_topic(topic)


def _finish(name: str, run: Run, folder: Path, device: str, root: Any, on_point: Callable[[str, int], None]) -> Event:
    """The last event of a run, with one thread; errors in one line."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        result = finish(
            run, folder / f"{name}.json", device=device, root=root, on_point=lambda point: on_point(name, point)
        )
    except Exception as error:
        raise WorkerError(explain(error, name)) from error
    finally:
        torch.set_num_threads(before)
    return Event(name, run.points[-1], result)


def _finish_on_worker(name: str, run: Run, folder: Path, device: str, root: Any, topic: str) -> tuple:
    from distributed import get_worker

    worker = get_worker()
    return tuple(_finish(name, run, folder, device, root, lambda *news: worker.log_event(topic, news)))


def explain(error: Exception, name: str) -> str:
    """An error of a run in one line; those that are not meant for a reader keep their class's name."""
    text = " ".join(str(error).split())
    return f"{name}: {text}" if isinstance(error, ValueError) else f"{name}: {type(error).__name__}: {text}"


def _next(news: queue.SimpleQueue, client: Any) -> Any:
    while True:
        with contextlib.suppress(queue.Empty):
            return news.get(timeout=1.0)  # a wait without an end cannot be interrupted on Windows
        if client.status not in ("running", "connecting"):
            raise WorkerError("the dask scheduler has ended; finished runs are kept, give the same command again")


def _result(future: Any, name: str) -> Event:
    from distributed import KilledWorker

    if future.status == "cancelled":
        raise WorkerError("the dask scheduler has ended; finished runs are kept, give the same command again")
    try:
        return Event(*future.result())
    except KilledWorker:
        raise WorkerError(
            f"the workers of {name} were ended from outside again and again (out of memory?); give the same command "
            "again, with fewer --workers"
        ) from None


@contextlib.contextmanager
def _client(workers: int, scheduler: str | None) -> Iterator[Any]:
    """A client of the scheduler, or of a cluster of processes that ends with this one."""
    try:
        from distributed import Client, LocalCluster
        from distributed.utils import silence_logging_cmgr
    except ImportError:
        raise WorkerError(
            "more than one worker needs the library dask.distributed; run `python -m pip install distributed`, or give "
            "--workers 1"
        ) from None
    with contextlib.ExitStack() as opened:
        opened.enter_context(silence_logging_cmgr(logging.CRITICAL))
        if scheduler is None:
            _check_main_guard()
            with _interrupts_ignored():
                cluster = LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    memory_limit=0,
                    dashboard_address=None,
                    scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # only /health; else port 8787 and a warning
                    silence_logs=logging.CRITICAL,
                )
                opened.enter_context(cluster)
        try:
            client = Client(scheduler or cluster, timeout=PATIENCE, set_as_default=False)
        except (OSError, ValueError) as error:
            raise WorkerError(
                f"got no dask scheduler at {scheduler} ({error}); start one with `dask scheduler`, and give the "
                "address that it prints"
            ) from None
        yield opened.enter_context(client)


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Processes that start inside ignore Ctrl-C for good: it is for this one, which ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _check_main_guard() -> None:
    """Processes that start from a script import it first: without a guard it would start them again."""
    path = getattr(sys.modules["__main__"], "__file__", None)
    if path and path.endswith(".py") and "__main__" not in Path(path).read_text(encoding="utf-8", errors="replace"):
        raise WorkerError(
            f"got the script {path}, which starts workers when it is imported; put what it does under "
            '`if __name__ == "__main__":`, or use workers=1'
        )

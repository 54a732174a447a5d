"""More than one process: how they find one another, what each has to do, and what they add up.

In a single process, or outside `joined`, all of it does nothing. Source of the processes is torchrun.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from typing import NoReturn

import torch
from torch import Tensor
from torch import distributed as dist

NUMBERS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
VARIABLES = (*NUMBERS, "MASTER_ADDR", "MASTER_PORT")
_local = threading.local()


class ProcessLost(ValueError):
    """Another process of this group ended before the work was done."""

    def __init__(self, got: str) -> None:
        super().__init__(
            f"got {got}, expected all processes to go on; see the messages around this one, then start the same "
            "command again: it goes on from the last checkpoint"
        )


@contextlib.contextmanager
def joined(device: str) -> Iterator[str]:
    """Join the processes that torchrun started, and leave them at the end; alone where it started none.

    Gives this process's device: each has a GPU of its own (nccl), or all share the processors (gloo). Of several
    processes that fail the first raises its error, as in `one_voice`. A request to end (SIGTERM, which torchrun sends
    to the others when one process ends) is a `ProcessLost`.

    Raises:
        ValueError: torch has no such backend, there are fewer GPUs than processes, or a variable is missing or wrong.
    """
    if "RANK" not in os.environ:
        yield device
        return
    with one_voice():
        device, backend = _device_and_backend(device)
        from torch.distributed.rendezvous import rendezvous  # here, since not every torch has it

        store, number, size = next(rendezvous("env://"))
        dist.init_process_group(backend, store=store, rank=number, world_size=size)
    try:
        with one_voice(store), _sigterm_raises():
            yield device
    finally:
        dist.destroy_process_group()


@contextlib.contextmanager
def one_voice(store: "dist.Store | None" = None) -> Iterator[None]:
    """Let one process report an error: the others that fail leave with exit code 1 (SystemExit).

    With the group's store it is the first to fail; without, before there is a group, the first on each machine.
    """
    try:
        yield
    except (Exception, KeyboardInterrupt):
        if not _is_first_to_fail(store):
            raise SystemExit(1) from None
        raise


def _is_first_to_fail(store: "dist.Store | None") -> bool:
    if store is None:
        return os.environ.get("LOCAL_RANK", "0") == "0"
    try:
        return store.add("processes that failed", 1) == 1
    except RuntimeError:  # its host is gone: better two reports than none
        return True


@contextlib.contextmanager
def _sigterm_raises() -> Iterator[None]:
    def ended(*_: object) -> NoReturn:
        raise ProcessLost("a request to end")

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set it
        return
    before = signal.signal(signal.SIGTERM, ended)
    try:
        yield
    except BaseException:  # it ends anyway: torchrun, which asks again, must not cut off the report
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise
    signal.signal(signal.SIGTERM, before)


def _device_and_backend(device: str) -> tuple[str, str]:
    """This process's device, and what its processes speak through; ValueError if torchrun's variables do not fit."""
    if missing := [name for name in VARIABLES if name not in os.environ]:
        raise ValueError(f"got RANK without {missing[0]}, expected all that torchrun sets; use torchrun, or unset RANK")
    texts = [os.environ[name] for name in NUMBERS]
    number, size, place, size_here = (int(text) if text.isdecimal() else -1 for text in texts)
    if not (0 <= number < size and 0 <= place < size_here <= size):
        given = ", ".join(f"{name}={text}" for name, text in zip(NUMBERS, texts, strict=True))
        raise ValueError(f"got {given}, expected ranks from 0 and below their sizes; use torchrun, or unset RANK")
    if device not in ("cpu", "cuda"):
        raise ValueError(f"got {size} processes on {device}, expected cpu or cuda; change --device")
    backend = "nccl" if device == "cuda" else "gloo"
    if not dist.is_available() or not dist.is_backend_available(backend):
        raise ValueError(
            f"got a torch without {backend}, expected one for {size} processes on {device}; "
            "install one that has it, or start one process without torchrun"
        )
    if device == "cuda":
        count = torch.cuda.device_count()
        if size_here > count:
            raise ValueError(
                f"got {size_here} processes on a machine with {count} GPUs, expected a GPU for each; "
                f"use --nproc-per-node {count}"
            )
        device = f"cuda:{place}"
        torch.cuda.set_device(device)
    return device, backend


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Within it this thread adds nothing up: for work that the other processes do not do."""
    before, _local.alone = _is_alone(), True
    try:
        yield
    finally:
        _local.alone = before


def world_size() -> int:
    """The number of processes."""
    return 1 if _is_alone() or not dist.is_available() or not dist.is_initialized() else dist.get_world_size()


def rank() -> int:
    """This process's number, from 0."""
    return dist.get_rank() if world_size() > 1 else 0


def own_part(batch: Tensor) -> Tensor:
    """This process's rows of a batch; parts differ by one row at most."""
    return torch.tensor_split(batch, world_size())[rank()]


def own_seed(seed: int) -> int:
    """A seed for this process, independent of the others' and of their number; the first process keeps `seed`."""
    if rank() == 0:
        return seed
    return int(torch.randint(2**62, (rank(),), generator=torch.Generator().manual_seed(seed))[-1])


def sum_over_processes(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The sum of each tensor over all processes, in one exchange.

    Raises:
        ProcessLost: another process ended.
    """
    if world_size() == 1:
        return list(tensors)
    flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
    try:
        dist.all_reduce(flat)
    except RuntimeError as error:
        raise ProcessLost("no answer from another process") from error
    parts = flat.split([tensor.numel() for tensor in tensors])
    return [part.reshape(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]


def mean_over_processes(mean: Tensor, count: int) -> Tensor:
    """The mean over all processes of what has this mean over `count` items here."""
    if world_size() == 1:
        return mean
    total, number = sum_over_processes([mean * count, mean.new_tensor([float(count)])])
    return total / number


def check_same(name: str, digest: str, remedy: str) -> None:
    """Raise ValueError unless all processes call this with one and the same text."""
    if world_size() == 1:
        return
    digests: list[str] = [""] * world_size()
    dist.all_gather_object(digests, digest)
    if len(set(digests)) > 1:
        raise ValueError(f"got {name} that differ between processes, expected the same in all; {remedy}")


def _is_alone() -> bool:
    return getattr(_local, "alone", False)

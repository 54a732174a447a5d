"""More than one process: how they find one another, what each has to do, and what they add up.

In a single process, or outside `joined`, all of it does nothing. Source of the processes is torchrun.
"""

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch import distributed as dist

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
_local = threading.local()


class ProcessLost(ValueError):
    """Another process of this group ended before the work was done."""


@contextlib.contextmanager
def joined(device: str) -> Iterator[str]:
    """Join the processes that torchrun started, and leave them at the end; alone where it started none.

    Gives this process's device: each has a GPU of its own (nccl), or all share the processors (gloo).

    Raises:
        ValueError: torch has no such backend, there are fewer GPUs than processes, or a variable is missing.
    """
    if "RANK" not in os.environ:
        yield device
        return
    if missing := [name for name in VARIABLES if name not in os.environ]:
        raise ValueError(f"got RANK without {missing[0]}, expected all that torchrun sets; use torchrun, or unset RANK")
    backend = "nccl" if device == "cuda" else "gloo"
    if not dist.is_available() or not dist.is_backend_available(backend):
        raise ValueError(
            f"got a torch without {backend}, expected one for {os.environ['WORLD_SIZE']} processes on {device}; "
            "install one that has it, or start one process without torchrun"
        )
    if device == "cuda":
        place, count = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if place >= count:
            raise ValueError(
                f"got {place + 1} processes on a machine with {count} GPUs, expected one for each; lower N"
            )
        device = f"cuda:{place}"
        torch.cuda.set_device(device)
    dist.init_process_group(backend)
    try:
        yield device
    finally:
        dist.destroy_process_group()


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
        raise ProcessLost(
            "got no answer from another process, expected all to go on; see its message above, then start the same "
            "command again: it goes on from the last checkpoint"
        ) from error
    parts = flat.split([tensor.numel() for tensor in tensors])
    return [part.reshape(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]


def mean_over_processes(mean: Tensor, count: int) -> Tensor:
    """The mean over all processes of what has this mean over `count` items here."""
    if world_size() == 1:
        return mean
    total, number = sum_over_processes([mean * count, mean.new_tensor([float(count)])])
    return total / number


def check_same(name: str, digest: str) -> None:
    """Raise ValueError unless all processes call this with one and the same text."""
    if world_size() == 1:
        return
    digests: list[str] = [""] * world_size()
    dist.all_gather_object(digests, digest)
    if len(set(digests)) > 1:
        raise ValueError(
            f"got {name} that differ between processes, expected the same in all; build them from the same seed"
        )


def _is_alone() -> bool:
    return getattr(_local, "alone", False)

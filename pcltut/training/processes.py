"""What the processes of one training run exchange: gradients at each move, and chains that are kept."""

from pathlib import Path

import torch
from torch import Tensor, nn

from pcltut.distributed import check_same, own_part, sum_over_processes, world_size
from pcltut.files import expanded, sha256_of_tensors
from pcltut.models import GenerativeModel
from pcltut.training.checkpoint import load_checkpoint, module_tensors
from pcltut.training.gradients import Gradients


def check_processes(
    model: GenerativeModel, encoder: nn.Module | None, num_images: int, batch_size: int, *, generator: torch.Generator
) -> None:
    """Raise ValueError unless each process gets images of every batch, and all begin with the same numbers."""
    if world_size() == 1:
        return
    smallest = min(batch_size, num_images % batch_size or batch_size)
    if smallest < world_size():
        raise ValueError(
            f"got {world_size()} processes for a batch of {smallest} images, expected no more processes than images; "
            "change batch_size, or start fewer"
        )
    tensors = module_tensors(model, "model") | module_tensors(encoder, "encoder")
    digest = sha256_of_tensors(tensors | {"generator": generator.get_state()}, {})
    check_same("networks or generators", digest, "build them from the same seed")


def checkpoint_of_all(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]] | None:
    """The checkpoint at this path, or None where there is none; ValueError unless all processes find the same."""
    found = load_checkpoint(path) if expanded(path).exists() else None
    if world_size() > 1:
        digest = "none" if found is None else sha256_of_tensors(*found)
        check_same("checkpoints", digest, "keep the file in a folder that all machines share")
    return found


def average(gradients: Gradients, share: float) -> Gradients:
    """The mean over the images of all processes, of which this one has this share; restarts are summed."""
    if world_size() == 1:
        return gradients
    means = [*gradients.model, *gradients.encoder, gradients.loss, gradients.log_joint]
    means.append(torch.as_tensor(gradients.acceptance).to(gradients.loss))
    restarts = gradients.loss.new_tensor(gradients.num_restarts)
    *means, restarts = sum_over_processes([*(mean * share for mean in means), restarts])
    split = len(gradients.model)
    *moves, loss, log_joint, acceptance = means
    return gradients._replace(
        model=moves[:split],
        encoder=moves[split:],
        loss=loss,
        log_joint=log_joint,
        acceptance=acceptance,
        num_restarts=round(restarts.item()),
    )


def rows_of_all(own: Tensor, count: int) -> Tensor:
    """The rows of all processes' parts of a batch of `count`, in the batch's order.

    They go to all processes, since another may see the image next time.
    """
    if world_size() == 1:
        return own
    rows = own.new_zeros(count, *own.shape[1:])
    own_part(rows).copy_(own)
    return sum_over_processes([rows])[0]

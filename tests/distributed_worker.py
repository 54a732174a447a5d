"""What each process of `test_distributed.py` does: train with every algorithm, and write down what came out."""

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from pcltut.distributed import joined, own_seed, rank, sum_over_processes
from pcltut.files import save_tensors
from pcltut.models import Gaussian, GenerativeModel, mlp_decoder, mlp_encoder
from pcltut.samplers import RMSPreconditioner
from pcltut.training import IWAE, LPC, VAE, Algorithm, TrainingState

LATENT_DIM, EVENT, NUM_IMAGES, BATCH, NUM_STEPS = 3, (5,), 25, 10, 4  # the third batch has 5 images
SHARED = RMSPreconditioner(share="batch")
ALGORITHMS: dict[str, Algorithm] = {
    "vae": VAE(num_samples=2),
    "iwae": IWAE(num_samples=3),
    "reverse": LPC(3, 0.01),
    "jeffreys": LPC(3, 0.01, warm_start="jeffreys"),
    "mala": LPC(2, 0.01, kernel="mala"),
    "incremental": LPC(3, 0.01, incremental=True),
    "persistent": LPC(2, 0.01, warm_start="persistent"),
    # Without noise nothing depends on who draws it: these equal one process with the ordinary loop.
    "without noise": LPC(4, 0.02, warm_start="persistent", temperature=0.0),
    "without noise, shared M": LPC(4, 0.02, warm_start="persistent", temperature=0.0, preconditioner=SHARED),
}


def begin(algorithm: Algorithm, batch_size: int = BATCH) -> TrainingState:
    """A run in double precision, the same in every process."""
    generator = torch.Generator().manual_seed(0)
    decoder = mlp_decoder(LATENT_DIM, EVENT, hidden=(6,), generator=generator)
    encoder = mlp_encoder(EVENT, LATENT_DIM, hidden=(6,), generator=generator).double()
    return TrainingState.init(
        algorithm,
        GenerativeModel(decoder, Gaussian(0.5), LATENT_DIM).double(),
        torch.randn(NUM_IMAGES, *EVENT, generator=generator, dtype=torch.float64),
        generator=generator,
        encoder=encoder if algorithm.uses_encoder else None,
        batch_size=batch_size,
        learning_rate=1e-2,
    )


def weights(state: TrainingState) -> dict[str, Tensor]:
    """All trained numbers, and the chains if they are kept."""
    return {name: value for name, value in state.state_dict().items() if name.split(".")[0] in KEPT}


KEPT = ("model", "encoder", "chains", "history")


def caught(work: Callable[[], object]) -> str:
    """Name and text of the error that ends this work."""
    try:
        work()
    except (ValueError, FloatingPointError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def main(folder: Path, checkpoint: Path) -> None:
    """Everything in one start, since starting is what takes time. Writes `checkpoint` if it is not there yet."""
    with joined("cpu"):
        errors = {}
        for name, algorithm in ALGORITHMS.items():
            state = begin(algorithm)
            for _ in range(NUM_STEPS):
                state.step()
            save_tensors(folder / f"{name}.{rank()}.safetensors", weights(state), {})
        noise = torch.randn(20_000, generator=torch.Generator().manual_seed(own_seed(7)), dtype=torch.float64)
        save_tensors(folder / f"noise.{rank()}.safetensors", {"noise": noise}, {})
        state = begin(ALGORITHMS["without noise"])
        if not state.resume(checkpoint):
            state.step()
            state.save(checkpoint)
        sum_over_processes([torch.zeros(1)])  # it is written
        state = begin(ALGORITHMS["without noise"])
        state.resume(checkpoint)
        while state.iteration < NUM_STEPS:
            state.step()
        save_tensors(folder / f"went on.{rank()}.safetensors", weights(state), {})
        errors["other checkpoints"] = caught(lambda: state.resume(checkpoint if rank() else folder / "none"))
        errors["more processes than images"] = caught(lambda: begin(VAE(), batch_size=8))  # the last batch has 1
        other = begin(VAE())
        with torch.no_grad():
            other.model.decoder[0].bias += rank()
        errors["other weights"] = caught(
            lambda: TrainingState.init(
                VAE(), other.model, other.data, generator=other.generator, encoder=other.encoder, batch_size=BATCH
            )
        )
        sum_over_processes([torch.zeros(1)])  # all are here
        last = begin(LPC(3, 1e200 if rank() == 1 else 1e-3))
        if rank() < 2:
            errors["one diverges"] = caught(last.step)
        save_tensors(folder / f"errors.{rank()}.safetensors", {"none": torch.zeros(1)}, errors)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), Path(sys.argv[2]))

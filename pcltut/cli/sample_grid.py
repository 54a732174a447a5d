"""The sample grid of a run: what the model draws, and what it makes of images it has not seen."""

from pathlib import Path

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pcltut.data import Images
from pcltut.files import atomic_path
from pcltut.plotting import plot_images
from pcltut.samplers import run, ula, value_and_score_of
from pcltut.training import LPC, Algorithm, TrainingState

NUM_SAMPLES, NUM_RECONSTRUCTIONS = 48, 12
PRIOR_START_FACTOR = 10  # a chain from the prior needs longer to arrive than one from the encoder


def reconstructions(state: TrainingState, x: torch.Tensor, *, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Images, and what the model makes of them: from the encoder's mean, and from the end of a Langevin chain."""
    algorithm, model, encoder = state.algorithm, state.model, state.encoder
    rows = {"original": x}
    if encoder is not None:
        start = encoder(x).mean
        rows["encoder's mean"] = model.decode(start)
    else:
        start = model.sample_prior(len(x), generator=generator)
    if isinstance(algorithm, LPC):
        num_steps = algorithm.num_steps * (1 if algorithm.uses_encoder else PRIOR_START_FACTOR)
        kernel = ula(
            value_and_score_of(lambda z: model.log_joint(x, z)),
            algorithm.step_size(model) if callable(algorithm.step_size) else algorithm.step_size,
            temperature=algorithm.temperature,
            preconditioner=algorithm.preconditioner,
        )
        state, _ = run(kernel, kernel.init(start), num_steps, generator=generator, keep="last")
        rows[f"after {num_steps} steps"] = model.decode(state.z)
    return rows


@torch.no_grad()
def save_sample_grid(
    path: Path,
    state: TrainingState,
    images: Images,
    *,
    generator: torch.Generator,
    title: str,
) -> None:
    """Draw samples from the prior above reconstructions of the first images, and write the file in one step.

    Shown are mean images of p(x | z), without the noise of the pixels.
    """
    x = images[:NUM_RECONSTRUCTIONS].as_float()
    samples = state.model.decode(state.model.sample_prior(NUM_SAMPLES, generator=generator))
    rows = reconstructions(state, x, generator=generator)
    heights = [NUM_SAMPLES // NUM_RECONSTRUCTIONS, len(rows)]
    figure = Figure(figsize=(9, 0.66 * sum(heights) + 1.3), dpi=110, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 1, height_ratios=heights)
    plot_images(samples, ncols=NUM_RECONSTRUCTIONS, ax=axes[0], title="samples from the prior")
    plot_images(
        torch.cat(list(rows.values())),
        ncols=NUM_RECONSTRUCTIONS,
        ax=axes[1],
        title=f"{images.split} images and their reconstructions",
        row_labels=list(rows),
    )
    figure.suptitle(title, fontsize=9)
    with atomic_path(path) as part:
        figure.savefig(part, metadata={"Software": None})


def describe_run(algorithm: Algorithm, data: str, iteration: int) -> str:
    """Algorithm, data and length of a run in one line."""
    names = ("num_steps", "step_size", "warm_start") if isinstance(algorithm, LPC) else ("num_samples",)
    values = ", ".join(f"{name}={getattr(algorithm, name)!r}" for name in names)
    return f"{type(algorithm).__name__}({values}) on {data}, {iteration} iterations"

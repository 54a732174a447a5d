"""`train`: one run in one folder, which goes on where it was stopped."""

import csv
import dataclasses
import io
import json
import math
from pathlib import Path
from typing import Any

import torch
import typer
from torch import nn

import pcltut
from pcltut import data, models
from pcltut.cli.data import check_name
from pcltut.cli.sheet import describe_run, save_sheet
from pcltut.files import write_text
from pcltut.samplers import rms_preconditioner
from pcltut.training import LPC, VAE, History, fit, load_checkpoint

CHECKPOINT, CONFIG, HISTORY, SHEET = "checkpoint.safetensors", "config.json", "history.csv", "samples.png"
INITIAL_SCALE = 0.4  # about what is left of a pixel's spread after a few steps


@dataclasses.dataclass(frozen=True)
class Settings:
    """All that decides what a run computes, except for how long; config.json holds it.

    A value None belongs to the other algorithm.
    """

    algorithm: str
    data: str
    network: str
    latent_dim: int
    likelihood: str
    num_steps: int | None
    step_size: float | None
    preconditioner: str | None
    warm_start: str | None
    batch_size: int
    learning_rate: float
    seed: int
    device: str

    @classmethod
    def from_options(cls, **options: Any) -> "Settings":
        """Fill in what the command line leaves open: the chain's defaults, and the device."""
        if options["algorithm"] == "lpc":
            if options["preconditioner"] is None:
                options["preconditioner"] = "batch"
            defaults = {
                "num_steps": 5,
                "step_size": 4e-4 if options["preconditioner"] == "none" else 0.15,
                "warm_start": "reverse",
            }
            options |= {name: value for name, value in defaults.items() if options[name] is None}
        cuda = torch.cuda.is_available()
        if options["device"] == "cuda" and not cuda:
            raise ValueError("got --device cuda, but torch finds no CUDA device; use --device cpu or auto")
        if options["device"] == "auto":
            options["device"] = "cuda" if cuda else "cpu"
        return cls(**options)

    def make_algorithm(self) -> LPC | VAE:
        """The algorithm with its hyperparameters."""
        if self.algorithm == "vae":
            return VAE()
        preconditioner = None if self.preconditioner == "none" else rms_preconditioner(share=self.preconditioner)
        return LPC(self.num_steps, self.step_size, warm_start=self.warm_start, preconditioner=preconditioner)

    def make_networks(
        self, event_shape: tuple[int, int, int], uses_encoder: bool, seeds: tuple[int, int]
    ) -> tuple[models.GenerativeModel, models.GaussianEncoder | None]:
        """Model and encoder with fresh weights; the decoder's do not depend on whether there is an encoder."""
        make = {"mlp": (models.mlp_decoder, models.mlp_encoder), "conv": (models.conv_decoder, models.conv_encoder)}
        make_decoder, make_encoder = make[self.network]
        likelihood: nn.Module = {"gaussian": models.Gaussian, "discretized": models.DiscretizedGaussian}[
            self.likelihood
        ](INITIAL_SCALE)
        generators = [torch.Generator(self.device).manual_seed(seed) for seed in seeds]
        decoder = make_decoder(self.latent_dim, event_shape, generator=generators[0])
        model = models.GenerativeModel(decoder, likelihood, self.latent_dim).to(self.device)
        encoder = make_encoder(event_shape, self.latent_dim, generator=generators[1]) if uses_encoder else None
        return model, encoder


def train_and_show(settings: Settings, epochs: int, out: Path, checkpoint_every: int, root: Path | None) -> None:
    """Run or go on, then write history and sample sheet."""
    check_name(settings.data)
    if not any(info.present for info in data.available(root) if info.name == settings.data):
        typer.echo(f"{settings.data}: not here yet, downloading", err=True)
    algorithm = settings.make_algorithm()
    compare_with_config(settings, out)
    images = data.load(settings.data, "train", root).to(settings.device)
    decoder_seed, encoder_seed, fit_seed, sheet_seed = (4 * settings.seed + i for i in range(4))
    model, encoder = settings.make_networks(images.event_shape, algorithm.uses_encoder, (decoder_seed, encoder_seed))
    checkpoint = out / CHECKPOINT
    total = epochs * math.ceil(len(images) / settings.batch_size)
    done = finished_iterations(checkpoint)
    complete = done >= total and all((out / name).exists() for name in (CONFIG, HISTORY, SHEET))
    if complete:
        typer.echo(f"{out}: already trained for {done} iterations, nothing to do; raise --epochs to go on")
        return
    if done:
        typer.echo(f"{out}: going on from iteration {done} of {max(total, done)}")
    else:
        typer.echo(f"{out}: {describe_run(algorithm, settings.data, total)}, on {settings.device}")
    write_text(out / CONFIG, config_text(settings, epochs))
    history = fit(
        algorithm,
        model,
        images,
        generator=torch.Generator(settings.device).manual_seed(fit_seed),
        num_epochs=epochs,
        encoder=encoder,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        checkpoint=checkpoint,
        checkpoint_every=checkpoint_every,
    )
    write_text(out / HISTORY, history_text(history))
    save_sheet(
        out / SHEET,
        algorithm,
        model,
        encoder,
        data.load(settings.data, "validation", root).to(settings.device),
        generator=torch.Generator(settings.device).manual_seed(sheet_seed),
        title=describe_run(algorithm, settings.data, len(history)),
    )
    typer.echo(history.summary())
    typer.echo(f"{out}: {CHECKPOINT}, {CONFIG}, {HISTORY}, {SHEET}")


def compare_with_config(settings: Settings, out: Path) -> None:
    """Stop if the folder holds a run with other settings."""
    path = out / CONFIG
    if out.exists() and not out.is_dir():
        raise ValueError(f"got --out {out}, which is a file; give the name of a folder")
    if not path.exists():
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))["settings"]
        different = [name for name, value in dataclasses.asdict(settings).items() if before[name] != value]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not the config of a run; choose another --out") from error
    if different and (out / CHECKPOINT).exists():
        name = different[0]
        raise ValueError(
            f"{out} holds a run with --{name.replace('_', '-')} {before[name]}, got {getattr(settings, name)}; "
            "choose another --out, or the settings in its config.json"
        )


def finished_iterations(checkpoint: Path) -> int:
    """Iterations that a checkpoint has behind it, 0 if there is none."""
    return int(load_checkpoint(checkpoint)[0]["iteration"]) if checkpoint.exists() else 0


def config_text(settings: Settings, epochs: int) -> str:
    """Settings and versions as JSON."""
    config = {
        "settings": dataclasses.asdict(settings),
        "epochs": epochs,
        "initial_scale": INITIAL_SCALE,
        "versions": {"pcltut": pcltut.__version__, "torch": torch.__version__},
    }
    return json.dumps(config, indent=1) + "\n"


def history_text(history: History) -> str:
    """The history as CSV, one line an iteration; what was not measured is empty."""
    columns = history.columns()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*(values.tolist() for values in columns.values()), strict=True):
        writer.writerow(["" if math.isnan(value) else f"{value:.9g}" for value in row])
    return text.getvalue()

"""`features`: train the network on whose features samples are judged."""

from pathlib import Path

import torch
import typer

from pcltut import data
from pcltut.evaluation.feature_training import train_feature_net
from pcltut.evaluation.features import accuracy, read_feature_net, save_feature_net
from pcltut.files import expanded

DATA = "fashion-mnist"


def train_features(out: Path, epochs: int, seed: int, root: Path | None) -> None:
    """Train on Fashion-MNIST's training split, choose the epoch on validation, measure on test, and write the file."""
    out = expanded(out)
    train, validation, test = (data.load(DATA, split, root) for split in ("train", "validation", "test"))
    network = train_feature_net(
        train,
        validation,
        generator=torch.Generator().manual_seed(seed),
        num_epochs=epochs,
        report=lambda epoch, score: typer.echo(f"epoch {epoch} of {epochs}: validation accuracy {score:.2%}"),
    )
    metadata = {"data": DATA, "seed": str(seed), "epochs": str(epochs), "torch": torch.__version__.partition("+")[0]}
    metadata["command"] = f"python -m pcltut features --epochs {epochs} --seed {seed}"
    save_feature_net(out, network, metadata)
    stored, _ = read_feature_net(out)  # as it will be used: with the weights rounded to 16 bits
    scores = {split.split: accuracy(stored, split.as_float(), split.labels) for split in (validation, test)}
    metadata |= {f"{name}_accuracy": f"{score:.4f}" for name, score in scores.items()}
    save_feature_net(out, network, metadata)
    typer.echo(f"{out}: test accuracy {scores['test']:.2%}, {out.stat().st_size:,} bytes")

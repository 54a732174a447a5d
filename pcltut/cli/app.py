"""The commands with their options and help; what they do is in the other files of this folder.

Nothing heavy is imported here, so that `--help` answers at once.
"""

import enum
import math
from pathlib import Path
from typing import Annotated

import typer

import pcltut
from pcltut.cli.device import Device
from pcltut.cli.errors import one_line_errors

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(data_app, name="data")


class Algorithm(enum.StrEnum):
    """What `train` runs."""

    lpc = "lpc"
    vae = "vae"
    iwae = "iwae"


class Network(enum.StrEnum):
    """The kind of decoder and encoder."""

    mlp = "mlp"
    conv = "conv"


class Likelihood(enum.StrEnum):
    """The density of a pixel around the decoder's output."""

    gaussian = "gaussian"
    discretized = "discretized"


class Preconditioning(enum.StrEnum):
    """The diagonal M of the Langevin steps."""

    none = "none"
    datum = "datum"
    batch = "batch"
    process = "process"


class WarmStart(enum.StrEnum):
    """Where the chains start."""

    reverse = "reverse"
    forward = "forward"
    jeffreys = "jeffreys"
    prior = "prior"
    persistent = "persistent"


Root = Annotated[
    Path | None,
    typer.Option("--root", help="Folder of the data sets.  [default: $PCLTUT_DATA, else ./data]", show_default=False),
]


def _positive(value: float | None) -> float | None:
    if value is not None and not 0 < value < math.inf:
        raise typer.BadParameter(f"got {value}, expected a positive number")
    return value


def _version(value: bool) -> bool:
    if value:
        typer.echo(f"pcltut {pcltut.__version__}")
        raise typer.Exit()
    return value


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """From predictive coding to Langevin dynamics: data, training, and a look at your machine.

    \b
    Examples:
      python -m pcltut doctor
      python -m pcltut data list
      python -m pcltut train --algorithm lpc --data fashion-mnist-mini --epochs 2
    """


@app.command()
def doctor(
    root: Root = None,
    seconds: Annotated[float, typer.Option(min=0, help="Length of the speed probe; 0 leaves it out.")] = 10.0,
) -> None:
    """Show versions, devices, data and memory, and what each chapter will cost on this machine.

    The speed probe takes Langevin steps on a decoder of the usual size. Exit code 1 if something is broken.

    \b
    Examples:
      python -m pcltut doctor
      python -m pcltut doctor --seconds 0      no speed probe
    """
    with one_line_errors():
        from pcltut.cli.doctor import report

        healthy = report(root, seconds)
        raise typer.Exit(0 if healthy else 1)


@data_app.callback()
def data_main() -> None:
    """List, fetch and verify data sets.

    \b
    Examples:
      python -m pcltut data list
      python -m pcltut data get cifar10
      python -m pcltut data verify
    """


@data_app.command("list")
def data_list(root: Root = None) -> None:
    """List the data sets, their sizes and licenses, and which are already here.

    \b
    Examples:
      python -m pcltut data list
      python -m pcltut data list --root /data/images
    """
    with one_line_errors():
        from pcltut.cli.data import list_sets

        list_sets(root)


@data_app.command("get")
def data_get(
    name: Annotated[str, typer.Argument(help="Name of the data set, as `data list` shows it.", show_default=False)],
    root: Root = None,
) -> None:
    """Download a data set, unless it is here and whole.

    A damaged copy is replaced once the new one has arrived in full.

    \b
    Examples:
      python -m pcltut data get mnist
      python -m pcltut data get cifar10 --root /data/images
    """
    with one_line_errors(lambda: "nothing was replaced, the same command starts the download again"):
        from pcltut.cli.data import get_set

        get_set(name, root)


@data_app.command("verify")
def data_verify(
    name: Annotated[
        str | None, typer.Argument(help="Name of one data set; all that are here if left out.", show_default=False)
    ] = None,
    root: Root = None,
) -> None:
    """Read data sets in full and compare checksums and sizes. Exit code 1 if one is damaged.

    \b
    Examples:
      python -m pcltut data verify
      python -m pcltut data verify fashion-mnist-mini
    """
    with one_line_errors():
        from pcltut.cli.data import verify_sets

        raise typer.Exit(0 if verify_sets(name, root) else 1)


@app.command()
def train(
    algorithm: Annotated[
        Algorithm,
        typer.Option(help="Langevin predictive coding, the variational autoencoder, or IWAE.", show_default=False),
    ],
    data: Annotated[str, typer.Option(help="Name of the data set, as `data list` shows it.")] = "fashion-mnist-mini",
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training split.")] = 10,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run.  [default: runs/ALGORITHM-DATA]", show_default=False)
    ] = None,
    network: Annotated[Network, typer.Option(help="Kind of decoder and encoder.")] = Network.mlp,
    latent_dim: Annotated[int, typer.Option(min=1, help="Size of the latent z.")] = 32,
    likelihood: Annotated[
        Likelihood, typer.Option(help="Density of a pixel; its scale is learned.")
    ] = Likelihood.gaussian,
    num_steps: Annotated[
        int | None, typer.Option(min=1, help="lpc: states of a chain.  [default: 5]", show_default=False)
    ] = None,
    step_size: Annotated[
        float | None,
        typer.Option(
            callback=_positive,
            help="lpc: Langevin step size gamma.  [default: 0.15, without preconditioner 0.0004]",
            show_default=False,
        ),
    ] = None,
    preconditioner: Annotated[
        Preconditioning | None,
        typer.Option(
            help="lpc: running scale of the steps, per datum or shared.  [default: batch]", show_default=False
        ),
    ] = None,
    warm_start: Annotated[
        WarmStart | None,
        typer.Option(
            help="lpc: chains start at a draw from an encoder, named by the loss that fits it, at the prior's, "
            "or where they ended.  [default: reverse]",
            show_default=False,
        ),
    ] = None,
    num_samples: Annotated[
        int | None, typer.Option(min=1, help="vae, iwae: draws from the encoder.  [default: 1, 8]", show_default=False)
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images a training step.")] = 100,
    learning_rate: Annotated[float, typer.Option(callback=_positive, help="Adam's, for decoder and encoder.")] = 3e-3,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights, batches and noise.")] = 0,
    device: Annotated[
        Device, typer.Option(help="Where to compute; auto takes a CUDA device if there is one.")
    ] = Device.auto,
    checkpoint_every: Annotated[int, typer.Option(min=1, help="Training steps between checkpoints.")] = 100,
    root: Root = None,
) -> None:
    """Train a generative model; the same command again goes on where it was stopped.

    The run's folder gets checkpoint.safetensors (weights and all that is needed to go on), config.json, history.csv
    and samples.png (samples from the prior; reconstructions under their originals). A finished run is left as it is;
    with more --epochs it goes on.

    \b
    Examples:
      python -m pcltut train --algorithm lpc --data fashion-mnist-mini --epochs 2
      python -m pcltut train --algorithm vae --data fashion-mnist --epochs 20 --out runs/vae
      python -m pcltut train --algorithm iwae --num-samples 8 --epochs 5
      python -m pcltut train --algorithm lpc --num-steps 20 --preconditioner none --step-size 1e-4 --epochs 5
      python -m pcltut train --algorithm lpc --data cifar10 --network conv --latent-dim 64 --device cuda
    """
    chain = {
        "num_steps": num_steps,
        "step_size": step_size,
        "preconditioner": preconditioner and str(preconditioner),
        "warm_start": warm_start and str(warm_start),
    }
    draws = {"num_samples": num_samples}
    own, others, what = (chain, draws, "draws") if algorithm is Algorithm.lpc else (draws, chain, "chains")
    if given := [name for name, value in others.items() if value is not None]:
        option = f"--{given[0].replace('_', '-')}"
        raise typer.BadParameter(f"--algorithm {algorithm} has no {what}; leave it out", param_hint=f"'{option}'")
    out = out if out is not None else Path("runs") / f"{algorithm}-{data}"

    def after_interrupt() -> str:
        saved = (out.expanduser() / "checkpoint.safetensors").exists()
        where = f"from the checkpoint in {out}" if saved else "from the beginning, since nothing was saved yet"
        return f"the same command goes on {where}"

    with one_line_errors(after_interrupt):
        from pcltut.cli.train import make_run, train_and_show

        run = make_run(
            str(algorithm),
            {"learning_rate": learning_rate, **own},
            seed,
            data=data,
            network=str(network),
            latent_dim=latent_dim,
            likelihood=str(likelihood),
            batch_size=batch_size,
        )
        train_and_show(run, device, epochs, out, checkpoint_every, root)


@app.command()
def features(
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("runs/feature_net.safetensors"),
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training split.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights and batches.")] = 0,
    root: Root = None,
) -> None:
    """Train the classifier of Fashion-MNIST on whose features samples are judged (a few minutes on a CPU).

    The package holds such a network: train it again to see where it came from. Train and validation splits alone are
    used; accuracy on the test split is measured at the end and written into the file.

    \b
    Examples:
      python -m pcltut features
      python -m pcltut features --seed 1 --out runs/other.safetensors
    """
    with one_line_errors(lambda: "nothing was written"):
        from pcltut.cli.features import train_features

        train_features(out, epochs, seed, root)

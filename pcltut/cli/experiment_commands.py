"""The commands `experiment` and `report` with their options and help."""

from pathlib import Path
from typing import Annotated

import typer

from pcltut.cli.device import Device
from pcltut.cli.errors import one_line_errors

Name = Annotated[str, typer.Argument(help="Name of the experiment; an unknown one lists them.", show_default=False)]
DataRoot = Annotated[
    Path | None,
    typer.Option("--root", help="Folder of the data sets.  [default: $PCLTUT_DATA, else ./data]", show_default=False),
]


def experiment(
    name: Name,
    only: Annotated[
        list[str] | None, typer.Option(help="Key of a method; may be repeated.  [default: all]", show_default=False)
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Number of seeds.  [default: as declared]", show_default=False)
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="One seed alone.", show_default=False)] = None,
    device: Annotated[Device, typer.Option(help="Where to compute.")] = Device.cpu,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Runs at the same time.  [default: one a core; 4 on a GPU]", show_default=False),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Address of a dask cluster that does the runs, tcp://HOST:8786.", show_default=False),
    ] = None,
    tuning_only: Annotated[
        bool, typer.Option("--tuning-only", help="Stop after tuning: no test image is read.")
    ] = False,
    costs_only: Annotated[
        bool,
        typer.Option("--costs-only", help="Measure what a batch costs, for budgets in seconds: on an idle machine."),
    ] = False,
    features: Annotated[
        str | None, typer.Option(help="Other features for samples: dinov2, or none.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the runs.  [default: runs/NAME]", show_default=False)
    ] = None,
    root: DataRoot = None,
) -> None:
    """Run a declared comparison; the same command again goes on where it was stopped, whatever stopped it.

    Hyperparameters are tuned first, unless the choices are committed for this declaration. Says at the beginning how
    long it will take.

    \b
    Examples:
      python -m pcltut experiment headline
      python -m pcltut experiment headline --only lpc-reverse --seed 1 --out runs/again
      python -m pcltut experiment headline-gpu --device cuda --workers 8
      python -m pcltut experiment color-cifar10 --device cuda
      python -m pcltut experiment headline --scheduler tcp://10.0.0.1:8786
    """
    folder = out if out is not None else Path("runs") / name
    with one_line_errors(lambda: f"finished runs are kept in {folder}, the same command goes on"):
        from pcltut.cli.experiment import measure_and_save_costs, run_and_show

        if costs_only:
            measure_and_save_costs(name, device, root)
            return
        run_and_show(
            name,
            folder,
            only=tuple(only or ()),
            num_seeds=seeds,
            seed=seed,
            device=device,
            workers=workers,
            scheduler=scheduler,
            tuning_only=tuning_only,
            features=features,
            root=root,
        )


def report(
    name: Name,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of runs to report on.  [default: the committed results]", show_default=False),
    ] = None,
    save: Annotated[
        bool, typer.Option("--save", help="Write these results and their search into book/results.")
    ] = False,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write all intervals to this file, too.", show_default=False)
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write the tables as a page to this file, too.", show_default=False)
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", help="Draw the search to this file: rates against evidence.", show_default=False),
    ] = None,
) -> None:
    """Print an experiment's tables: intervals over seeds, differences paired by seed, costs, commands to repeat a run.

    The CSV file has one line for each point, method and metric, with mean, half width and difference in full.

    \b
    Examples:
      python -m pcltut report headline
      python -m pcltut report headline --out runs/headline
      python -m pcltut report headline --csv headline.csv --html headline.html
      python -m pcltut report headline --plot search.png
      python -m pcltut report headline --out runs/headline --save
    """
    with one_line_errors():
        from pcltut.cli.experiment import show_report

        show_report(name, out, save, csv, html, plot)

"""The command `bench` with its options and help."""

from pathlib import Path
from typing import Annotated

import typer

from pcltut.cli.device import Device
from pcltut.cli.errors import one_line_errors


def bench(
    device: Annotated[Device, typer.Option(help="Where to compute.")] = Device.cpu,
    only: Annotated[
        list[str] | None, typer.Option(help="Letter of a group; may be repeated.", show_default="all")
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="Turns of each comparison.", show_default="as many as settle it")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File that gets all rows as JSON.", show_default="none")] = None,
) -> None:
    """Measure what training, sampling and evaluation cost beside the passes that they cannot do without.

    Ratios are taken side by side in one run, with their intervals. Exit code 1 if a promise was missed by more than
    the measured spread.

    \b
    Examples:
      python -m pcltut bench --out book/results/bench.json
      python -m pcltut bench --only a --only c
      python -m pcltut bench --device cuda --out bench-gpu.json
    """
    with one_line_errors():
        from pcltut.cli.bench import measure_and_show

        measure_and_show(device, tuple(only or ()), out, rounds)

"""`bench`: measure the rows, print the table, write it down, and say whether a promise was broken."""

from pathlib import Path

import typer

from pcltut.bench import GROUPS, Row, as_text, is_red, run_bench
from pcltut.bench.table import value_text
from pcltut.cli.device import find_device
from pcltut.experiments.results import write_json
from pcltut.files import writable_path

HIGH_LOAD = 0.5


def measure_and_show(device: str, only: tuple[str, ...], out: Path | None, rounds: int | None) -> None:
    """Exit code 1 if a goal was missed by more than the measured spread."""
    device = find_device(device)
    if out is not None:
        writable_path(out)
    rows: list[Row] = []

    def tell(row: Row) -> None:
        rows.append(row)
        typer.echo(
            f"({row.group}) {row.name}, {row.threads} thread(s): {value_text(row.value)} {row.verdict}", err=True
        )

    result = run_bench(device, only, rounds=rounds, on_row=tell)
    machine, origin = result["machine"], result["provenance"]
    typer.echo(as_text(rows, GROUPS))
    typer.echo(
        f"\n{origin['device'].partition(',')[0]}, {machine['cores']} cores, load before {machine['load_before']:.2f}, "
        f"torch {origin['versions']['torch']}, {result['date']}, {result['seconds']} s"
    )
    if (machine["load_before"] or 0.0) > HIGH_LOAD:
        typer.echo("the machine was at work before: ratios with two threads are not to be trusted")
    if out is not None:
        write_json(out, result)
        typer.echo(f"{out}: written")
    if is_red(rows):
        missed = [f"{row.name} ({row.threads})" for row in rows if row.verdict == "missed"]
        typer.echo(f"missed by more than the spread: {'; '.join(missed)}", err=True)
        raise typer.Exit(1)

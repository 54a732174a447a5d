"""`data list | get | verify`."""

from pathlib import Path

import typer

from pcltut import data
from pcltut.cli.errors import describe
from pcltut.data.sources import data_root


def list_sets(root: Path | None) -> None:
    """Print a table of all data sets."""
    rows = [("name", "image", "train", "valid.", "test", "download", "here", "license")]
    for info in data.available(root):
        rows.append(
            (
                info.name,
                "x".join(map(str, info.event_shape)),
                *(f"{size:,}" for size in info.sizes.values()),
                size_text(info.bytes),
                "yes" if info.present else "no",
                info.license,
            )
        )
    typer.echo(table(rows, left={0, 6, 7}))
    typer.echo(f"\nData folder: {data_root(root)}. Fetch a set with `python -m pcltut data get NAME`.")


def get_set(name: str, root: Path | None) -> None:
    """Fetch a data set and say where it is."""
    check_name(name)
    info = data.get(name, root)
    typer.echo(f"{name}: complete, in {info.folder}")


def verify_sets(name: str | None, root: Path | None) -> bool:
    """Verify one set, or all that are here; whether all are whole."""
    if name is not None:
        check_name(name)
    names = [name] if name is not None else [info.name for info in data.available(root) if info.present]
    whole = True
    for each in names:
        try:
            info = data.verify(each, root)
            typer.echo(f"{each}: whole, {sum(info.sizes.values()):,} images in {info.folder}")
        except data.DataError as error:
            typer.echo(f"error: {describe(error)}", err=True)
            whole = False
    return whole


def check_name(name: str) -> None:
    """Stop with a usage error at a name that no data set has."""
    names = [info.name for info in data.available()]
    if name not in names:
        raise typer.BadParameter(f"{name!r} is no data set; the names are {', '.join(names)}")


def size_text(size: int | float) -> str:
    """Bytes in a reader's unit."""
    if size <= 0:
        return "none"
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def table(rows: list[tuple[str, ...]], left: set[int]) -> str:
    """Rows of cells as aligned text; the columns in `left` are left-aligned, the others right-aligned."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = (
        "  ".join(
            cell.ljust(w) if i in left else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)

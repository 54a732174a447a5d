"""How a command ends: 0 well, 1 with one line on stderr, 2 after a usage error, 130 after Ctrl-C."""

import contextlib
import os
from collections.abc import Callable, Iterator

import typer


@contextlib.contextmanager
def one_line_errors(after_interrupt: Callable[[], str] = str) -> Iterator[None]:
    """Turn an error into one line on stderr and exit code 1, Ctrl-C into exit code 130.

    With the environment variable PCLTUT_TRACEBACK=1 the traceback is shown instead.

    Args:
        after_interrupt: gives what a reader can do after Ctrl-C, the end of that line.
    """
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("; ".join(filter(None, ["interrupted", after_interrupt()])), err=True)
        raise typer.Exit(130) from None
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except Exception as error:
        if os.environ.get("PCLTUT_TRACEBACK") == "1":
            raise
        typer.echo(f"error: {describe(error)}", err=True)
        raise typer.Exit(1) from None


def describe(error: Exception) -> str:
    """An exception in one line; those that are not meant for a reader keep their class's name."""
    text = " ".join(str(error).split())
    if isinstance(error, ValueError | FloatingPointError) and text:
        return text
    name = type(error).__name__
    return f"{name}: {text}" if text else name

"""The command line: `python -m pcltut doctor`, `data list | get | verify`, `train`."""

from pcltut.cli.app import app

__all__ = ["app"]

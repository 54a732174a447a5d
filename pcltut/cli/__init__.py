"""The command line, `python -m pcltut`: `doctor`, `data list | get | verify`, `train`, `experiment`, `report`."""

from pcltut.cli.app import app
from pcltut.cli.experiment_commands import experiment, report

app.command()(experiment)
app.command()(report)

__all__ = ["app"]

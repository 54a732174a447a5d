"""The command line: `python -m pcltut doctor | data | train | features | experiment | report | bench`."""

from pcltut.cli.app import app
from pcltut.cli.bench_command import bench
from pcltut.cli.experiment_commands import experiment, report

app.command()(experiment)
app.command()(report)
app.command()(bench)

__all__ = ["app"]

"""SIGKILL at random moments, in real processes: the same tables, and nothing left behind.

As a script this file is the one that kills: it loads everything once and forks a process for each attempt, so that the
moments fall into the work.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pcltut.files import load_tensors

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
NUM_KILLS = 10
TIMED = ("seconds", "seconds_an_iteration")
MESSAGES = "messages.txt"


def start(folder: Path, workers: int) -> int:
    """Fork a process that runs the experiment in a folder; its report goes to report.txt."""
    sys.stdout.flush()
    process = os.fork()
    if process == 0:
        os.chdir(folder)
        for name, descriptor in (("report.txt", 1), (MESSAGES, 2)):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
        sys.argv[1:] = ["experiment", "tiny", "--out", "out", "--workers", str(workers)]
        try:
            app()
        finally:
            os._exit(1)  # not reached when the command ends well
    return process


def app() -> None:
    from tiny_experiment import TUNED

    from pcltut.cli import app
    from pcltut.experiments import EXPERIMENTS

    EXPERIMENTS[TUNED.name] = TUNED
    try:
        app()
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code or 0)


def kill_again_and_again(folder: Path) -> None:
    """One run that is left alone, then one that is killed ten times; prints at how many kills runs were under way."""
    from tiny_experiment import TUNED

    import pcltut.cli.experiment  # noqa: F401 (so that the processes need not load it)
    from pcltut.experiments import Plan
    from pcltut.experiments.costs import estimate_hours

    plan = Plan(TUNED, folder)
    estimate_hours([*plan.tuning().values(), *plan.final().values()], 1)  # loads all else that a run needs
    begun = time.perf_counter()
    _, status = os.waitpid(start(folder / "whole", 1), 0)
    assert status == 0, (folder / "whole" / MESSAGES).read_text()
    duration = time.perf_counter() - begun

    moments = random.Random(0)
    at_work = 0
    for kill in range(NUM_KILLS):
        # Two of the ten have workers of their own, which must end with them. These take seconds to start.
        workers = 2 if kill in (3, 7) else 1
        process = start(folder / "killed", workers)
        time.sleep(moments.uniform(0, duration / 4) if workers == 1 else moments.uniform(2, 4))
        os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        assert os.WIFSIGNALED(status), "it had ended before it was killed"
        at_work += (folder / "killed" / "out" / "tuning").exists()
    _, status = os.waitpid(start(folder / "killed", 1), 0)
    assert status == 0, (folder / "killed" / MESSAGES).read_text()
    print(at_work, f"{duration:.1f} s uninterrupted", file=sys.stderr)
    print(at_work)


def numbers(value):
    """Everything but times."""
    if isinstance(value, dict):
        return {name: numbers(item) for name, item in value.items() if name not in TIMED}
    return [numbers(item) for item in value] if isinstance(value, list) else value


def contents(folder: Path) -> dict[str, object]:
    """Name and numbers of every file."""
    return {
        path.relative_to(folder).as_posix(): numbers(json.loads(path.read_text()))
        if path.suffix == ".json"
        else {name: value.tolist() for name, value in load_tensors(path)[0].items()}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def table(folder: Path) -> str:
    """The report without its costs, the only times in it."""
    parts = (folder / "report.txt").read_text().split("\n\n")
    kept = [part for part in parts if not part.startswith("Cost: ")]
    assert len(kept) == len(parts) - 1
    return "\n\n".join(kept)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_killed_ten_times_the_table_is_that_of_an_uninterrupted_run(tmp_path: Path):
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "PCLTUT_COMMIT": "none"}
    done = subprocess.run(
        [sys.executable, __file__, str(tmp_path)], env=environment, capture_output=True, text=True, timeout=250
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= NUM_KILLS / 2, "most kills came before the first run had begun"
    assert contents(tmp_path / "killed" / "out") == contents(tmp_path / "whole" / "out")
    assert table(tmp_path / "killed") == table(tmp_path / "whole")
    assert not [path for path in tmp_path.rglob("*") if "partial" in path.name or path.name == "work"]


if __name__ == "__main__":
    kill_again_and_again(Path(sys.argv[1]))

"""Builds the book once for all tests that look at its pages, whatever the number of test processes."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "_build" / "tests"
BUILD = "from jupyter_book.cli.main import main; main()"


def built_book() -> Path:
    """The folder of the rendered pages, built anew when any of their sources has changed.

    Raises:
        AssertionError: the build printed a warning or failed; the message holds its output.
    """
    TARGET.mkdir(parents=True, exist_ok=True)
    html, stamp = TARGET / "_build" / "html", TARGET / "digest.txt"
    with FileLock(TARGET / "lock"):
        digest = digest_of_sources()
        if not (stamp.exists() and stamp.read_text() == digest):
            stamp.unlink(missing_ok=True)
            fetch_page_scripts()
            build(ROOT, TARGET)
            stamp.write_text(digest)
    return html


def fetch_page_scripts() -> None:
    """Puts the vendored scripts in place, as `make book` does."""
    tool = ROOT / "book" / "_tools" / "vendor.py"
    done = subprocess.run([sys.executable, tool], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert (ROOT / "_build" / "vendor").is_dir(), f"the pages' scripts are needed once:\n{done.stderr}"


def build(source: Path, target: Path, *options: str) -> str:
    """Renders the book in `source`, every warning an error; returns what the build printed."""
    command = [sys.executable, "-c", BUILD, "build", "-W", "-n", "--keep-going", *options]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--path-output", str(target), str(source)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=environment,
        timeout=900,
    )
    complaints = [line for line in done.stdout.splitlines() if "WARNING" in line or "ERROR" in line]
    assert done.returncode == 0, "the book does not build cleanly:\n" + ("\n".join(complaints) or done.stdout[-3000:])
    return done.stdout


def digest_of_sources() -> str:
    """One hash over everything that the pages depend on."""
    files = [ROOT / "_config.yml", ROOT / "_toc.yml", ROOT / "requirements.txt"]
    for folder in ("book", "pcltut"):
        files += sorted(path for path in (ROOT / folder).rglob("*") if path.is_file())
    digest = hashlib.sha256(sys.version.encode())
    for path in files:
        if "__pycache__" not in path.parts and ".ipynb_checkpoints" not in path.parts:
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()

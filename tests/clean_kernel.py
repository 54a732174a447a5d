"""A Jupyter kernel that has what the first cell on Colab installs, and nothing else: no repository, no test library.

    python tests/clean_kernel.py FOLDER     then: JUPYTER_PATH=FOLDER pytest --nbval-kernel-name clean ...

Its site-packages holds the package as pip installs it (committed results included), and links to what pip would
install with it and with the kernel: their requirements, and the requirements of these.
"""

import json
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("pcltut", "book/results", "pyproject.toml", "README.md", "LICENSE")
PIP = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def needed(*names: str) -> set[str]:
    """The distributions `names`, and all that they require here."""
    found, waiting = set(), [canonicalize_name(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            requirements = map(Requirement, distribution(name).requires or [])
        except PackageNotFoundError:
            continue  # required on another machine, or a part of Python
        found.add(name)
        wanted = [one for one in requirements if one.marker is None or one.marker.evaluate({"extra": ""})]
        waiting += [canonicalize_name(one.name) for one in wanted]
    return found


def copy_sources(folder: Path) -> Path:
    """What pip reads, in a folder of its own, since a build writes beside it."""
    for name in SOURCES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def install(site: Path) -> None:
    """`pip install` of the sources; then the links."""
    source = copy_sources(site.parent / "source")
    subprocess.run([*PIP, "--no-deps", "--no-build-isolation", "--target", str(site), str(source)], check=True)
    for name in needed("pcltut", "ipykernel") - {"pcltut"}:
        files = distribution(name).files or []
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(distribution(name).locate_file(top))


def main(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    site, kernel = folder / "site", folder / "kernels" / "clean"
    kernel.mkdir(parents=True)
    install(site)
    command = [sys.executable, "-S", "-m", "ipykernel_launcher", "-f", "{connection_file}"]  # -S: no site-packages
    spec = {"argv": command, "display_name": "clean", "language": "python", "env": {"PYTHONPATH": str(site)}}
    (kernel / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())

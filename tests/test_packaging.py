"""The pins, the ranges, and what `pip install .` installs."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def pins(*files: str) -> dict[str, str]:
    """Pinned version by name; every line must be one exact pin, and no package may be pinned twice."""
    found: dict[str, str] = {}
    for file in files:
        for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
            text = line.partition("#")[0].strip()
            if text:
                requirement = Requirement(text)
                (specifier,) = requirement.specifier
                assert specifier.operator == "==", f"{file}: {line} is no exact pin"
                name = canonicalize_name(requirement.name)
                assert name not in found, f"{file}: {line} is pinned twice"
                found[name] = specifier.version
    return found


@pytest.mark.parametrize(
    ("ranges", "files"),
    [
        (PROJECT["dependencies"], ["requirements.txt"]),
        (EXTRAS["book"], ["requirements.txt"]),
        (EXTRAS["experiments"], ["requirements.txt", "tests/requirements.txt"]),
        (EXTRAS["test"], ["requirements.txt", "tests/requirements.txt"]),
    ],
    ids=["package", "book", "experiments", "test"],
)
def test_pins_lie_in_the_ranges(ranges: list[str], files: list[str]) -> None:
    pinned = pins(*files)
    for requirement in map(Requirement, ranges):
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not pinned in {files[-1]}"
        assert requirement.specifier.contains(version), f"the pin {version} lies outside {requirement}"


def test_the_versions_that_the_book_promises() -> None:
    pinned = pins("requirements.txt")
    assert pinned["torch"] == "2.13.0"
    assert pinned["torchvision"] == "0.28.0"
    assert pinned["jupyter-book"] == "1.0.4.post1"


def test_the_citation_names_the_version() -> None:
    from pcltut import __version__

    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_a_wheel_holds_the_whole_package_and_its_data(tmp_path: Path) -> None:
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "pcltut", tmp_path / "source" / "pcltut", ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / "source")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    command += ["--wheel-dir", str(tmp_path), str(tmp_path / "source")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if not name.startswith("pcltut-")}
    source = tmp_path / "source"
    files = {path.relative_to(source).as_posix() for path in source.glob("pcltut/**/*") if path.is_file()}
    assert names == files

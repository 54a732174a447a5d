"""The pins, the ranges, and what `pip install .` installs."""

import json
import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from clean_kernel import copy_sources
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


BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_{0}(sys.argv[1]))"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_sources(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source))
    (path,) = folder.glob("*.whl")
    return path


def pip(command: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def packaged(source: Path) -> set[str]:
    """All files of the package, and the committed results, under the names that they have when installed."""
    files = {path.relative_to(source).as_posix() for path in source.glob("pcltut/**/*") if path.is_file()}
    return files | {f"pcltut/results/{path.name}" for path in results()}


def results() -> list[Path]:
    """What chapters read: tables and pictures, not the parts of a search that is still running."""
    return [path for path in (ROOT / "book" / "results").iterdir() if path.suffix in {".json", ".npz"}]


def test_a_wheel_holds_the_whole_package_its_data_and_the_results(source: Path, wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if not name.startswith("pcltut-")}
    assert names == packaged(source)
    assert {"pcltut/results/headline.json", "pcltut/results/headline-samples.npz"} <= names


def test_an_sdist_holds_what_a_wheel_is_made_of(source: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", BUILD.format("sdist"), str(tmp_path)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    assert {f"book/results/{path.name}" for path in results()} <= names
    assert {name for name in packaged(source) if not name.startswith("pcltut/results/")} <= names


def test_an_installed_package_finds_its_results_from_anywhere(wheel: Path, tmp_path: Path) -> None:
    """As in Colab: no repository, another present folder, and git projects of others around it."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    pip("install", "--no-deps", "--target", str(tmp_path / "site"), str(wheel))
    code = """
import importlib, json
from pcltut.files import PACKAGE, package_commit, results_folder
importlib.import_module("pcltut.results")
found = sorted(path.name for path in results_folder().iterdir() if path.suffix in (".json", ".npz"))
print(json.dumps([str(PACKAGE), found, package_commit()]))
"""
    environment = {key: value for key, value in os.environ.items() if key != "PCLTUT_COMMIT"}
    environment["PYTHONPATH"] = str(tmp_path / "site")
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    package, found, commit = json.loads(done.stdout)
    assert Path(package) == (tmp_path / "site" / "pcltut").resolve()
    assert found == sorted(path.name for path in results())
    assert commit == "unknown"


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda path: path.name)
def test_the_workflow_files_pass_githubs_schema(path: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

"""No common misspelling in prose, code or references (codespell)."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUFFIXES = (".md", ".py", ".bib", ".js", ".css", ".yml", ".toml")
FOLDERS = ("book", "pcltut", "tests")
OWN = "vermillion,teh,carin,theis"  # the name that Okabe and Ito give a color, and people's names


def written_files() -> list[Path]:
    """What people wrote: no pictures, data, results."""
    inside = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*"))]
    return [path for path in (*sorted(ROOT.glob("*")), *inside) if path.suffix in (*SUFFIXES, ".ipynb")]


def test_spelling(tmp_path: Path):
    for path in written_files():
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":  # the cells, without outputs
            text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
        copy = tmp_path / f"{path.relative_to(ROOT).as_posix().replace('/', '_')}.txt"
        copy.write_text(text, encoding="utf-8")
    assert len(list(tmp_path.iterdir())) > 100
    command = [sys.executable, "-m", "codespell_lib", "--ignore-words-list", OWN, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr).replace(str(tmp_path), "")

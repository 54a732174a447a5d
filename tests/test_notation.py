"""Every letter of a displayed equation stands on the page of symbols, for all chapters or for its own."""

import json
import re
from pathlib import Path

import pytest

BOOK = Path(__file__).resolve().parents[1] / "book"
CHAPTERS = sorted(BOOK.glob("[0-9]*.ipynb"))
GREEK = re.compile(
    "(alpha|beta|gamma|delta|(var)?epsilon|zeta|eta|(var)?theta|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|(var)?phi|chi|psi|"
    "omega|Gamma|Delta|Theta|Lambda|Sigma|Phi|Psi|Omega|ell)"
)
ALPHABETS = ("mathbb", "mathcal")  # a letter of theirs is another symbol than the letter


def symbols(tex: str) -> set[str]:
    """Letters of a formula, without words, accents, operators and numbers."""
    tex = re.sub(r"\\(text|operatorname|mathrm|label|begin|end)\*?\{[^{}]*\}|:label:.*", " ", tex)
    found = set()
    for alphabet in ALPHABETS:
        found |= {f"{alphabet} {letter}" for letter in re.findall(rf"\\{alphabet}\s*\{{?([A-Za-z])", tex)}
        tex = re.sub(rf"\\{alphabet}\s*\{{?[A-Za-z]\}}?", " ", tex)
    found |= {name for name in re.findall(r"\\([A-Za-z]+)", tex) if GREEK.fullmatch(name)}
    return found | set(re.findall(r"[A-Za-z]", re.sub(r"\\[A-Za-z]+", " ", tex)))


def listed() -> tuple[set[str], dict[str, set[str]]]:
    """Symbols of all chapters, and those of each chapter alone."""
    everywhere: set[str] = set()
    alone: dict[str, set[str]] = {}
    for line in (BOOK / "notation.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 4 and cells[0].startswith("$"):
            everywhere |= symbols(" ".join(re.findall(r"\$([^$]+)\$", cells[0])))
        elif len(cells) == 3 and cells[0][:1].isdigit():
            for chapter in cells[0].split(", "):
                alone.setdefault(chapter, set()).update(symbols(" ".join(re.findall(r"\$([^$]+)\$", cells[1]))))
    return everywhere, alone


def displayed(path: Path) -> set[str]:
    """Symbols of all displayed equations of a chapter."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    parts = re.findall(r"```\{math\}(.*?)```|\$\$(.*?)\$\$", text, re.DOTALL)
    return set().union(*(symbols("".join(part)) for part in parts))


def test_symbols_are_found():
    assert symbols(r"\mathbb E_q[\log p_\theta(x)] + \text{more} + \bar z") == {"mathbb E", "q", "p", "theta", "x", "z"}


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_symbol_of_an_equation_is_on_the_page_of_symbols(path):
    everywhere, alone = listed()
    missing = displayed(path) - everywhere - alone.get(str(int(path.stem[:2])), set())
    assert not missing, f"add to book/notation.md: {sorted(missing)}"


def test_every_letter_of_one_chapter_is_used_there():
    """In its displayed equations or within its text."""
    _, alone = listed()
    for path in CHAPTERS:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        inline = re.sub(r"\$\$.*?\$\$", " ", text, flags=re.DOTALL)
        used = displayed(path) | symbols(" ".join(re.findall(r"\$([^$]+)\$", inline)))
        assert alone.get(str(int(path.stem[:2])), set()) <= used, path.stem

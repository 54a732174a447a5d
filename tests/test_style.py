"""The prose of the book neither talks down nor pads: words and marks that an editor strikes out."""

import re
from pathlib import Path

import nbformat
import pytest

BOOK = Path(__file__).resolve().parents[1] / "book"
PAGES = [path for path in sorted(BOOK.glob("*")) if path.suffix in (".ipynb", ".md")]
STRUCK = {
    "it talks down": r"\b(?:obviously|trivially|simply|clearly|needless to say|of course|it is easy to|easy to see)\b",
    "it pads": r"\b(?:in order to|note that|utilize[sd]?|basically|actually|in terms of|it should be noted)\b",
    "a word twice": r"\b([A-Za-z]{2,})\s+\1\b",
    "a dash where a comma would do": r"\w\s*—\s*\w",
}


def prose(path: Path) -> str:
    """What is read: markdown without code, mathematics and the names of directives and roles."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = nbformat.reads(text, as_version=4).cells
        text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    text = re.sub(r"^([`~]{3,})(?!\{(?:exercise|prf)).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"\$\$.*?\$\$|\$[^$]*\$|\{[\w:-]+\}`[^`]*`|`[^`]*`", ";", text, flags=re.DOTALL)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_nothing_that_an_editor_strikes_out(path: Path):
    text = prose(path)
    for reason, pattern in STRUCK.items():
        found = [
            " ".join(text[max(0, hit.start() - 40) : hit.end() + 40].split())
            for hit in re.finditer(pattern, text, flags=re.IGNORECASE)
        ]
        assert not found, f"{path.name}, {reason}: {found}"


@pytest.mark.parametrize("sentence", ["Clearly it is so.", "It is the the end.", "We do it in order to see.", "so—so"])
def test_an_editor_would_see_these(sentence: str):
    assert any(re.search(pattern, sentence, flags=re.IGNORECASE) for pattern in STRUCK.values())

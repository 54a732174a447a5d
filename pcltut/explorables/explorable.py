"""What all explorables have in common: their script and style in one text, a caption, and the numbers they show."""

import re
from pathlib import Path

import anywidget
from traitlets import Dict, Unicode

SCRIPTS = Path(__file__).with_name("scripts")
IMPORT = re.compile(r'^import [^;]* from "\./(.*?)";\n', re.MULTILINE)
COMMENT = re.compile(r"^ *//.*\n", re.MULTILINE)


def script(name: str) -> str:
    """One module's text for the page: what `scripts/<name>.js` imports, what that imports, and then itself.

    A static page cannot import a second file from a widget's text. So the files stand one after the other, without
    imports, and without the lines that only comment: a page carries them once for each explorable.
    """
    return "\n".join(COMMENT.sub("", IMPORT.sub("", _read(file))) for file in script_files(name))


def script_files(name: str) -> list[str]:
    """The files that the text of a module consists of, those that others import first."""
    files: list[str] = []
    for file in IMPORT.findall(_read(f"{name}.js")):
        files += [each for each in script_files(file.removesuffix(".js")) if each not in files]
    return [*files, f"{name}.js"]


def _read(file: str) -> str:
    return (SCRIPTS / file).read_text(encoding="utf-8")


class Explorable(anywidget.AnyWidget):
    """A widget whose script runs in the reader's browser, with a kernel behind it or without.

    Attributes:
        caption: what there is to find, below the drawing.
        values: the numbers that are shown now, as the page last told them; empty where there is no kernel.
    """

    _css = _read("page.css")

    caption = Unicode("").tag(sync=True)
    values = Dict().tag(sync=True)

    def __repr__(self) -> str:
        """The name alone: a notebook shows it where widgets cannot be drawn."""
        return f"{type(self).__name__}()"

"""What all explorables have in common: their script and style in one text, a caption, and the numbers they show."""

import re
from pathlib import Path

import anywidget
from traitlets import Dict, Unicode

SCRIPTS = Path(__file__).with_name("scripts")
SHARED = ("core.js", "page.js")


def script(name: str) -> str:
    """One module's text for the page: the two shared files, then `scripts/<name>.js`.

    A static page cannot import a second file from a widget's text. So the files stand one after the other, without
    the words that make modules of the shared ones.
    """
    shared = [re.sub(r"^export ", "", _read(file), flags=re.MULTILINE) for file in SHARED]
    own = re.sub(r"^import .*?;\n", "", _read(f"{name}.js"), flags=re.MULTILINE | re.DOTALL)
    return "\n".join([*shared, own])


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

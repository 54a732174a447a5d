"""Each SVG figure gets a dark twin, and the page shows the one that fits its theme.

Photographs and other raster parts of a figure stay as they are. White becomes the page's background and black its
text; the palette of the book stays recognizable and becomes light enough; any other color keeps its hue and turns its
lightness over, so that the order within a color map holds.
"""

import colorsys
import re
from pathlib import Path

from pcltut.plotting import COLORS

BACKGROUND, TEXT = 0.07, 0.92  # lightness in the dark theme
CONTRAST = 4.5  # WCAG 2.2, AA
FIGURE = re.compile(r'<img\b[^>]*\bsrc="[^"]*/?_images/[^"]*\.svg"[^>]*>')
COLOR = re.compile(r"(?<=: )#[0-9a-f]{6}\b")


def dark_color(color: str) -> str:
    """The color `#rrggbb` of a figure on white, for a figure on the dark page."""
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    if color.upper() in PALETTE:
        while contrast(dark := as_hex(hue, lightness, saturation)) < CONTRAST:
            lightness += 0.01
        return dark
    return as_hex(hue, TEXT - lightness * (TEXT - BACKGROUND), saturation)


PALETTE = {value.upper() for name, value in COLORS.items() if name != "black"}


def as_hex(hue: float, lightness: float, saturation: float) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in colorsys.hls_to_rgb(hue, lightness, saturation))


def contrast(color: str) -> float:
    """Contrast of a color with the dark page (WCAG 2.2)."""
    return (luminance(color) + 0.05) / (luminance(as_hex(0, BACKGROUND, 0)) + 0.05)


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def dark_figure(svg: str) -> str:
    """The dark twin of a figure that matplotlib drew."""
    recolored = COLOR.sub(lambda found: dark_color(found[0]), svg)
    return recolored.replace("<svg ", f'<svg fill="{as_hex(0, TEXT, 0)}" ', 1)  # what has no color of its own is black


def show_both(app, pagename, templatename, context, doctree):
    """Each figure twice in the page; the theme shows one of them."""
    if "body" in context:
        context["body"] = FIGURE.sub(lambda found: pair(found[0]), context["body"])


def pair(tag: str) -> str:
    light = mark(tag, "light-figure")
    return light + mark(re.sub(r'(src="[^"]*)\.svg"', r'\1.dark.svg"', tag), "dark-figure")


def mark(tag: str, name: str) -> str:
    if 'class="' in tag:
        return tag.replace('class="', f'class="{name} ', 1)
    return tag.replace("<img", f'<img class="{name}"', 1)


def write_dark_figures(app, exception):
    if exception is None and app.builder.format == "html":
        for path in (Path(app.outdir) / "_images").glob("*.svg"):
            if not path.name.endswith(".dark.svg"):
                text = dark_figure(path.read_text(encoding="utf-8"))
                path.with_suffix(".dark.svg").write_text(text, encoding="utf-8")


def setup(app):
    app.connect("html-page-context", show_both)
    app.connect("build-finished", write_dark_figures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

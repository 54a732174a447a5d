"""The dark twins of figures: readable, recognizable, and true to the order of a color map."""

import re
import sys
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from pcltut.plotting import COLORS

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "book" / "_tools"))

import dark_figures as dark


@pytest.mark.parametrize("name", COLORS)
def test_a_color_of_the_palette_is_readable_on_the_dark_page(name):
    assert dark.contrast(dark.dark_color(COLORS[name].lower())) >= 4.5


def test_contrast_is_that_of_wcag():
    assert dark.luminance("#ffffff") == pytest.approx(1) and dark.luminance("#000000") == 0
    assert dark.luminance("#777777") == pytest.approx(0.184, abs=0.001)  # WebAIM: 4.48 on white
    assert 1.05 / (dark.luminance("#777777") + 0.05) == pytest.approx(4.48, abs=0.005)


def test_white_becomes_the_page_and_black_its_text():
    assert dark.dark_color("#ffffff") == "#121212"
    assert dark.contrast(dark.dark_color("#000000")) > 14


@pytest.mark.parametrize("name", ["Blues", "gray", "Greens"])
def test_the_order_of_a_color_map_is_turned_over(name):
    ramp = [to_hex(color) for color in colormaps[name](np.linspace(0, 1, 9))]
    light = np.array([dark.luminance(color) for color in ramp])
    turned = np.array([dark.luminance(dark.dark_color(color)) for color in ramp])
    assert (np.sign(np.diff(light)) == -np.sign(np.diff(turned))).all()


def drawn() -> str:
    figure = Figure(figsize=(2, 2))
    ax = figure.add_subplot(title="a title")
    ax.imshow(np.arange(4).reshape(2, 2), cmap="gray", interpolation="none")
    ax.plot([0, 1], [0, 1], color=COLORS["blue"])
    text = StringIO()
    figure.savefig(text, format="svg")
    return text.getvalue()


def test_pictures_inside_a_figure_stay_as_they_are():
    light = drawn()
    twin = dark.dark_figure(light)
    raster = re.compile(r'xlink:href="data:image/png;base64,[^"]+"')
    assert raster.findall(light) == raster.findall(twin) and len(raster.findall(twin)) == 1
    assert "#0072b2" in light and "#0072b2" not in twin and "#ffffff" not in twin
    assert twin.count('fill="#ebebeb"') == 1  # the title, of which matplotlib does not say that it is black


def test_a_page_shows_one_of_the_two():
    tag = '<img alt="a.svg file" src="../_images/ab12.svg" />'
    twice = dark.FIGURE.sub(lambda found: dark.pair(found[0]), f"<p>{tag}</p>")
    assert twice.count("<img") == 2 and twice.count('alt="a.svg file"') == 2
    assert 'class="light-figure"' in twice and 'class="dark-figure"' in twice and "_images/ab12.dark.svg" in twice
    other = '<img alt="x" src="../_images/ab12.png" /><img src="_static/logo.svg"/>'
    assert dark.FIGURE.sub("", other) == other

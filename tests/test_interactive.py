"""Sliders: their parts are linked in the browser, their pictures have words, their bytes are reproducible."""

import base64
import io
import re
import subprocess
import sys

import ipywidgets
import matplotlib
import pytest
from PIL import Image

matplotlib.use("agg")

from matplotlib import pyplot as plt

from pcltut import interactive

ALTS = [f"A straight line climbs from zero to a height of {n}." for n in range(12)]


def line(height: float):
    figure, ax = plt.subplots(figsize=(2, 1.5))
    ax.plot([0, height])
    return figure


def frames(number: int) -> list:
    return [line(height) for height in range(number)]


def links() -> list[ipywidgets.jslink]:
    return [
        widget for widget in ipywidgets.Widget.get_manager_state()["state"].values() if "Link" in widget["model_name"]
    ]


@pytest.fixture(autouse=True)
def no_leftovers():
    """No test sees the widgets or figures of another."""
    yield
    ipywidgets.Widget.close_all()
    plt.close("all")


def test_slider_and_stack_are_linked_in_the_browser():
    box = interactive.stack_slider(frames(3), [0.1, 0.2, 0.5], description="step size", alts=ALTS[:3])
    slider, stack = box.children
    assert slider.description == "step size"
    assert [label for label, _ in slider.options] == ["0.1", "0.2", "0.5"]
    assert len(stack.children) == 3 and stack.selected_index == slider.index == 0
    (link,) = links()
    assert link["model_name"] == "LinkModel"  # followed by the browser, no kernel needed
    ends = [link["state"][end] for end in ("source", "target")]
    assert ends == [
        [f"IPY_MODEL_{slider.model_id}", "index"],
        [f"IPY_MODEL_{stack.model_id}", "selected_index"],
    ]


def test_pictures_are_inline_pngs_with_alternative_text():
    alts = ['Quotes "and" <angles> & ampersands survive inside an attribute\'s text.', ALTS[1]]
    box = interactive.stack_slider(frames(2), ["a", "b"], description="height", alts=alts)
    for picture, alt in zip(box.children[1].children, alts, strict=True):
        image = re.fullmatch(
            r'<img class="pcltut-frame" alt="([^"<>]*)" src="data:image/png;base64,(.+)">', picture.value
        )
        assert (
            image
            and image[1]
            .replace("&quot;", '"')
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&#x27;", "'")
            .replace("&amp;", "&")
            == alt
        )
        assert Image.open(io.BytesIO(base64.b64decode(image[2]))).format == "PNG"


def test_figures_are_closed_and_bytes_are_taken_as_they_are():
    png = interactive.to_png(line(1))
    assert not plt.get_fignums()
    box = interactive.stack_slider([png, line(2)], ["a", "b"], description="height", alts=ALTS[:2])
    assert not plt.get_fignums()
    assert base64.b64encode(png).decode() in box.children[1].children[0].value


def test_start_is_the_position_shown_first():
    slider, stack = interactive.stack_slider(frames(3), "abc", description="height", alts=ALTS[:3], start=2).children
    assert slider.index == stack.selected_index == 2
    assert slider.label == "c"


def test_png_is_white_and_carries_no_software_or_date():
    png = interactive.to_png(line(1))
    image = Image.open(io.BytesIO(png))
    assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert not image.text


def test_png_is_the_same_in_every_process():
    code = (
        "import matplotlib, sys; matplotlib.use('agg')\n"
        "from matplotlib import pyplot as plt\n"
        "from pcltut.interactive import to_png\n"
        "figure, ax = plt.subplots(); ax.plot([0, 2, 1]); sys.stdout.buffer.write(to_png(figure))"
    )
    first, second = (
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize(
    ("number", "labels", "alts", "start", "message"),
    [
        (1, "a", ALTS[:1], 0, "expected 2 to 12"),
        (13, "abcdefghijklm", [*ALTS, ALTS[0]], 0, "expected 2 to 12"),
        (2, "abc", ALTS[:2], 0, "2 frames, 3 labels and 2 alts"),
        (2, "ab", ALTS[:3], 0, "2 frames, 2 labels and 3 alts"),
        (2, "ab", [ALTS[0], "too short"], 0, r"alts\[1\] = 'too short'"),
        (2, "ab", ALTS[:2], 2, "start=2"),
        (2, "ab", ALTS[:2], -1, "start=-1"),
    ],
)
def test_wrong_arguments_are_named(number, labels, alts, start, message):
    png = interactive.to_png(line(1))
    with pytest.raises(ValueError, match=message):
        interactive.stack_slider([png] * number, labels, description="x", alts=alts, start=start)

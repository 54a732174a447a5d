"""Sliders that keep working when the page is a file without a kernel.

A slider made with ``ipywidgets.interact`` calls Python at each move, so it is dead in the rendered book. Here every
position is drawn in advance and shipped as a picture; a link that the browser itself follows (``jslink``) picks the
one to show. With a kernel the same widgets can be read and driven from Python as well.
"""

import base64
import html
import io
from collections.abc import Sequence

import ipywidgets
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

MAX_FRAMES = 12
"""The most pictures that a slider takes, since each one is shipped inside the notebook and the page."""


def to_png(figure: Figure, *, dpi: int = 80) -> bytes:
    """Renders a figure to PNG bytes that depend on the figure alone (no date, no version), and closes it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, facecolor="white", bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
    return buffer.getvalue()


def stack_slider(
    frames: Sequence[Figure | bytes],
    labels: Sequence[object],
    *,
    description: str,
    alts: Sequence[str],
    start: int = 0,
    dpi: int = 80,
) -> ipywidgets.VBox:
    """A slider over pictures drawn in advance; it moves in the static page, with no kernel.

    Args:
        frames: 2 to 12 matplotlib figures (rendered and closed here) or ready PNG bytes, one for each position.
        labels: what the slider shows beside its handle at each position, for example the step sizes.
        description: the slider's name, shown at its left and read out by screen readers.
        alts: for each picture, what it shows, in eight words or more: the finding, not the file.
        start: the position shown first.
        dpi: resolution of figures; the payload grows with its square.

    Returns:
        A ``VBox`` of the slider and the stack of pictures. ``.children[0].index`` is the position: with a kernel it
        can be set from Python.
    """
    _check_frames(frames, labels, alts)
    if not 0 <= start < len(frames):
        raise ValueError(f"got start={start} for {len(frames)} frames; pass a position from 0 to {len(frames) - 1}")
    pictures = [
        ipywidgets.HTML(_image_tag(frame if isinstance(frame, bytes) else to_png(frame, dpi=dpi), alt))
        for frame, alt in zip(frames, alts, strict=True)
    ]
    stack = ipywidgets.Stack(pictures, selected_index=start)
    slider = ipywidgets.SelectionSlider(
        options=[(str(label), position) for position, label in enumerate(labels)],
        index=start,
        description=description,
        continuous_update=True,
        style={"description_width": "initial"},
        layout=ipywidgets.Layout(width="min(100%, 32rem)"),
    )
    ipywidgets.jslink((slider, "index"), (stack, "selected_index"))
    box = ipywidgets.VBox([slider, stack])
    box.add_class("pcltut-slider")
    return box


def _check_frames(frames: Sequence, labels: Sequence, alts: Sequence[str]) -> None:
    if not len(frames) == len(labels) == len(alts):
        raise ValueError(
            f"got {len(frames)} frames, {len(labels)} labels and {len(alts)} alts; "
            "pass one label and one alt text for each frame"
        )
    if not 2 <= len(frames) <= MAX_FRAMES:
        raise ValueError(f"got {len(frames)} frames, expected 2 to {MAX_FRAMES}: each one is shipped inside the page")
    for position, alt in enumerate(alts):
        if len(alt.split()) < 8:
            raise ValueError(f"got alts[{position}] = {alt!r}; say in 8 words or more what that picture shows")


def _image_tag(png: bytes, alt: str) -> str:
    # ipywidgets.Image has no alternative text, hence HTML.
    data = base64.b64encode(png).decode("ascii")
    return f'<img class="pcltut-frame" alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'

"""Plots: what is drawn equals what was given, and nothing global changes."""

import dataclasses
import io
import os
import subprocess
import sys

import matplotlib
import nbformat
import numpy as np
import pytest
import torch

matplotlib.use("agg")

from matplotlib import colors
from matplotlib import pyplot as plt
from nbclient import NotebookClient

from pcltut import plotting
from pcltut.evaluation import effective_sample_size, split_rhat
from pcltut.plotting import curves
from pcltut.samplers import mala, run, ula, value_and_score_of
from pcltut.training import History


@pytest.fixture(autouse=True)
def closed_figures():
    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before, "a plot changed matplotlib's global settings"
    plt.close("all")


def history(length: int = 4) -> History:
    count = torch.arange(length, dtype=torch.float64)
    unmeasured = torch.full((length,), float("nan"), dtype=torch.float64)
    columns = {column.name: unmeasured for column in dataclasses.fields(History)} | {
        "iteration": count,
        "loss": 10 - count,
        "log_joint": count,
        "decoder_evaluations": 5 * (count + 1),
        "stability_margin": torch.tensor([float("nan"), 3.0, float("nan"), 2.0], dtype=torch.float64)[:length],
    }
    return History(**columns)


def test_importing_changes_no_setting():
    code = (
        "import matplotlib; before = dict(matplotlib.rcParams); import pcltut.plotting;"
        "assert dict(matplotlib.rcParams) == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_new_figures_are_white_whatever_the_style():
    with plt.style.context("dark_background"):
        figure, axes = plotting.new_figure(2, 3, width=5.0, height=4.0)
    assert figure.get_facecolor() == (1, 1, 1, 1)
    assert axes.shape == (2, 3)
    assert figure.get_size_inches().tolist() == [5, 4]


def test_a_style_that_wants_latex_changes_no_figure():
    """The reader's matplotlibrc may say text.usetex: True where no LaTeX is installed; texts are not written for it."""

    def draw() -> bytes:
        fig, ax = plotting.new_figure()
        plotting.plot_path(torch.tensor([[0.0, 0.1], [3.0, 2000.0]]), ax=ax, label="50 % of a_b", title="$z$ & 50 %")
        ax.set_yscale("log")
        ax.text(1.0, 10.0, "a_b")
        fig.canvas.draw()
        pixels = bytes(fig.canvas.buffer_rgba())
        fig.savefig(io.BytesIO(), bbox_inches="tight")
        plt.close(fig)
        return pixels

    plain = draw()
    with plt.rc_context({"text.usetex": True}):
        assert draw() == plain
        images = plotting.plot_images(torch.zeros(4, 1, 5, 5), title="50 %", row_labels=["a_b", "c"])
        images.figure.savefig(io.BytesIO(), bbox_inches="tight")
        assert plt.rcParams["text.usetex"]


@pytest.mark.slow
def test_a_notebook_shows_every_figure():
    """Its backend becomes interactive at the first figure, and shows later ones only as long as it is."""
    code = "from pcltut.plotting import new_figure\nfigure, ax = new_figure()"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for _ in range(3)])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    environment.pop("MPLBACKEND", None)
    NotebookClient(notebook, kernel_name="python3", timeout=60, extra_arguments=["--log-level=40"]).execute(
        env=environment
    )
    for cell in notebook.cells:
        assert [output for output in cell.outputs if "image/png" in output.get("data", {})], cell.outputs


def test_colors_differ_for_the_color_blind():
    """Okabe and Ito's colors stay apart in lightness or hue: no two of the first five share a luminance."""
    rgb = np.array([colors.to_rgb(color) for color in list(plotting.COLORS.values())[:5]])
    luminance = rgb @ [0.2126, 0.7152, 0.0722]
    distances = np.abs(luminance[:, None] - luminance[None]) + np.abs(rgb[:, None, 2] - rgb[None, :, 2])
    assert distances[~np.eye(5, dtype=bool)].min() > 0.1


def test_images_are_laid_out_in_rows():
    x = torch.linspace(-1, 1, 6).reshape(6, 1, 1, 1).expand(6, 1, 4, 5)
    ax = plotting.plot_images(x, ncols=3, title="Six grays", row_labels=["first", "second"])
    mosaic = ax.images[0].get_array()
    assert mosaic.shape == (2 * 5 - 1, 3 * 6 - 1)
    for index in range(6):
        top, left = 5 * (index // 3), 6 * (index % 3)
        assert np.allclose(mosaic[top : top + 4, left : left + 5], index / 5, atol=1e-6)
    assert np.all(mosaic[4] == 1) and np.all(mosaic[:, 5] == 1)  # the lines between
    assert ax.get_title() == "Six grays"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["first", "second"]


def test_images_outside_the_range_are_black_or_white():
    x = torch.tensor([-3.0, 3.0]).reshape(2, 1, 1, 1)
    mosaic = plotting.plot_images(x, ncols=2).images[0].get_array()
    assert mosaic[0, 0] == 0 and mosaic[0, 2] == 1


def test_color_images_keep_their_channels():
    x = torch.tensor([1.0, -1.0, 0.0]).reshape(1, 3, 1, 1)
    assert np.allclose(plotting.plot_images(x).images[0].get_array(), [[[1, 0, 0.5]]])


def test_an_incomplete_last_row_stays_white():
    mosaic = plotting.plot_images(-torch.ones(3, 1, 2, 2), ncols=2).images[0].get_array()
    assert np.all(mosaic[3:, 3:] == 1) and np.all(mosaic[3:, :2] == 0)


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize(
    ("shape", "arguments", "message"),
    [
        ((2, 4, 3, 3), {}, "4 channels"),
        ((0, 1, 3, 3), {}, "no image"),
        ((4, 1, 3, 3), {"ncols": 2, "row_labels": ["one"]}, "1 row labels for 2 rows"),
    ],
)
def test_wrong_images_are_named(shape, arguments, message):
    with pytest.raises(ValueError, match=message):
        plotting.plot_images(torch.zeros(shape), **arguments)


def test_history_is_drawn_against_what_was_asked_for():
    ax = plotting.plot_history(history(), "loss", against="decoder_evaluations", label="LPC", title="Falls")
    (curve,) = ax.lines
    assert curve.get_xdata().tolist() == [5, 10, 15, 20]
    assert curve.get_ydata().tolist() == [10, 9, 8, 7]
    assert ax.get_xlabel() == "decoder evaluations" and ax.get_ylabel() == "loss (nats an image)"
    assert ax.get_legend().get_texts()[0].get_text() == "LPC"


def test_history_leaves_out_what_was_not_measured():
    (curve,) = plotting.plot_history(history(), "stability_margin").lines
    assert curve.get_xdata().tolist() == [1, 3]
    assert curve.get_ydata().tolist() == [3, 2]


def test_history_draws_on_the_axes_given():
    _, ax = plotting.new_figure()
    assert plotting.plot_history(history(), ax=ax) is ax
    assert plotting.plot_history(history(), "log_joint", ax=ax) is ax
    assert len(ax.lines) == 2


def test_unknown_columns_are_named():
    with pytest.raises(ValueError, match="got 'time', expected one of iteration, epoch"):
        plotting.plot_history(history(), against="time")


def test_labels_belong_to_columns_of_the_history():
    assert set(curves.HISTORY_LABELS) <= {column.name for column in dataclasses.fields(History)}


def test_contours_of_a_gaussian_lie_at_their_radii():
    scale = torch.tensor([0.5, 1.5])
    ax = plotting.plot_density_2d(
        lambda z: -0.5 * ((z / scale) ** 2).sum(-1) + 7.0, (-3.0, 3.0, -6.0, 6.0), radii=(1.0, 2.0), resolution=241
    )
    assert ax.get_xlim() == (-3, 3) and ax.get_ylim() == (-6, 6)
    contours = ax.collections[0]
    for radius, path in zip((1.0, 2.0), contours.get_paths(), strict=True):
        measured = np.sqrt(((path.vertices / scale.numpy()) ** 2).sum(1))
        assert np.allclose(measured, radius, atol=0.02)


def test_density_must_give_one_value_a_point():
    with pytest.raises(ValueError, match="one value a point"):
        plotting.plot_density_2d(lambda z: z, (-1.0, 1.0, -1.0, 1.0))
    with pytest.raises(ValueError, match="left < right"):
        plotting.plot_density_2d(lambda z: z.sum(-1), (1.0, -1.0, -1.0, 1.0))


def test_path_marks_start_and_end():
    z = torch.tensor([[0.0, 0.0], [1.0, 2.0], [3.0, 1.0]])
    path, start, end = plotting.plot_path(z, label="chain").lines
    assert path.get_xydata().tolist() == z.tolist()
    assert start.get_xydata().tolist() == [[0, 0]]
    assert end.get_xydata().tolist() == [[3, 1]]


def test_band_is_one_standard_deviation_wide():
    x, runs = torch.arange(3.0), torch.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 7.0]])
    ax = plotting.plot_band(x, runs, label="mean")
    assert ax.lines[0].get_ydata().tolist() == [2, 2, 5]
    vertices = ax.collections[0].get_paths()[0].vertices
    assert np.isclose(vertices[:, 1].max(), 5 + 8**0.5) and np.isclose(vertices[:, 1].min(), 2 - 2**0.5)
    with pytest.raises(ValueError, match="expected at least 2"):
        plotting.plot_band(x, runs[:1])


def test_tensors_that_need_a_gradient_can_be_drawn():
    z = torch.randn(5, 2, generator=torch.Generator().manual_seed(0), requires_grad=True)
    plotting.plot_path(z)
    plotting.plot_band(torch.arange(2.0), z)
    plotting.plot_images(z.reshape(5, 1, 1, 2))


def test_a_trace_shows_every_chain_and_their_health():
    generator = torch.Generator().manual_seed(1)
    kernel = mala(value_and_score_of(lambda z: -0.5 * z.square().sum(-1)), 0.5)
    start = torch.randn(3, 2, 4, generator=generator)  # 3 chains, 2 images, 4 latents
    _, trace = run(kernel, kernel.init(start), 50, generator=generator)
    ax = plotting.plot_trace(trace, image=1, title="Three chains agree")
    assert len(ax.lines) == 3
    for chain, line in enumerate(ax.lines):
        np.testing.assert_allclose(line.get_ydata(), trace.log_density[:, chain, 1])
    of_image = trace.log_density[:, :, 1]
    for part in (
        "Three chains agree",
        f"R-hat {split_rhat(of_image):.3f}",
        f"effective sample size {effective_sample_size(of_image):.0f}",
        f"acceptance {trace.acceptance[:, :, 1].mean():.2f}",
    ):
        assert part in ax.get_title()
    assert "restarts" not in ax.get_title()
    assert "restarts 4" in plotting.plot_trace(trace._replace(num_restarts=4)).get_title()


def test_a_trace_without_chain_dimension_is_one_chain():
    kernel = ula(value_and_score_of(lambda z: -0.5 * z.square().sum(-1)), 0.1)
    _, trace = run(kernel, kernel.init(torch.zeros(5, 2)), 20, generator=torch.Generator().manual_seed(1))
    assert len(plotting.plot_trace(trace, image=4).lines) == 1
    with pytest.raises(ValueError, match="got image=5, expected 0 to 4; count"):
        plotting.plot_trace(trace, image=5)


def searched(*values: float | None) -> dict:
    """One method's search: a trial for each evidence (None: it failed), and the best trial again."""
    runs = [
        {
            "hyperparameters": {"learning_rate": 10.0 ** -(index + 1), "encoder_learning_rate": 2.0**-index},
            "failed": "diverged" if value is None else None,
            "curve": [] if value is None else [{"log_evidence": value}],
        }
        for index, value in enumerate(values)
    ]
    search = {"learning_rate": [], "encoder_learning_rate": []}
    return {"search": search, "trials": runs, "refinement": runs[:1], "hyperparameters": runs[0]["hyperparameters"]}


def test_a_search_shows_each_rate_of_each_run():
    ax = plotting.plot_search(searched(90.0, 40.0, -1000.0, None), title="VAE")
    marks = [line for line in ax.lines if line.get_marker() == "o"]
    at = [(line.get_xdata()[0], line.get_ydata()[0]) for line in marks]
    assert at[:2] == [(0.1, 90.0), (0.01, 40.0)] and at[4] == at[0]
    assert at[2][1] == at[3][1] < 0 and min(y for _, y in at) > ax.get_ylim()[0], "the bad ones lie on the lower edge"
    assert [line.get_markerfacecolor() for line in (marks[0], marks[4])] == [plotting.COLORS["blue"], "none"]
    assert {text.get_text() for text in ax.get_legend().get_texts()} == {"decoder's", "encoder's"}
    with pytest.raises(ValueError, match="without a run that ended well"):
        plotting.plot_search(searched(None, None))


def test_searches_have_a_panel_a_method():
    figure = plotting.plot_searches(
        {"methods": {"vae": searched(1.0), "lpc": searched(2.0), "pc": searched(0.0)}}, {"vae": "VAE"}
    )
    assert [ax.get_title() for ax in figure.axes if ax.get_visible()] == ["VAE", "lpc", "pc"]
    assert [ax.get_legend() is not None for ax in figure.axes] == [True, False, False, False]

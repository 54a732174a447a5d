"""The page on your own images: its code runs as it stands, in order, on a folder of generated pictures."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from PIL import Image

from pcltut.experiments import load_search

PAGE = Path(__file__).resolve().parents[1] / "book" / "howto.md"
BLOCKS = re.findall(r"^```python\n(.+?)^```", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def draw_pictures(folder: Path, num: int) -> None:
    """Soft spots of random place, width and color, in several sizes and formats."""
    random = np.random.default_rng(0)
    for n in range(num):
        height, width = random.integers(30, 60, 2)
        rows, columns = np.mgrid[:height, :width] / min(height, width)
        center = random.uniform(0.4, 0.6, 2) * (height, width) / min(height, width)
        square = (rows - center[0]) ** 2 + (columns - center[1]) ** 2
        spot = np.exp(-square / (2 * random.uniform(0.15, 0.3) ** 2))
        pixels = (spot[..., None] * random.integers(120, 255, 3)).astype(np.uint8)
        path = folder / ("small" if n % 2 else "large") / f"{n:03}.{'png' if n % 3 else 'jpg'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


@pytest.mark.slow
def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, no_shape_checks):
    draw_pictures(tmp_path / "pictures", 300)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PCLTUT_PROGRESS", "0")
    names: dict = {"__name__": "howto"}
    with torch.random.fork_rng():  # torch's layers draw weights when they are made; the page draws them again
        for block in BLOCKS:
            exec(compile(block, "howto.md", "exec"), names)
    plt.close("all")
    said = capsys.readouterr().out
    assert "Images(name='pictures', split='train', n=270, event_shape=(1, 28, 28)" in said
    assert names["history"].loss[-1] < names["history"].loss[0]
    assert (tmp_path / "samples.png").is_file() and (tmp_path / "my-run.safetensors").is_file()
    assert torch.isfinite(names["evidence"]).all()
    # The mean picture and one standard deviation: what a model is worth that has learned no latent.
    x, held_out = (names[name].as_float() for name in ("train", "held_out"))
    mean, deviation = x.mean(0), (x - x.mean(0)).std()
    ignorant = torch.distributions.Normal(mean, deviation).log_prob(held_out[:50]).flatten(1).sum(1)
    assert names["evidence"].mean() > ignorant.mean()
    assert names["model"].likelihood.scale < deviation


def test_the_step_sizes_of_which_the_page_speaks():
    methods = load_search("headline")["methods"].values()
    sizes = [found["hyperparameters"]["step_size"] for found in methods if "preconditioner" in found["hyperparameters"]]
    assert (f"{min(sizes):.2f}", f"{max(sizes):.1f}") == ("0.04", "0.2")
    assert "chose 0.04 to 0.2" in PAGE.read_text(encoding="utf-8")


def test_lines_fit_into_the_column():
    assert len(BLOCKS) > 8
    assert not [line for block in BLOCKS for line in block.splitlines() if len(line) > 80]

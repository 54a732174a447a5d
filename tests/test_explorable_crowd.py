"""The crowd of chapter 3: the law that the page sums is the model's, and the chapter tells what ULA does."""

import heapq
from pathlib import Path

import numpy as np
import pytest
import torch
from in_node import in_node
from torch import Tensor

from pcltut.explorables.crowd import Crowd
from pcltut.explorables.garment import garment, garment_model
from pcltut.samplers import run, ula, value_and_score_of

CELLS = 71
SPLIT = -0.65  # trousers lie to the left of it, coats to the right


def plane() -> Tensor:
    """The page's grid from -3.5 to 3.5, row by row from the top."""
    axis = torch.linspace(-3.5, 3.5, CELLS, dtype=torch.float64)
    return torch.cartesian_prod(axis.flip(0), axis).flip(1)


def log_joint(rows: int) -> Tensor:
    return garment_model(rows).double().log_joint(garment()[..., :rows, :].double(), plane()[:, None])[:, 0]


@pytest.mark.parametrize(("rows", "temperature"), [(4, 1.0), (4, 2.5), (7, 1.0)])
def test_the_law_is_that_of_the_model(tmp_path: Path, rows: int, temperature: float):
    widget = Crowd()
    body = """
    const network = new js.Decoder(given.decoder.sizes, js.unpackHalves(given.decoder.weights));
    const posterior = new js.Posterior(network, given.picture.slice(0, 28 * given.rows));
    const {mass, height} = posterior.law(given.temperature);
    return {mass: [...mass], height, valley: [...posterior.valley]};
    """
    given = {"decoder": widget.decoder, "picture": widget.picture, "rows": rows, "temperature": temperature}
    got = in_node("crowd", body, tmp_path, **given)
    values = log_joint(rows)
    mass = (values / temperature).softmax(0)
    np.testing.assert_allclose(got["mass"], mass, rtol=1e-3, atol=1e-9)  # the page's pixels have four digits
    assert got["height"] == pytest.approx((mass * (values.max() - values)).sum().item(), rel=1e-3)
    tops = np.array(got["valley"])
    assert (tops[tops] == tops).all() and (values[tops] >= values).all()
    left = mass[plane()[:, 0] < SPLIT].sum().item()
    of_trousers = sum(mass[i].item() for i, top in enumerate(tops) if plane()[top, 0] < SPLIT)
    assert of_trousers == pytest.approx(left, abs=0.01)


def wall(values: Tensor, left: int, right: int) -> float:
    """Nats from the higher of two tops' valleys up to the lowest pass between them: the best worst cell of a way."""
    best, queue = {left: values[left].item()}, [(-values[left].item(), left)]
    while queue:
        height, cell = heapq.heappop(queue)
        if cell == right:
            return min(values[left].item(), values[right].item()) + height
        row, column = divmod(cell, CELLS)
        for r in range(max(0, row - 1), min(CELLS, row + 2)):
            for c in range(max(0, column - 1), min(CELLS, column + 2)):
                there = min(-height, values[r * CELLS + c].item())
                if there > best.get(r * CELLS + c, -float("inf")):
                    best[r * CELLS + c] = there
                    heapq.heappush(queue, (-there, r * CELLS + c))
    raise AssertionError("no way")


def test_the_wall_between_the_valleys_is_four_nats_high_and_the_coat_holds_two_thirds():
    values, on_left = log_joint(4), plane()[:, 0] < SPLIT
    left = values.where(on_left, -torch.inf).argmax().item()
    right = values.where(~on_left, -torch.inf).argmax().item()
    assert wall(values, left, right) == pytest.approx(4, abs=0.4)
    assert values.softmax(0)[~on_left].sum() == pytest.approx(0.69, abs=0.01)


@pytest.mark.parametrize(("step_size", "steps", "low", "high"), [(0.01, 1000, 0.62, 0.78), (0.1, 1000, 0.1, 0.45)])
def test_small_steps_find_the_coat_and_large_ones_the_trousers(no_shape_checks, step_size, steps, low, high):
    model, seen = garment_model(4), garment()[..., :4, :]
    generator = torch.Generator().manual_seed(0)
    kernel = ula(value_and_score_of(lambda z: model.log_joint(seen, z)), step_size)
    start = torch.randn(400, 1, 2, generator=generator)
    state, _ = run(kernel, kernel.init(start), steps, generator=generator, keep="last")
    assert low < (state.z[:, 0, 0] > SPLIT).float().mean() < high

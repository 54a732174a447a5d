"""What chapter 2 says of its walks, of its valley and of the force on a weight, against the package's own chain."""

import math
import re

import pytest
import torch
from chapters import prose
from oracles import seeded
from torch import Tensor

from pcltut.explorables.garment import garment, garment_model
from pcltut.models import LinearGaussian
from pcltut.samplers import gradient_ascent, run, stability_margin, value_and_score_of

TROUSERS, COAT = (-1.51, 0.45), (0.25, 1.13)
VALLEY = ((2.0, 0.0), (0.0, 0.5), (1.0, 0.5))


def settled(model, x: Tensor, z: Tensor, step_size: float, num_steps: int):
    """State and trace of the package's chain."""
    kernel = gradient_ascent(value_and_score_of(lambda z: model.log_joint(x, z)), step_size)
    return run(kernel, kernel.init(z), num_steps, generator=seeded(0))


def valley() -> LinearGaussian:
    return LinearGaussian(torch.tensor(VALLEY, dtype=torch.float64), scale=0.5).requires_grad_(False)


@pytest.mark.parametrize(("start", "floor"), [((-0.4, 0.0), TROUSERS), ((-0.1, 0.0), COAT)])
def test_the_start_decides_between_the_trousers_and_the_coat(start, floor):
    model, seen = garment_model(num_rows=4), garment()[..., :4, :]
    end, trace = settled(model, seen, torch.tensor([[start]]), 0.02, 200)
    torch.testing.assert_close(end.z[0, 0], torch.tensor(floor), rtol=0, atol=0.02)
    torch.testing.assert_close(trace.z[25, 0, 0], end.z[0, 0], rtol=0, atol=0.1)  # "some twenty steps"
    assert trace.score[-1].norm() < 1e-2


def test_with_steps_of_a_twentieth_the_walk_jumps_back_and_forth_at_the_trousers():
    model, seen = garment_model(num_rows=4), garment()[..., :4, :]
    _, trace = settled(model, seen, torch.tensor([[[-0.4, 0.0]]]), 0.05, 400)
    last = trace.z[-4:, 0, 0]
    assert (last[0] - last[1]).norm() > 0.2
    torch.testing.assert_close(last[:2], last[2:], rtol=0, atol=1e-3)


def test_the_numbers_of_the_valley_are_those_of_the_text():
    smallest, largest = torch.linalg.eigvalsh(valley().posterior_precision()).tolist()
    best = 2 / (smallest + largest)
    expected = {
        r"curvature (\d+\.\d) across its valley": f"{largest:.1f}",
        r"and (\d\.\d) along it": f"{smallest:.1f}",
        r"1 / 21\.2 = (0\.\d+)\$": f"{1 / largest:.3f}",
        r"here at \$\\gamma = (0\.\d+)\$": f"{best:.3f}",
        r"each step leaves (\d+) percent": f"{100 * (1 - best * smallest):.0f}",
        r"2 / 21\.2 = (0\.\d+)\$": f"{2 / largest:.3f}",
    }
    found = {pattern: re.findall(pattern, prose(2)) for pattern in expected}
    assert found == {pattern: [number] for pattern, number in expected.items()}
    assert smallest / largest == pytest.approx(1 / 8, abs=0.01)  # "an eighth of its distance"


@pytest.mark.parametrize("product", [0.5, 1.9, 2.02])
def test_the_chain_follows_the_powers_and_the_margin_is_two_over_the_product(product):
    model = valley()
    x, start = model.sample(1, generator=seeded(1)), model.sample_prior(1, generator=seeded(2))
    mean, precision = model.posterior(x)[0], model.posterior_precision()
    step_size = product / torch.linalg.eigvalsh(precision)[-1].item()
    state, trace = settled(model, x, start, step_size, 500 if product < 2 else 100)
    shrink = torch.eye(2).to(precision) - step_size * precision
    powers = torch.stack([torch.linalg.matrix_power(shrink, t) for t in range(100)])
    torch.testing.assert_close(trace.z[:100] - mean, (start - mean) @ powers, rtol=0, atol=1e-10)
    assert stability_margin(model, x, start, step_size, generator=seeded(3)) == pytest.approx(2 / product, abs=1e-6)
    assert product > 2 or (state.z - mean).norm() < 1e-10


def force(weight: float, variance: float, scale: float, step_size: float, num_steps: int) -> float:
    """The chapter's closed form, equation eq-pc-force."""
    s = weight**2 + scale**2
    r = (1 - step_size * s / scale**2) ** (num_steps - 1)
    bracket = (1 - r) * variance / s * (scale**2 + r * weight**2) / s - r**2
    return weight / scale**2 * bracket


@pytest.mark.parametrize("num_steps", [2, 3, 10, 21])
@pytest.mark.parametrize(("weight", "variance", "scale"), [(0.7, 2.0, 0.5), (2.5, 6.0, 1.0), (3.1, 1.0, 1.2)])
def test_the_force_is_the_mean_gradient_at_the_last_state(weight, variance, scale, num_steps):
    """Of second order in data and start, so plus and minus one deviation of both give its exact mean."""
    signs = torch.tensor([1.0, -1.0], dtype=torch.float64)
    x, z = (each.reshape(-1, 1) for each in torch.meshgrid(math.sqrt(variance) * signs, signs, indexing="ij"))
    model = LinearGaussian(torch.tensor([[weight]], dtype=torch.float64), scale=scale)
    last = settled(model, x, z, 0.2, num_steps - 1)[0].z.detach()
    gradient = torch.autograd.grad(model.log_joint(x, last).mean(), [model.weight])[0].item()
    assert gradient == pytest.approx(force(weight, variance, scale, 0.2, num_steps), rel=1e-9, abs=1e-9)


def end_of_learning(variance: float, step_size: float, num_steps: int) -> float:
    """The product of step and curvature at which the force, with sigma = 1, is no longer positive."""
    products = torch.linspace(1, 2, 200_001, dtype=torch.float64)[1:-1]
    weights = (products / step_size - 1).sqrt()
    positive = torch.tensor([force(w, variance, 1.0, step_size, num_steps) > 0 for w in weights[::100].tolist()])
    return products[::100][int(positive.sum()) - 1].item()


@pytest.mark.parametrize("parity", [0, 1])
@pytest.mark.parametrize("variance", [1.0, 6.0])
def test_long_chains_end_at_the_edge_with_a_share_of_the_start_that_hardly_changes(variance, parity):
    lengths = (20 + parity, 40 + parity, 80 + parity)
    ends = [end_of_learning(variance, 0.2, num_steps) for num_steps in lengths]
    assert ends == sorted(ends) and 2 - ends[-1] < 0.04
    shares = [(end - 1) ** (num_steps - 1) for end, num_steps in zip(ends, lengths, strict=True)]
    assert all(0 < share < 1 for share in shares)
    assert max(shares) - min(shares) < 0.1


@pytest.mark.parametrize("num_steps", [3, 8, 30])
def test_a_direction_is_learned_if_its_variance_passes_the_threshold(num_steps):
    share = (1 - 0.2) ** (num_steps - 1)
    threshold = share**2 / (1 - share)
    assert force(1e-6, 1.001 * threshold, 1.0, 0.2, num_steps) > 0
    assert force(1e-6, 0.999 * threshold, 1.0, 0.2, num_steps) < 0


def test_the_lesson_reads_these_numbers_off_the_explorable():
    """`book/teaching/notes_02.md`: how many steps leave a hundredth, and where the two weights end."""
    model, x = valley(), torch.tensor([[0.6, 0.3, 0.5]], dtype=torch.float64)
    start, mean = torch.tensor([[-1.5, 1.6]], dtype=torch.float64), model.posterior(x)[0]
    steps = {}
    for step_size in (0.047, 0.083, 0.088):
        away = (settled(model, x, start, step_size, 60)[1].z - mean).norm(dim=-1).flatten()
        steps[step_size] = int((away <= 0.01 * away[0]).nonzero()[0])
    assert steps == {0.047: 30, 0.083: 18, 0.088: 31}
    for step_size, variance, at_rest in ((0.05, 3.0, 9.1), (0.05, 8.0, 9.1), (0.1, 8.0, 4.6)):
        weight = 0.5
        for _ in range(3000):
            weight += 0.05 * force(weight, variance, 0.5, step_size, 20)
        assert weight**2 + 0.25 == pytest.approx(at_rest, abs=0.05)

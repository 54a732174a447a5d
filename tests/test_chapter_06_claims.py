"""Chapter 6: the lines it adds to the learner, and the closed forms that its text states."""

import math
import re

import pytest
import torch
from chapters import cells, prose

PROSE = prose(6)


def test_the_new_lines_are_those_of_the_listing_that_is_checked() -> None:
    (listing,) = (cell.source for cell in cells(6) if cell.source.startswith("def gradients_by_hand"))
    (fragment,) = re.findall(r"```python\n(.*?)```", PROSE, flags=re.DOTALL)
    shown = [line for line in fragment.splitlines() if line.strip() != "..."]
    assert [line for line in listing.splitlines() if line in shown] == shown
    new = [line for line in listing.splitlines() if "# new" in line]
    assert len(new) == 4 and set(new) <= set(shown)


def test_shared_scale_has_the_moments_of_a_chi_distribution() -> None:
    stated = re.search(r"For \$n = 8, 64, 250\$ that is ([\d.]+), ([\d.]+) and ([\d.]+):", PROSE)
    for n, value in zip((8, 64, 250), stated.groups(), strict=True):
        third_over_first = 2 * math.exp(math.lgamma((n + 3) / 2) - math.lgamma((n + 1) / 2))
        assert third_over_first == pytest.approx(n + 1)
        assert f"{third_over_first / n:.3f}" == value


def test_moment_without_the_divergence_term() -> None:
    z = torch.linspace(-12, 12, 200_001, dtype=torch.float64)
    crowd = (0.5 + z.abs()) * (-z.square() / 2).exp()  # p / M
    moment = (z.square() * crowd).sum() / crowd.sum()
    stated = re.search(r"= ([\d.]+)\$ without the term", PROSE)[1]
    assert f"{moment:.3f}" == stated


@pytest.mark.parametrize("divergence", [False, True])
def test_the_flux_vanishes_where_the_text_says(divergence: bool) -> None:
    """At p / M without the divergence term, at p with it."""
    z = torch.linspace(0.1, 3, 50, dtype=torch.float64, requires_grad=True)
    metric = 1 / (0.5 + z)
    density = (-z.square() / 2).exp()
    crowd = density if divergence else density / metric
    (term,) = torch.autograd.grad(metric.sum(), z, retain_graph=True)
    (spread,) = torch.autograd.grad((metric * crowd).sum(), z)
    drift = metric * -z + (term if divergence else 0)
    torch.testing.assert_close(crowd * drift, spread, rtol=0, atol=1e-12)


def test_first_scores_that_would_freeze_an_unstable_scale() -> None:
    """With gamma = .01, M = 1 / |g| is beyond the limit gamma M < 2 where |g| < .005."""
    assert "the four chains in a thousand whose score was below $\\gamma / 2$" in PROSE
    assert round(1000 * math.erf(0.005 / math.sqrt(2))) == 4


def test_root_of_the_diagonal_is_half_of_the_cure() -> None:
    """On a logarithmic scale, for curvatures on the axes; and what is left of 101 on the toy."""
    precision = torch.tensor([[101.0, 5.0], [5.0, 1.25]], dtype=torch.float64)
    left = []
    for power in (0.0, 0.5, 1.0):
        root = precision.diagonal() ** (-power / 2)
        low, high = torch.linalg.eigvalsh(root[:, None] * precision * root)
        left.append((high / low).item())
    stated = re.search(r"\$\\kappa\$ falls from (\d+) to (\d+), not to (\d\.\d)", PROSE)
    assert [f"{left[0]:.0f}", f"{left[1]:.0f}", f"{left[2]:.1f}"] == list(stated.groups())

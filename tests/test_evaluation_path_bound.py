"""The path bound of unadjusted Langevin steps: unbiased at any step size, and blind unless it is annealed."""

import pytest
import torch
from oracles import close, linear_weight, normal, seeded
from test_evaluation_ais import assert_weights
from torch.distributions import Normal

from pcltut.evaluation import ula_path_bound
from pcltut.models import DiagonalGaussian, LinearGaussian
from pcltut.objectives import elbo

MODEL = LinearGaussian(linear_weight(), normal(5, seed=1), 0.7)
X = MODEL.sample(4, generator=seeded(2))
EVIDENCE = MODEL.log_evidence(X).detach()
MEAN, COVARIANCE = (part.detach() for part in MODEL.posterior(X))


def around_posterior(width: float, shift: float) -> DiagonalGaussian:
    return DiagonalGaussian(MEAN + shift, (width * COVARIANCE.diagonal().sqrt()).log().expand_as(MEAN))


@pytest.mark.parametrize("annealed", [True, False])
@pytest.mark.parametrize("step_size", [1e-3, 0.02, 0.06])
@pytest.mark.parametrize("num_steps", [1, 2, 5])
def test_mean_weight_is_the_evidence_at_every_step_size(num_steps, step_size, annealed):
    """The largest step is near the stability limit, 0.083: ULA's own law is far too wide there."""
    q = around_posterior(1.3, 0.1)
    settings = {"annealed": annealed, "generator": seeded(3), "num_samples": 20_000}
    assert_weights(ula_path_bound(MODEL, X, q, step_size, num_steps, **settings) - EVIDENCE)


@pytest.mark.parametrize("annealed", [True, False])
def test_log_weight_is_the_ratio_of_the_path_backward_and_forward(annealed):
    """Written with densities of the transitions, and the score of a Gaussian bridge by hand."""
    q, step_size, num_steps = around_posterior(0.7, 0.3), 0.04, 6
    actual = ula_path_bound(MODEL, X, q, step_size, num_steps, annealed=annealed, generator=seeded(4), num_samples=3)

    generator = seeded(4)
    z = q.sample(torch.randn(3, 4, 3, generator=generator, dtype=torch.float64))
    expected = -Normal(q.mean, q.scale).log_prob(z).sum(-1)
    for step in range(1, num_steps + 1):
        beta = step / num_steps if annealed else 1.0

        def move(z, beta=beta):
            score = (1 - beta) * (q.mean - z) / q.scale**2 - beta * (z - MEAN) @ MODEL.posterior_precision()
            return Normal(z + step_size * score, (2 * step_size) ** 0.5)

        moved = move(z).mean + (2 * step_size) ** 0.5 * torch.randn(3, 4, 3, generator=generator, dtype=torch.float64)
        expected = expected + (move(moved).log_prob(z) - move(z).log_prob(moved)).sum(-1)
        z = moved
    close(actual, expected + MODEL.log_joint(X, z))


def test_annealing_shows_what_the_plain_chain_hides():
    """A q beside the posterior: the chain forgets it, and only the annealed bound says so."""
    q, step_size = around_posterior(1.0, 0.5), 0.01
    gap = (EVIDENCE - elbo(MODEL, X, q, normal(4000, 4, 3, seed=5)).detach()).mean()
    settings = {"generator": seeded(6), "num_samples": 400}
    plain, annealed = (
        [(EVIDENCE - ula_path_bound(MODEL, X, q, step_size, n, annealed=a, **settings)).mean() for n in (10, 50, 200)]
        for a in (False, True)
    )
    assert gap > 4
    assert 0.85 * gap < plain[2] < gap and abs(plain[2] - plain[0]) < 0.1  # it stays near the ELBO
    assert gap > 1.5 * annealed[0] > 3 * annealed[1] > 6 * annealed[2] > 0
    # The chain itself has arrived: its covariance is the posterior's up to the known bias of ULA.
    arrived = MODEL.ula_covariance_after(200, step_size, torch.diag(q.scale[0] ** 2)).detach()
    close(arrived, MODEL.ula_stationary_covariance(step_size).detach(), 1e-2)


@pytest.mark.parametrize("num_steps", [1, 20])
def test_with_tiny_steps_the_plain_bound_is_the_elbo(num_steps):
    """Detailed balance cancels every step: log w tends to log p(x, z_0) - log q(z_0), whatever their number."""
    q = around_posterior(1.3, 0.5)
    weights = ula_path_bound(MODEL, X, q, 1e-8, num_steps, annealed=False, generator=seeded(8), num_samples=5)
    z = q.sample(torch.randn(5, 4, 3, generator=seeded(8), dtype=torch.float64))
    close(weights, MODEL.log_joint(X, z) - q.log_prob(z), 1e-3)


def test_one_pass_a_step_and_no_gradients(monkeypatch):
    calls = []
    decode = LinearGaussian.decode
    monkeypatch.setattr(LinearGaussian, "decode", lambda self, z: calls.append(z.shape) or decode(self, z))
    found = ula_path_bound(MODEL, X, around_posterior(1, 0), 0.01, 7, annealed=True, generator=seeded(7))
    assert [shape for shape in calls if len(shape) == 3] == [(1, 4, 3)] * 8  # others look at the data alone
    assert found.shape == (1, 4) and not found.requires_grad


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"step_size": 0.0}, r"got step_size=0.0, expected a finite number above 0"),
        ({"step_size": "1e-3"}, r"got step_size='1e-3', expected a number; write it without quotes"),
        ({"num_steps": 0}, r"got num_steps=0, expected at least 1; for none the bound is the ELBO"),
        ({"num_samples": 0}, r"got num_samples=0, expected at least 1"),
        ({"num_samples": 2.0}, r"got num_samples=2.0, expected a whole number"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    settings = {"step_size": 0.01, "num_steps": 3, "annealed": True, "generator": seeded(0)} | settings
    with pytest.raises(ValueError, match=message):
        ula_path_bound(MODEL, X, around_posterior(1, 0), **settings)

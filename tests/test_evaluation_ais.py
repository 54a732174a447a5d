"""AIS weights on linear-Gaussian models, where the evidence is known: their mean, their tail, and what they cost."""

import dataclasses
import math

import pytest
import torch
from oracles import assert_mean, close, linear_weight, normal, seeded
from test_models_hierarchical import joint_gaussian
from torch.distributions import MultivariateNormal

from pcltut.evaluation import ais_log_evidence, bdmc, bits_per_dimension
from pcltut.evaluation.ais import kernel_maker
from pcltut.evaluation.annealing import Bridges, Walk, anneal, pilot
from pcltut.models import (
    DiagonalGaussian,
    DiscretizedGaussian,
    Gaussian,
    GenerativeModel,
    HierarchicalGaussian,
    LinearGaussian,
    mlp_decoder,
)
from pcltut.samplers import ChainState, Kernel, StepInfo

MODEL = LinearGaussian(linear_weight(), normal(5, seed=1), 0.7)
X = MODEL.sample(4, generator=seeded(2))
EVIDENCE = MODEL.log_evidence(X).detach()


def wide_encoder(x: torch.Tensor) -> DiagonalGaussian:
    """The posterior's mean, displaced, with 1.5 times its standard deviations."""
    mean, covariance = MODEL.posterior(x)
    return DiagonalGaussian(mean + 0.2, (1.5 * covariance.diagonal().sqrt()).log().expand_as(mean))


def assert_weights(log_ratio: torch.Tensor) -> None:
    """Weights over the evidence, `[chains, batch]`: mean 1, a logarithm of mean below 0, and Markov's tail."""
    assert_mean(log_ratio.exp(), 1.0)
    error = log_ratio.std(0) / len(log_ratio) ** 0.5
    assert (log_ratio.mean(0) < 4.5 * error).all()
    for excess in (1, 2, 3):
        bound = math.exp(-excess)
        share, error = (log_ratio > excess).double().mean(0), (bound * (1 - bound) / len(log_ratio)) ** 0.5
        assert (share <= bound + 4.5 * error).all()


@pytest.mark.parametrize("encoder", [None, wide_encoder], ids=["prior", "encoder"])
@pytest.mark.parametrize("kernel", ["hmc", "mala"])
@pytest.mark.parametrize("num_bridges", [2, 12])
def test_weights_have_the_evidence_as_their_mean(num_bridges, kernel, encoder):
    """Far too few bridges for a good estimate: an unbiased weight is one at any number of them."""
    found = ais_log_evidence(
        MODEL, X, generator=seeded(3), num_bridges=num_bridges, num_chains=4000, kernel=kernel, encoder=encoder
    )
    assert_weights(found.log_weights - EVIDENCE)
    assert (found.log_weights - EVIDENCE).std() > 0.1  # there is something to average


def test_weights_by_hand():
    """The sum over bridges of the change in beta times the gain *before* the move, on a walk that is known."""
    path = [X.new_full((1, 4, 3), value) for value in (0.0, 0.3, -0.5, 1.0)]
    bridges, points = Bridges(MODEL, X, None), iter(path[1:])

    def make_kernel(target, preconditioner):
        def step(state, noise):
            z = next(points)
            log_density, score, *aux = target(z)
            moved = ChainState(z, log_density=log_density, score=score, aux=tuple(aux))
            return moved, StepInfo(state.z, state.log_density, state.score, torch.ones(1, 4))

        return Kernel(None, lambda state, generator: None, step)

    walk = Walk(bridges, make_kernel, [0.0, 0.1, 0.25, 0.6, 1.0], [torch.ones(4, 3)] * 3)
    actual, acceptance = anneal(walk, bridges.evaluate(path[0]), generator=seeded(0))
    likelihood = [MODEL.log_likelihood(X, z) for z in path]
    expected = 0.1 * likelihood[0] + 0.15 * likelihood[1] + 0.35 * likelihood[2] + 0.4 * likelihood[3]
    close(actual, expected)
    assert acceptance == 1


def test_starting_from_the_posterior_every_weight_is_the_evidence():
    """With orthogonal loadings the posterior is diagonal, and an encoder can give it."""
    weight, _ = torch.linalg.qr(normal(5, 3, seed=4))
    model = LinearGaussian(weight * torch.tensor([2.0, 1.0, 0.5]), scale=0.6)

    def exact(x):
        mean, covariance = model.posterior(x)
        return DiagonalGaussian(mean, covariance.diagonal().sqrt().log().expand_as(mean))

    for num_bridges in (1, 7):
        found = ais_log_evidence(model, X, generator=seeded(5), num_bridges=num_bridges, num_chains=3, encoder=exact)
        close(found.log_weights, model.log_evidence(X).expand(3, 4), 1e-9)
        close(found.effective_sample_size, torch.full((4,), 3.0))


@pytest.mark.slow
def test_more_bridges_and_more_chains_close_the_gap():
    gaps = []
    for num_bridges in (8, 60, 500):
        found = ais_log_evidence(MODEL, X, generator=seeded(6), num_bridges=num_bridges, num_chains=400)
        gaps.append((EVIDENCE - found.log_weights).mean().item())
        assert (found.log_evidence >= found.log_weights.mean(0)).all()
        assert ((found.effective_sample_size > 0.999) & (found.effective_sample_size <= 400.001)).all()
    assert gaps[0] > 2 * gaps[1] > 6 * gaps[2] > 0
    assert (found.log_evidence - EVIDENCE).abs().max() < 0.1
    assert found.effective_sample_size.min() > 320


def test_hierarchical_prior():
    """Two layers of latents and a linear activation: all is jointly Gaussian."""
    model = HierarchicalGaussian((4, 3, 2), scales=(0.6, 0.8), activation="linear", generator=seeded(7)).double()
    x = normal(3, 4, seed=8)
    mean, covariance = (torch.from_numpy(part) for part in joint_gaussian(model))
    exact = MultivariateNormal(mean[:4], covariance[:4, :4]).log_prob(x)
    found = ais_log_evidence(model, x, generator=seeded(9), num_bridges=20, num_chains=2000)
    assert_weights(found.log_weights - exact)


def test_discretized_likelihood_against_quadrature():
    """One latent and three pixels of 256 levels: the integral over z on a fine grid."""
    decoder = mlp_decoder(1, (1, 1, 3), hidden=(6,), generator=seeded(10))
    model = GenerativeModel(decoder, DiscretizedGaussian(0.3), 1).double()
    x = model.sample(3, generator=seeded(11))
    grid = torch.linspace(-9, 9, 4001).double()[:, None, None].expand(4001, 3, 1)
    exact = model.log_joint(x, grid).detach().logsumexp(0) + math.log(18 / 4000)
    found = ais_log_evidence(model, x, generator=seeded(12), num_bridges=20, num_chains=2000)
    assert_weights(found.log_weights - exact)
    assert (bits_per_dimension(exact, (1, 1, 3)) > 0).all()


def test_bits_per_dimension():
    """A uniform law over 256 levels costs 8 bits a pixel, whatever their number."""
    for shape in ((1, 28, 28), (3, 32, 32), (5,)):
        evidence = torch.full((2,), -math.prod(shape) * math.log(256), dtype=torch.float64)
        close(bits_per_dimension(evidence, shape), torch.full((2,), 8.0))


@pytest.mark.usefixtures("no_shape_checks")
def test_event_shapes_that_have_no_pixels_are_refused():
    evidence = torch.zeros(2)
    for shape in ((0,), (-1, -28), (28.0, 28)):
        with pytest.raises(ValueError, match=r"got a size in event_shape=.*expected.*; write it"):
            bits_per_dimension(evidence, shape)
    with pytest.raises(ValueError, match=r"got event_shape=784, expected sizes; write a tuple"):
        bits_per_dimension(evidence, 784)


def test_mala_is_hmc_with_one_leapfrog_step():
    settings = {"num_bridges": 30, "num_chains": 2}
    langevin = ais_log_evidence(MODEL, X, generator=seeded(13), kernel="mala", **settings)
    leapfrog = ais_log_evidence(MODEL, X, generator=seeded(13), num_leapfrog=1, **settings)
    close(langevin.log_weights, leapfrog.log_weights, 1e-8)
    close(langevin.step_size, leapfrog.step_size, 1e-8)


def test_a_point_is_known_after_a_move_without_another_evaluation():
    """Accepted or not, what is kept at a chain's position is what an evaluation there gives."""
    squares = torch.full((4, 3), 0.2, dtype=torch.float64)
    for q in (None, wide_encoder(X)):
        bridges = Bridges(MODEL, X, q)
        point = bridges.start(50, generator=seeded(14))
        for kernel in ("hmc", "mala"):
            walk = Walk(bridges, kernel_maker(kernel, 3), [0.0, 0.4, 1.0], [squares])
            moved, acceptance = walk.move(1, point, generator=seeded(15))
            stayed = (moved.z == point.z).all(-1)
            assert 0.02 < stayed.double().mean() < 0.98 and acceptance.shape == (50, 4)
            for actual, expected in zip(moved, bridges.evaluate(moved.z), strict=True):
                close(actual, expected)


@pytest.mark.parametrize("q", [None, wide_encoder(X)], ids=["prior", "encoder"])
def test_bridge_runs_from_the_first_distribution_to_the_joint(q):
    bridges, z = Bridges(MODEL, X, q), normal(2, 4, 3, seed=16).requires_grad_()
    first = MODEL.log_prior(z) if q is None else q.log_prob(z)
    for beta in (0.0, 0.3, 1.0):
        expected = (1 - beta) * first + beta * MODEL.log_joint(X, z)
        log_density, score, *_ = bridges.target(beta)(z)
        close(log_density, expected)
        close(score, torch.autograd.grad(expected.sum(), z, retain_graph=True)[0])


def test_a_target_depends_on_nothing_but_its_bridge_and_z():
    """Targets of two bridges called in any order, and between two calls a whole walk: always the same bits."""
    bridges, z = Bridges(MODEL, X, None), normal(2, 4, 3, seed=23)
    early, late = bridges.target(0.2), bridges.target(0.9)
    first = early(z)
    late(2 * z)
    pilot(bridges, kernel_maker("hmc", 2), [0.0, 0.5, 1.0], generator=seeded(24))
    assert all(torch.equal(*pair) for pair in zip(early(z), first, strict=True))
    with pytest.raises(dataclasses.FrozenInstanceError):
        bridges.x = X


@pytest.mark.slow
def test_step_sizes_are_found_by_a_pilot_and_shaped_by_the_curvature():
    """The stiffer a direction, the shorter its step; acceptance comes near the target on stiff and soft images."""
    model = LinearGaussian(torch.diag(torch.tensor([3.0, 0.3, 1.0])).double(), scale=0.5)
    x = model.sample(40, generator=seeded(17))
    betas = [(k / 300) ** 4 for k in range(301)]
    walk = pilot(Bridges(model, x, None), kernel_maker("hmc", 2), betas, generator=seeded(18))
    last = torch.stack(walk.squares[-30:]).mean((0, 1))
    products = last * model.posterior_precision().diagonal().detach()  # equal, up to the noise of the pilot's estimate
    close(products / products.mean(), torch.ones(3), 0.4)
    found = ais_log_evidence(model, x, generator=seeded(19))
    assert 0.6 < found.acceptance < 0.8
    assert found.step_size.shape == (299,) and found.step_size[-1] < 0.5 * found.step_size.max()


@pytest.mark.parametrize(("kernel", "passes_a_move"), [("hmc", 4), ("mala", 1)])
def test_one_decoder_pass_a_leapfrog_step(kernel, passes_a_move):
    """Counted by a hook on the decoder, in the pilot walk and in the weighted one (and backwards: in the sandwich)."""
    decoder = mlp_decoder(3, (5,), hidden=(6,), generator=seeded(25))
    model, calls = GenerativeModel(decoder, Gaussian(0.5), 3), []
    decoder.register_forward_hook(lambda module, args, output: calls.append(tuple(args[0].shape)))
    settings = {"num_bridges": 11, "num_chains": 3, "kernel": kernel, "num_leapfrog": 4}
    ais_log_evidence(model, X.float().clamp(-1, 1), generator=seeded(20), **settings)
    walks = [shape for shape in calls if len(shape) == 3]  # chains, images, latents; others look at the data alone
    assert walks == [(8, 4, 3)] * (1 + 10 * passes_a_move) + [(3, 4, 3)] * (1 + 10 * passes_a_move)
    calls.clear()
    bdmc(model, 4, generator=seeded(26), **settings)
    assert [shape for shape in calls if shape[:2] == (3, 4)] == [(3, 4, 3)] * 2 * (1 + 10 * passes_a_move)


def test_same_generator_same_numbers_and_no_gradients():
    first, second = (ais_log_evidence(MODEL, X, generator=seeded(21), num_bridges=5) for _ in range(2))
    assert torch.equal(first.log_weights, second.log_weights)
    assert not first.log_evidence.requires_grad and all(p.grad is None for p in MODEL.parameters())
    single = LinearGaussian(linear_weight().float(), scale=0.7)
    found = ais_log_evidence(single, X.float(), generator=seeded(22), num_bridges=5)
    assert found.log_weights.dtype == torch.float64  # a sum over many bridges


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_bridges": 0}, r"got num_bridges=0, expected at least 1; 100 is a beginning"),
        ({"num_chains": 0}, r"got num_chains=0, expected at least 1"),
        ({"kernel": "ula"}, r"got kernel='ula', expected one of \('hmc', 'mala'\)"),
        ({"num_leapfrog": 0}, r"got num_leapfrog=0, expected at least 1"),
        ({"encoder": lambda x: DiagonalGaussian(x, x)}, r"got q.mean of shape \(4, 5\), expected \(4, 3\)"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    settings = {"x": X, "generator": seeded(0)} | settings
    with pytest.raises(ValueError, match=message):
        ais_log_evidence(MODEL, **settings)


def test_a_model_without_finite_densities_is_refused():
    model = LinearGaussian(linear_weight(), scale=0.7)
    model.weight.data.fill_(math.nan)
    with pytest.raises(ValueError, match=r"log-likelihood that is not finite.*train"):
        ais_log_evidence(model, X, generator=seeded(0), num_bridges=3)

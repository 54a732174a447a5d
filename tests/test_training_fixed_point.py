"""Where training ends on probabilistic PCA, in closed form: a wrong noise, prior, temperature or average moves it."""

import itertools
import math

import pytest
import torch
from oracles import close, normal, seeded
from scipy.optimize import brentq
from sklearn.decomposition import PCA

from pcltut.models import LinearGaussian
from pcltut.training import LPC, fit

pytestmark = pytest.mark.usefixtures("no_shape_checks")  # they cost more than these small matrix products
NUM_IMAGES = 4000
SCALE = 1.0  # sigma of the model, not trained


def data_with_eigenvalues(eigenvalues: list[float], num_images: int = NUM_IMAGES) -> tuple[torch.Tensor, torch.Tensor]:
    """Data whose mean is exactly zero and whose covariance has exactly these eigenvalues; and the eigenvectors."""
    dim = len(eigenvalues)
    noise = normal(num_images, dim, seed=1)
    noise = noise - noise.mean(0)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(noise.T @ noise / num_images), noise.T, upper=False).T
    rotation = torch.linalg.qr(normal(dim, dim, seed=2))[0]
    return white * torch.tensor(eigenvalues, dtype=torch.float64).sqrt() @ rotation.T, rotation


def trained_squares(
    algorithm: LPC, eigenvalues: list[float], *, num_epochs: int, rate: float, num_images: int = NUM_IMAGES
) -> torch.Tensor:
    """w_i^2 that full-batch training reaches along each eigenvector of the data; W is diagonal there.

    Trained in float32, whose rounding is a thousand times smaller than the tolerances.
    """
    x, rotation = data_with_eigenvalues(eigenvalues, num_images)
    # Near the eigenvectors: their rotation into place would take long where eigenvalues are close.
    start = 0.4 * rotation + 0.02 * normal(*rotation.shape, seed=3)
    model = LinearGaussian(start.float(), scale=SCALE)

    def decaying(iteration: int) -> float:
        return rate * (0.5 + 0.5 * math.cos(math.pi * iteration / num_epochs)) + 1e-5

    fit(
        algorithm,
        model,
        x.float(),
        generator=seeded(4),
        num_epochs=num_epochs,
        batch_size=num_images,
        learning_rate=decaying,
    )
    weight = rotation.T @ model.weight.detach().double()
    gram = weight @ weight.T
    squares = gram.diagonal()
    assert (gram - torch.diag(squares)).abs().max() < 0.02 * squares.max()
    assert model.bias.abs().max() < 0.03
    return squares


def finite_chain_fixed_point(eigenvalue: float, step_size: float, temperature: float, states: range) -> float:
    """w^2 where E[x z] = w E[z^2], both averaged over the states of a chain that starts at the prior."""

    def force(w: float) -> float:
        precision, gain = 1 + w * w / SCALE**2, w / (SCALE**2 + w * w)
        contraction, total = 1 - step_size * precision, 0.0
        for step in states:
            decay = contraction**step
            spread = decay**2 + 2 * step_size * temperature * (1 - decay**2) / (1 - contraction**2)
            mean_square = (1 - decay) ** 2 * gain**2 * eigenvalue + spread
            total += (1 - decay) * gain * eigenvalue - w * mean_square
        return total

    grid = [0.05 + 0.005 * index for index in range(400)]
    low, high = next((a, b) for a, b in itertools.pairwise(grid) if force(a) > 0 >= force(b))
    return brentq(force, low, high) ** 2


def test_data_have_the_eigenvalues_that_sklearn_finds():
    x, _ = data_with_eigenvalues([6.0, 2.5, 1.15])
    pca = PCA().fit(x.numpy())
    close(torch.from_numpy(pca.explained_variance_) * (NUM_IMAGES - 1) / NUM_IMAGES, [6.0, 2.5, 1.15])


EIGENVALUES = {1: [4.0], 3: [6.0, 2.5, 1.15], 10: [8.0, 7.0, 6.2, 5.5, 4.8, 4.2, 3.6, 3.1, 2.6, 1.15]}


@pytest.mark.slow
@pytest.mark.parametrize("dim", EIGENVALUES)
def test_langevin_training_ends_at_its_closed_form(dim):
    """w^2 + sigma^2 = l / (1 + gamma l / (2 sigma^2)), and 0 below l = sigma^2 / (1 - gamma / 2) = 1.25."""
    step_size, eigenvalues = 0.4, EIGENVALUES[dim]
    algorithm = LPC(num_steps=12, step_size=step_size, warm_start="prior", accumulate="after-burn-in")
    squares = trained_squares(algorithm, eigenvalues, num_epochs=250, rate=0.05, num_images=3000)
    assert eigenvalues[-1] < 1 / (1 - step_size / 2) or dim == 1
    for eigenvalue, square in zip(eigenvalues, squares.tolist(), strict=True):
        exact = eigenvalue / (1 + step_size * eigenvalue / 2) - 1
        if exact > 0:
            assert square == pytest.approx(exact, rel=0.01)
            assert abs(square - (eigenvalue - 1)) > 0.5  # the maximum-likelihood solution is another one
        else:
            assert square < 0.01  # maximum likelihood has 0.15


@pytest.mark.slow
@pytest.mark.parametrize(
    "kernel",
    [
        {"kernel": "mala", "step_size": 0.12, "num_steps": 4},
        {"kernel": "hmc", "step_size": 0.35, "num_steps": 3, "num_leapfrog": 2},
    ],
)
@pytest.mark.parametrize("dim", EIGENVALUES)
def test_training_with_exact_samples_is_maximum_likelihood(dim, kernel):
    """w^2 + sigma^2 = l, and 0 below l = sigma^2: the law of MALA and HMC has no bias to learn from."""
    eigenvalues = [*EIGENVALUES[dim][:-1], 0.8] if dim > 1 else EIGENVALUES[1]
    algorithm = LPC(warm_start="persistent", **kernel)
    squares = trained_squares(algorithm, eigenvalues, num_epochs=300 + 30 * dim, rate=0.03, num_images=6000)
    for eigenvalue, square in zip(eigenvalues, squares.tolist(), strict=True):
        assert square == (pytest.approx(eigenvalue - 1, rel=0.01) if eigenvalue > 1 else pytest.approx(0, abs=0.01))


@pytest.mark.slow
@pytest.mark.parametrize("eigenvalues", [[4.0], [6.0, 4.0, 2.5], [8.0, 7.0, 6.2, 5.5, 4.8, 4.2, 3.6, 3.1, 2.8, 2.5]])
def test_training_without_noise_drives_itself_to_the_stability_edge(eigenvalues):
    """At temperature 0: w^2 + sigma^2 = 2 sigma^2 / gamma whatever the data, that is gamma lambda = 2."""
    step_size = 1.25
    algorithm = LPC.predictive_coding(num_steps=40, step_size=step_size)
    squares = trained_squares(algorithm, eigenvalues, num_epochs=200, rate=0.005, num_images=2000)
    for eigenvalue, square in zip(eigenvalues, squares.tolist(), strict=True):
        assert square == pytest.approx(2 / step_size - 1, rel=0.01)
        finite = finite_chain_fixed_point(eigenvalue, step_size, 0.0, range(39, 40))
        assert square == pytest.approx(finite, rel=0.005)
        assert step_size * (1 + square) == pytest.approx(2, rel=0.005)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("accumulate", "states"), [("all", range(4)), ("after-burn-in", range(2, 4)), ("last", range(3, 4))]
)
def test_short_chains_end_where_their_own_states_say(accumulate, states):
    """The fixed point of z_0 .. z_3, of their last half and of the last alone differ: 1.115, 1.405 and 1.397."""
    algorithm = LPC(num_steps=4, step_size=0.5, warm_start="prior", accumulate=accumulate)
    squares = trained_squares(algorithm, [6.0, 4.0], num_epochs=150, rate=0.05)
    for eigenvalue, square in zip((6.0, 4.0), squares.tolist(), strict=True):
        assert square == pytest.approx(finite_chain_fixed_point(eigenvalue, 0.5, 1.0, states), rel=0.01)

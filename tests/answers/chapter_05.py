"""Exercises of chapter 5: right answers and code in any form, and likely mistakes with a part of their hints."""

import math

import torch

from pcltut.models import DiagonalGaussian
from pcltut.objectives import forward_kl_loss

COVARIANCE = torch.tensor([[0.1, 0.09], [0.09, 0.1]], dtype=torch.float64)


def fixed_point(num_steps: int, step_size: float, jeffreys: bool = False) -> float:
    """Where training rests, by running the covariance recursion again and again."""
    precision = torch.linalg.inv(COVARIANCE)
    transition = torch.eye(2).double() - step_size * precision
    variance = torch.full((2,), 0.05, dtype=torch.float64)
    for _ in range(400):
        covariance, total = variance.diag(), torch.zeros(2).double()
        for _ in range(num_steps):
            covariance = transition @ covariance @ transition + 2 * step_size * torch.eye(2).double()
            total += covariance.diagonal() / num_steps
        variance = (total / precision.diagonal()).sqrt() if jeffreys else total
    return variance[0].item()


# --- exercise 5.6: the Jeffreys loss ---


def jeffreys(log_joint, mean, log_scale, noise, states):
    """The normalizers cancel."""
    error = (states.detach() - mean) / log_scale.exp()
    return -log_joint(mean + log_scale.exp() * noise) + 0.5 * error.square().sum(-1).mean(0)


def jeffreys_by_package(log_joint, mean, log_scale, noise, states):
    q = DiagonalGaussian(mean, log_scale)
    return -log_joint(q.sample(noise)) - q.entropy() + forward_kl_loss(q, states.detach())


def jeffreys_with_drawn_entropy(log_joint, mean, log_scale, noise, states):
    """The entropy from the draw itself: on average, and here exactly, it has the same slope."""
    q = DiagonalGaussian(mean, log_scale)
    z_0 = q.sample(noise)
    return q.log_prob(z_0) - log_joint(z_0) - sum(q.log_prob(z.detach()) for z in states) / len(states)


def faulty_jeffreys(model=1.0, chain=1.0, entropy=1.0, normalizer=1.0, reduce=torch.mean, over=1, detach=True):
    """A loss with one thing wrong."""

    def my_jeffreys(log_joint, mean, log_scale, noise, states):
        z_0 = mean + log_scale.exp() * noise
        states = states.detach() if detach else states
        fit = (0.5 * ((states - mean) / log_scale.exp()).square() + normalizer * log_scale).sum(-1) / over
        return -model * log_joint(z_0) - entropy * log_scale.sum(-1) + chain * reduce(fit, 0)

    return my_jeffreys


def from_a_detached_draw(log_joint, mean, log_scale, noise, states):
    z_0 = (mean + log_scale.exp() * noise).detach()
    return jeffreys(lambda _: log_joint(z_0), mean, log_scale, noise, states)


WRONG_JEFFREYS = [
    (faulty_jeffreys(model=-1.0), "enters with a minus"),
    (from_a_detached_draw, "No slope comes from the model"),
    (faulty_jeffreys(model=0.5, chain=0.5), "Half of the model's slope"),
    (faulty_jeffreys(chain=0.0), "The states teach nothing yet"),
    (faulty_jeffreys(chain=-1.0), "flees from the states"),
    (faulty_jeffreys(reduce=torch.sum), "summed over the states"),
    (lambda f, m, s, noise, z: jeffreys(f, m, s, noise, z[-1:]), "the last state alone"),
    (faulty_jeffreys(over=2), "averaged over the latents"),
    (faulty_jeffreys(entropy=0.0), "entropy of q is missing"),
    (faulty_jeffreys(entropy=-1.0), "entropy has the wrong sign"),
    (faulty_jeffreys(normalizer=0.0), "sum log s"),
    (faulty_jeffreys(detach=False), "flows into the states"),
    (faulty_jeffreys(model=2.0), "Reverse: minus log_joint"),
    (lambda *given: jeffreys(*given).mean(), "one loss for each image"),
    (lambda *given: None, "one loss for each image"),
]


# --- exercise 5.7: a Gaussian with a full covariance ---


def leaning(mean, factor, noise, score):
    scores = score(mean + noise @ factor.T)
    pulls = torch.einsum("ni,nj->ij", scores, noise) / len(noise)
    return -scores.mean(0), -pulls.tril() - (1 / factor.diagonal()).diag()


def leaning_in_loops(mean, factor, noise, score):
    size = len(mean)
    g_mean, g_factor = torch.zeros(size), torch.zeros(size, size)
    for each in noise:
        slope = score((mean + factor @ each)[None])[0]
        for i in range(size):
            g_mean[i] -= slope[i] / len(noise)
            for j in range(i + 1):
                g_factor[i, j] -= slope[i] * each[j] / len(noise)
    for i in range(size):
        g_factor[i, i] -= 1 / factor[i, i]
    return [g_mean, g_factor]


def faulty_leaning(sign=-1.0, mean_over=None, factor_over=None, entropy=-1.0, keep=torch.tril, swap=False):
    """Gradients with one thing wrong."""

    def my_leaning(mean, factor, noise, score):
        scores, n = score(mean + noise @ factor.T), len(noise)
        pulls = (noise.T @ scores if swap else scores.T @ noise) / (factor_over or n)
        return sign * scores.sum(0) / (mean_over or n), sign * keep(pulls) + entropy * (1 / factor.diagonal()).diag()

    return my_leaning


WRONG_LEANING = [
    (faulty_leaning(sign=1.0, entropy=1.0), "uphill direction"),
    (faulty_leaning(mean_over=1, factor_over=1), "divide by their number"),
    (faulty_leaning(factor_over=1), "the factor's is a sum"),
    (faulty_leaning(entropy=0.0), "entropy is missing"),
    (faulty_leaning(entropy=1.0), "entropy has the wrong sign"),
    (faulty_leaning(keep=lambda pulls: pulls.diagonal().diag()), "can never lean"),
    (faulty_leaning(keep=lambda pulls: pulls), "torch.tril"),
    (faulty_leaning(swap=True), "exchanged"),
    (faulty_leaning(mean_over=2), "minus the mean score"),
    (lambda mean, factor, noise, score: leaning(mean, factor, noise, score)[0], "two tensors"),
    (lambda *given: (1.0, 2.0), "two tensors"),
]


def rest_after(time: float, num_steps: int = 20_000) -> float:
    """Where forward KL rests on a chain of very many, very small steps: exercise 5.8, by bisection."""
    curvatures = torch.linalg.eigvalsh(torch.linalg.inv(COVARIANCE))
    times = (torch.arange(num_steps, dtype=torch.float64)[:, None] + 0.5) * time / num_steps
    left = torch.exp(-2 * curvatures * times)
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        average = (1 / curvatures + (middle - 1 / curvatures) * left).mean()
        low, high = (middle, high) if average > middle else (low, middle)
    return low


def right() -> dict[str, list]:
    inverse = torch.linalg.inv(torch.tensor([[0.5, 0.4], [0.4, 0.5]]))
    narrow = 1 / inverse[0, 0]
    value = fixed_point(20, 0.001)
    return {
        "5.1": [[narrow, 0.5, (0.5 * narrow).sqrt()], (0.18, 0.5, 0.3), torch.tensor([0.18, 0.5, 0.3])],
        "5.2": [0.3125, torch.tensor(0.3125), [0.3125]],
        "5.4": [value, torch.tensor(value), round(value, 4)],
        "5.3": [[[0, 1, 2], [0], [1, 2, 3]], ((2, 1, 0), (0,), (3, 2, 1)), [range(3), [0], range(1, 4)]],
        "5.5": [[10, 11], (10.0, 11.0), torch.tensor([10, 11])],
        "5.6": [jeffreys, jeffreys_by_package, jeffreys_with_drawn_entropy],
        "5.7": [leaning, leaning_in_loops],
        "5.8": [rest_after(0.05), 0.0457],
    }


def wrong() -> list[tuple[str, object, str]]:
    precision = torch.linalg.inv(COVARIANCE)
    stationary = torch.linalg.inv(precision - 0.0005 * precision @ precision)[0, 0]
    return [
        ("5.1", [0.5, 0.18, 0.3], "exchanged"),
        ("5.1", [0.18**0.5, 0.5**0.5, 0.3**0.5], "standard deviations"),
        ("5.1", [5.5556, 0.5, 1.667], "a precision"),
        ("5.1", [0.5, 0.5, 0.5], "does not see S_ii"),
        ("5.1", [2.0, 0.5, 1.0], "invert the whole matrix"),
        ("5.1", [0.18, 0.5, 0.34], "geometric"),
        ("5.1", [0.18, 0.5, 0.09], "left out the root"),
        ("5.1", [0.1, 0.2, 0.3], "Invert the covariance"),
        ("5.2", 0.25, "it has a bias"),
        ("5.2", 0.559, "standard deviation"),
        ("5.2", 3.2, "precision"),
        ("5.2", 0.2, "noise of one step"),
        ("5.2", 0.1 / (1 - 0.36), "factor 2"),
        ("5.2", 7, "Solve D"),
        ("5.4", 0.019, "1 / Lambda_ii"),
        ("5.4", 0.1, "That is S_ii"),
        ("5.4", stationary, "stationary"),
        ("5.4", fixed_point(20, 0.01), "gamma = 0.01"),
        ("5.4", math.sqrt(fixed_point(20, 0.001)), "standard deviation"),
        ("5.4", fixed_point(20, 0.001, jeffreys=True), "Jeffreys"),
        ("5.4", 0.5, "Call fixed_point"),
        ("5.3", [[1, 2, 3], [0], [0, 1, 2]], "exchanged"),
        ("5.3", [[0, 1, 2, 3], [0], [1, 2, 3]], "fourth pass"),
        ("5.3", [[1, 2, 3], [0], [1, 2, 3]], "before each step"),
        ("5.3", [[0, 1, 2], [0, 1, 2], [1, 2, 3]], "own draw, and only"),
        ("5.3", [[0, 1, 2], [0], [0, 1, 2]], "teaches it nothing"),
        ("5.3", [[0, 1, 2], [0], [0, 1, 2, 3]], "Without z_0"),
        ("5.3", [[0, 1, 2], [0], [3]], "'last'"),
        ("5.3", [[0, 1, 2], [0], [2]], "Forward KL takes the states after each step"),
        ("5.3", [[0.7, 1.2, 2.3], [0], [1, 2, 3]], "before each step"),
        ("5.5", [11, 10], "The other order"),
        ("5.5", [10, 10], "out of date"),
        ("5.5", [10, 20], "not the whole chain"),
        ("5.5", [11, 11], "no pass of its own"),
        ("5.5", [11, 12], "byproduct when"),
        ("5.5", [11, 21], "z_10"),
        ("5.5", [1, 2], "Count the passes"),
        *(("5.6", code, hint) for code, hint in WRONG_JEFFREYS),
        *(("5.7", code, hint) for code, hint in WRONG_LEANING),
        ("5.8", 0.019, "no time at all"),
        ("5.8", 0.1, "S_ii, the limit"),
        ("5.8", fixed_point(50, 0.001), "let the steps become small"),
        ("5.8", rest_after(0.025), "forgets twice as fast"),
        ("5.8", rest_after(0.1), "a time of 0.1"),
        ("5.8", 0.0622717, "the last state alone"),
        ("5.8", 0.5, "with these weights"),
    ]

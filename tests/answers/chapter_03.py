"""Exercises of chapter 3: right answers and code in any form, and likely mistakes with a part of their hints."""

import math

import torch
from oracles import seeded
from torch import Tensor

from pcltut.models import LinearGaussian
from pcltut.samplers import run, ula, value_and_score_of

W = torch.tensor([[3.0, 0.0], [4.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
# Stationarity at variance 1 / lambda: c = (1 - (1 - gamma lambda)^2) / lambda, over 2 gamma.
LESS_NOISE = (1 - (1 - 0.1 * 9) ** 2) / 9 / (2 * 0.1)


def toy_chains(share_noise: bool) -> torch.Tensor:
    """The last states of exercise 3.5, `[1000, 2]`."""
    toy = LinearGaussian(torch.tensor([[2.0, 2.0]], dtype=torch.float64)).requires_grad_(False)
    x = torch.tensor([[3.0]], dtype=torch.float64)
    kernel = ula(value_and_score_of(lambda z: toy.log_joint(x, z)), 0.05)
    start = toy.sample_prior(1000, generator=seeded(0))[:, None]
    if share_noise:
        kernel = kernel._replace(draw=lambda state, generator: torch.randn(1, 1, 2, generator=generator).double())
    return run(kernel, kernel.init(start), 1000, generator=seeded(1), keep="last")[0].z[:, 0]


# --- exercise 3.6: code for the walk, right and wrong ---


def walk(log_joint, z, step_size, num_steps, temperature, generator):
    for _ in range(num_steps):
        z = z.detach().requires_grad_()
        (score,) = torch.autograd.grad(log_joint(z).sum(), z)
        z = z + step_size * score + (2 * step_size * temperature) ** 0.5 * randn(z, generator)
    return z.detach()


def walk_by_package(log_joint, z, step_size, num_steps, temperature, generator):
    kernel = ula(value_and_score_of(log_joint), step_size, temperature=temperature)
    return run(kernel, kernel.init(z), num_steps, generator=generator, keep="last")[0].z


def walk_image_by_image(log_joint, z, step_size, num_steps, temperature, generator):
    """Noise first, in single precision, all at once."""
    noise = torch.randn(num_steps, *z.shape, generator=generator)
    for each in noise:
        z = z.float().requires_grad_()
        log_joint(z).sum().backward()
        z = (z + step_size * z.grad).detach() + math.sqrt(2 * step_size) * math.sqrt(temperature) * each
    return z


def randn(z: Tensor, generator: torch.Generator) -> Tensor:
    return torch.empty_like(z).normal_(generator=generator)


def faulty_walk(
    sign=1,
    reduce=torch.sum,
    spread=lambda gamma, tau: (2 * gamma * tau) ** 0.5,
    noise_of=randn,
    detach=True,
    steps=None,
):
    """A walk with one thing wrong."""

    def my_ula(log_joint, z, step_size, num_steps, temperature, generator):
        z = z.requires_grad_()
        for _ in range(steps or num_steps):
            (score,) = torch.autograd.grad(reduce(log_joint(z)), z)
            noise = noise_of(z, generator)
            z = z + sign * step_size * score + spread(step_size, temperature) * noise
        return z.detach() if detach else z

    return my_ula


def same_noise_each_step(log_joint, z, step_size, num_steps, temperature, generator):
    noise = randn(z, generator)
    return walk_with(noise, log_joint, z, step_size, num_steps, temperature)


def walk_with(noise, log_joint, z, step_size, num_steps, temperature):
    for _ in range(num_steps):
        _, score = value_and_score_of(log_joint)(z)
        z = z + step_size * score + (2 * step_size * temperature) ** 0.5 * noise
    return z


WRONG_WALKS = [
    (faulty_walk(detach=False), "detach them"),
    (faulty_walk(sign=-1), "downhill in log_joint"),
    (faulty_walk(reduce=torch.mean), "pull shrinks"),
    (faulty_walk(spread=lambda gamma, tau: (gamma * tau) ** 0.5), "the 2 is missing"),
    (faulty_walk(spread=lambda gamma, tau: (2 * gamma) ** 0.5), "same at each temperature"),
    (faulty_walk(spread=lambda gamma, tau: tau * (2 * gamma) ** 0.5), "under the root"),
    (faulty_walk(spread=lambda gamma, tau: 2 * gamma * tau), "for its standard deviation"),
    (faulty_walk(noise_of=lambda z, generator: randn(z[:1], generator)), "share their noise"),
    (faulty_walk(noise_of=lambda z, generator: randn(z[:, :1], generator)), "share their noise"),
    (faulty_walk(noise_of=lambda z, generator: randn(z[..., :1], generator)), "share their noise"),
    (same_noise_each_step, "inside the loop"),
    (faulty_walk(steps=1), "no further than one"),
    (faulty_walk(noise_of=lambda z, generator: torch.randn_like(z)), "the same seed"),
    (lambda log_joint, z, *rest: z, "adds no noise"),
    (faulty_walk(sign=2), "Each of num_steps steps"),
    (lambda log_joint, z, *rest: torch.stack([z, z]), "in one tensor"),
    (lambda log_joint, z, *rest: None, "in one tensor"),
    (lambda z: z, "stopped with TypeError"),
]


# --- exercise 3.8: the largest curvature ---


def stiffest(decode, z, scale, num_rounds, generator):
    direction = randn(z, generator)
    _, back = torch.func.vjp(decode, z)
    for _ in range(num_rounds):
        direction = direction / direction.norm()
        _, forward = torch.func.jvp(decode, (z,), (direction,))
        direction = direction + back(forward)[0] / scale**2
    return direction.norm()


def stiffest_of_the_matrix(decode, z, scale, num_rounds, generator):
    jacobian = torch.autograd.functional.jacobian(decode, z)
    return 1 + torch.linalg.matrix_norm(jacobian.float(), 2).item() ** 2 / scale**2


def faulty_power(prior=1.0, over=lambda scale: scale**2, normalize=True, at=lambda z: z, rounds=None):
    """Power iteration with one thing wrong."""

    def my_stiffest(decode, z, scale, num_rounds, generator):
        jacobian = torch.autograd.functional.jacobian(decode, at(z))
        direction, size = torch.ones_like(z), 1.0
        for _ in range(rounds or num_rounds):
            product = prior * direction + jacobian.T @ (jacobian @ direction) / over(scale)
            size = product.norm() / direction.norm()
            direction = product / size if normalize else product
        return size

    return my_stiffest


WRONG_CURVATURES = [
    (faulty_power(prior=0.0), "forgot the prior: it adds"),
    (faulty_power(over=lambda scale: scale), "not by sigma"),
    (faulty_power(over=lambda scale: scale**-2), "small noise makes"),
    (lambda *given: stiffest(*given) ** 0.5, "root of the curvature"),
    (lambda *given: 2 / stiffest(*given), "largest stable step"),
    (faulty_power(at=torch.zeros_like), "at the z that is given"),
    (faulty_power(normalize=False), "length one in each round"),
    (faulty_power(rounds=1), "mixture of stiff and soft"),
    (lambda *given: 1.0, "again and again"),
    (lambda *given: "26 or so", "Return one number"),
]


# --- exercise 3.9: the direction for a linear decoder ---


def direction(weight, scale, x, z):
    error = (x - z @ weight.T) / scale**2
    return torch.einsum("nbp,nbl->pl", error, z) / z[..., 0].numel()


def direction_by_autograd(weight, scale, x, z):
    model = LinearGaussian(weight, scale=scale).requires_grad_(False)
    model.weight.requires_grad_()
    total = model.log_joint(x, z).mean()
    return torch.autograd.grad(total, model.weight)[0]


def direction_in_loops(weight, scale, x, z):
    parts = [torch.outer(x[i] - weight @ state[i], state[i]) for state in z for i in range(len(x))]
    return (sum(parts) / len(parts) / scale**2).float()


def averaged_first(weight, scale, x, z):
    return direction(weight, scale, x, z.mean(0, keepdim=True))


WRONG_DIRECTIONS = [
    (averaged_first, "before you multiplied"),
    (lambda *given: -direction(*given), "downhill direction"),
    (lambda weight, scale, x, z: len(z) * direction(weight, scale, x, z), "a sum over the states"),
    (lambda weight, scale, x, z: len(x) * direction(weight, scale, x, z), "a sum over the images"),
    (lambda weight, scale, x, z: z[..., 0].numel() * direction(weight, scale, x, z), "sum over states and images"),
    (lambda weight, scale, x, z: direction(weight, scale, x, z) / x.shape[1], "number of pixels"),
    (lambda weight, scale, x, z: direction(weight, 1.0, x, z), "left out sigma"),
    (lambda weight, scale, x, z: direction(weight, scale**0.5, x, z), "not by sigma"),
    (lambda weight, scale, x, z: direction(weight, scale, x, z[-1:]), "For each state of each image"),
    (lambda *given: direction(*given).T, "shape, [pixels, latents]"),
]


def speedup() -> float:
    """How much faster the slowest direction dies out with the best wind: exercise 3.10, by a search."""
    skew = torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)
    winds = torch.linspace(0, 3, 301, dtype=torch.float64)[:, None, None] * skew
    drift = (torch.eye(2).double() + winds) @ torch.diag(torch.tensor([1.0, 9.0]).double())
    return torch.linalg.eigvals(drift).real.amin(-1).max().item()


def right() -> dict[str, list]:
    precision = torch.eye(2).double() + W.T @ W / 4
    edge = 2 / torch.linalg.eigvalsh(precision).max()
    return {
        "3.1": [0.5, 1 / 2, torch.tensor(0.5)],
        "3.2": [2, 2.0, torch.tensor([2.0])],
        "3.3": [edge, edge.item(), 0.276],
        "3.4": [35, math.ceil(math.log(0.5) / math.log(0.98)), torch.tensor(35)],
        "3.5": [toy_chains(share_noise=True)[:, 0].var(), 0, 1e-20],
        "3.6": [walk, walk_by_package, walk_image_by_image],
        "3.7": [LESS_NOISE, 0.55, torch.tensor(0.55)],
        "3.8": [stiffest, stiffest_of_the_matrix, faulty_power()],
        "3.9": [direction, direction_by_autograd, direction_in_loops],
        "3.10": [5, speedup(), torch.tensor(5.0)],
    }


def wrong() -> list[tuple[str, object, str]]:
    return [
        ("3.1", 0.5**0.5, "scales its variance"),
        ("3.1", 2.0, "other way round: this code"),
        ("3.1", 2**0.5, "other way round, and"),
        ("3.1", 1, "would need the variance"),
        ("3.1", 0.25, "square too many"),
        ("3.1", 0, "not zero"),
        ("3.1", 3.7, "Compare variances"),
        ("3.2", 1.0, "no bias at all"),
        ("3.2", 1.5, "first-order"),
        ("3.2", 0.5, "wider"),
        ("3.2", 2**0.5, "standard deviations"),
        ("3.2", 7, "Put gamma lambda"),
        ("3.3", 2 / 6.25, "forgot the prior:"),
        ("3.3", 1 / 7.25, "2 over the curvature"),
        ("3.3", 7.25, "largest curvature"),
        ("3.3", 2 / 1.25, "softest direction"),
        ("3.3", 2 / 13.5, "not by sigma"),
        ("3.3", 2 / 26, "forgot to divide"),
        ("3.3", 2 / 25, "prior and sigma"),
        ("3.3", 2 / 2.25, "squared length"),
        ("3.3", 2 / 101, "stiffer"),
        ("3.3", 1.0, "eigenvalues"),
        ("3.5", toy_chains(share_noise=False)[:, 0].var(), "independent noise gives"),
        ("3.5", 1.0, "start's variance"),
        ("3.5", 0.01, "not quite met"),
        ("3.5", -1.0, "cannot be negative"),
        ("3.5", 5.0, "left of the noise"),
        ("3.5", [1.0, 2.0], "one number"),
        ("3.7", 0.45, "what must go"),
        ("3.7", 0.1, "distance from the mean"),
        ("3.7", 0.01, "survives a step"),
        ("3.7", 0.11, "divide it by 2 gamma"),
        ("3.7", 0.55**0.5, "standard deviations"),
        ("3.7", 1 / 0.55, "other way round: that is how much"),
        ("3.7", 0.99, "Multiply by"),
        ("3.7", 3, "Ask for"),
        ("3.4", 34, "after 34"),
        ("3.4", math.log(0.5) / math.log(0.98), "after 34"),
        ("3.4", math.ceil(0.5 * math.log(0.5) / math.log(0.98)), "variance"),
        ("3.4", 1 / (0.01 * 2), "1/e"),
        ("3.4", 0.5 / (0.01 * 2), "constant amount"),
        ("3.4", math.ceil(math.log(0.5) / math.log(0.99)), "Use the curvature"),
        ("3.4", math.log(0.1) / math.log(0.98), "to a tenth"),
        ("3.4", 500, "By which factor"),
        *[("3.6", code, hint) for code, hint in WRONG_WALKS],
        *[("3.8", code, hint) for code, hint in WRONG_CURVATURES],
        *[("3.9", code, hint) for code, hint in WRONG_DIRECTIONS],
        ("3.10", 1, "speed without wind"),
        ("3.10", 9, "mixes the two"),
        ("3.10", 10, "the trace"),
        ("3.10", 3, "geometric mean"),
        ("3.10", 5 - 7**0.5, "gentle wind"),
        ("3.10", 7, "Find both eigenvalues"),
    ]

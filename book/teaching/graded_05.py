"""Graded tasks of chapter 5, for assignments: right answers and hidden tests. Nothing of this is in the package."""

from assignments import Variant


def after_the_chain(curvature: float, step_size: float, steps: int) -> float:
    """A start of variance 1 along one direction, by the covariance recursion, solved."""
    kept = (1 - step_size * curvature) ** 2
    stationary = 2 / (curvature * (2 - step_size * curvature))
    return stationary + kept**steps * (1 - stationary)


def start_gap(curvature: float, variance: float, offset: float) -> float:
    """KL(N(m + offset, variance) || N(m, 1 / curvature))."""
    import math

    return 0.5 * (curvature * variance - 1 - math.log(curvature * variance) + curvature * offset**2)


def other_way_round(curvature: float, variance: float, offset: float) -> float:
    import math

    return 0.5 * (1 / (curvature * variance) - 1 + math.log(curvature * variance) + offset**2 / variance)


VARIANTS = [
    Variant(
        id="5.A",
        title="A start from the prior",
        points=2,
        text="Along one direction a posterior has the curvature `curvature`. Many chains start at draws of a standard "
        "normal and make `steps` steps of plain Langevin dynamics of size `step_size`. What is their variance along "
        "this direction then? Assign the number to `answer`.",
        numbers={"curvature": [5, 7, 11], "step_size": [0.01, 0.015, 0.025], "steps": [4, 6, 9]},
        solution=after_the_chain,
        wrong=lambda curvature, step_size, steps: 1 / curvature + (1 - step_size * curvature) ** steps,  # no bias, no 2
    ),
    Variant(
        id="5.B",
        title="How far off is the start?",
        points=2,
        text="A posterior with one latent is normal with curvature `curvature`. An encoder gives it a normal law of "
        "variance `variance` whose mean is off by `offset`. How many nats lie between the evidence and the bound of a "
        "learner that takes no step at all? Assign the number to `answer`.",
        numbers={"curvature": [4, 6, 9], "variance": [0.05, 0.4, 0.9], "offset": [0.3, 0.5, 0.8]},
        solution=start_gap,
        wrong=other_way_round,  # the divergence from the posterior to the encoder
    ),
]


def hidden_5_6(my_jeffreys):
    """Other sizes, a model whose slopes differ from image to image, and both networks of slopes by hand."""
    import torch

    generator = torch.Generator().manual_seed(7)
    draw = lambda *shape: torch.empty(*shape, dtype=torch.float64).normal_(generator=generator)  # noqa: E731
    mean, log_scale = draw(5, 3).requires_grad_(), (0.3 * draw(5, 3)).requires_grad_()
    noise, states, target = draw(5, 3), draw(6, 5, 3).requires_grad_(), draw(5, 3)
    loss = my_jeffreys(lambda z: -2 * (z - target).square().sum(-1), mean, log_scale, noise, states)
    assert loss.shape == (5,), "one loss for each image"
    g_mean, g_scale, g_states = torch.autograd.grad(
        loss.sum(), [mean, log_scale, states], allow_unused=True, materialize_grads=True
    )
    with torch.no_grad():
        scale, error = log_scale.exp(), states - mean
        pull = 4 * (mean + scale * noise - target)
        want_mean = pull - (error / scale**2).mean(0)
        want_scale = pull * scale * noise - (error / scale).square().mean(0)
    assert torch.allclose(g_mean, want_mean), "the slope for the mean"
    assert torch.allclose(g_scale, want_scale), "the slope for the log-scale"
    assert not g_states.any(), "nothing may flow into the states"


def hidden_5_7(my_leaning):
    """Three latents and random draws, against autograd; and no slope where the Gaussian is the posterior."""
    import torch

    generator = torch.Generator().manual_seed(8)
    draw = lambda *shape: torch.empty(*shape, dtype=torch.float64).normal_(generator=generator)  # noqa: E731
    root = draw(3, 3)
    precision = root @ root.T + torch.eye(3, dtype=torch.float64)
    mean, factor, noise = draw(3), torch.tril(0.3 * draw(3, 3)) + torch.eye(3, dtype=torch.float64), draw(50, 3)
    g_mean, g_factor = my_leaning(mean, factor, noise, lambda z: -z @ precision)
    mean, factor = mean.requires_grad_(), factor.requires_grad_()
    z = mean + noise @ factor.T
    loss = 0.5 * torch.einsum("ni,ij,nj->n", z, precision, z).mean() - factor.diagonal().log().sum()
    want_mean, want_factor = torch.autograd.grad(loss, [mean, factor])
    assert torch.allclose(g_mean, want_mean), "the gradient for the mean"
    assert torch.allclose(g_factor, want_factor.tril()), "the gradient for the factor"
    points = 3**0.5 * torch.cat([torch.eye(3), -torch.eye(3)]).double()
    best = torch.linalg.cholesky(torch.linalg.inv(precision))
    _, at_rest = my_leaning(torch.zeros(3).double(), best, points, lambda z: -z @ precision)
    assert torch.allclose(at_rest, torch.zeros(3, 3).double(), atol=1e-9), "it rests at the posterior"


HIDDEN = {"5.6": hidden_5_6, "5.7": hidden_5_7}

"""Graded tasks of chapter 1, for assignments: right answers and hidden tests. Nothing of this is in the package."""

from assignments import Variant


def best_over_all(weight: float, scale: float) -> float:
    import math

    return 0.5 * math.log(2 * math.pi / (1 + weight**2 / scale**2))


def white(mean: float, scale: float) -> float:
    from statistics import NormalDist

    return 1 - NormalDist(mean, scale).cdf(1 - 1 / 255)


def closed_bin(mean: float, scale: float) -> float:
    from statistics import NormalDist

    return NormalDist(mean, scale).cdf(1 + 1 / 255) - NormalDist(mean, scale).cdf(1 - 1 / 255)


VARIANTS = [
    Variant(
        id="1.A",
        title="The best cause, and all causes",
        points=3,
        text="A model with one latent and one pixel: $z \\sim \\mathcal N(0, 1)$ and $x = w z + \\sigma \\varepsilon$, "
        "with $w$ = `weight` and $\\sigma$ = `scale`. How much larger is $\\log p(x)$ than the largest value of "
        "$\\log p(x, z)$ over all $z$, in nats? (The answer does not depend on $x$, and it may be negative.) Assign it "
        "to `answer`.",
        numbers={
            "weight": [1.5, 2.0, 3.0, 4.0, 5.0],
            "scale": [0.2, 0.3, 0.5, 0.7],
        },
        solution=best_over_all,
        wrong=lambda weight, scale: best_over_all(weight, scale) - 0.9189385,  # the factor sqrt(2 pi) forgotten
    ),
    Variant(
        id="1.B",
        title="How probable is white?",
        points=2,
        text="The decoder paints a pixel at $f$ = `mean`, and the discretized Gaussian has $\\sigma$ = `scale`. How "
        "probable is the level white, $x = 1$? Assign the probability to `answer`.",
        numbers={
            "mean": [0.8, 0.85, 0.9, 0.93, 0.96],
            "scale": [0.11, 0.15, 0.21, 0.3],
        },
        solution=white,
        wrong=closed_bin,  # the end bin taken for an inner one
    ),
]


def hidden_1_6(my_log_evidence):
    """A nonlinear model with one latent, against an integral on a grid; draws of its own for each image."""
    import math

    import torch

    x = torch.tensor([[0.5], [2.0], [0.5]], dtype=torch.float64)

    def log_joint(z):
        error = (x - z.sin() - z) / 0.7
        return -0.5 * (error.square() + z.square()).sum(-1) - math.log(0.7) - math.log(2 * math.pi)

    grid = torch.linspace(-9, 9, 20_001, dtype=torch.float64)
    exact = log_joint(grid[:, None, None].expand(-1, 3, 1)).logsumexp(0) + math.log(18 / 20_000)
    mean = torch.tensor([[0.2], [1.0], [0.2]], dtype=torch.float64)
    estimate = my_log_evidence(log_joint, mean, 0.9, 50_000, torch.Generator().manual_seed(3))
    assert estimate.shape == (3,), "one estimate for each image"
    assert (estimate - exact).abs().max() < 0.03, "not the evidence"
    few = my_log_evidence(log_joint, mean, 0.9, 3, torch.Generator().manual_seed(3))
    assert few[0] != few[2], "equal images need draws of their own"
    far = my_log_evidence(
        lambda z: log_joint(z) - 5000,
        mean,
        0.9,
        1000,
        torch.Generator().manual_seed(3),
    )
    assert torch.isfinite(far).all(), "exp() underflows: use logsumexp"


def hidden_1_7(my_log_mass):
    """The probabilities of all levels sum to one; images of several pixels; levels out of reach."""
    import torch

    levels = 2 * torch.arange(256, dtype=torch.float64)[:, None] / 255 - 1
    for mean, scale in ((0.3, 0.2), (-0.9, 0.5), (1.0, 0.05)):
        total = my_log_mass(levels, torch.full_like(levels, mean), scale).exp().sum()
        assert abs(total - 1) < 1e-6, "the levels' probabilities do not sum to one"
    images = levels[[0, 100, 255]].T.repeat(2, 1)
    means = torch.full_like(images, 0.1)
    parts = sum(my_log_mass(images[:, [i]], means[:, [i]], 0.4) for i in range(3))
    assert torch.allclose(my_log_mass(images, means, 0.4), parts), "pixels are independent: their logs add"
    assert torch.isfinite(my_log_mass(levels, -levels, 0.01)).all(), "clamp before the logarithm"


HIDDEN = {"1.6": hidden_1_6, "1.7": hidden_1_7}

"""Graded tasks of chapter 6, for assignments: answers and hidden tests.

Nothing of this is in the package.
"""

from assignments import Variant


def steps_to_forget(margin: float, stiff: float) -> float:
    return margin / 2 * stiff**0.5


def shared_moment(chains: int, temperature: float) -> float:
    return temperature * (1 + 1 / chains)


VARIANTS = [
    Variant(
        id="6.A",
        title="How many steps with a settled scale?",
        points=2,
        text="A Gaussian posterior has the precision diag(1, `stiff`). A "
        "shared RMS scale has settled at what its scores have under this "
        "posterior, and the step size leaves a stability margin of `margin`. "
        "In about how many steps does the chain forget its start by a factor "
        "$e$? Take the chapter's approximation: one over the step size times "
        "the smallest curvature, both as they are in the units in which $M$ "
        "is one. Assign the number to `answer`.",
        numbers={
            "margin": [2, 2.4, 3, 3.6, 4.4],
            "stiff": [9, 50, 290, 1700, 9800],
        },
        solution=steps_to_forget,
        wrong=lambda margin, stiff: margin / 2 * stiff,  # without M
    ),
    Variant(
        id="6.B",
        title="A few chains share a scale at a temperature",
        points=2,
        text="`chains` chains sample the standard normal in one dimension at "
        "the temperature `temperature`. They share the scale $M = 1 / r$, "
        "where $r^2$ is the mean of the squares of their present scores. There "
        "is no memory and no divergence term. What is $\\mathbb E z^2$ of one "
        "chain as the step size goes to zero? Assign the number to `answer`.",
        numbers={
            "chains": [2, 3, 4, 5, 6],
            "temperature": [0.31, 0.43, 0.59, 0.77, 0.91],
        },
        solution=shared_moment,
        # The excess of temperature 1:
        wrong=lambda chains, temperature: temperature + 1 / chains,
    ),
]


def hidden_6_7(my_scales):
    """Random scores: the first M, three updates, the freeze, and no freeze."""
    import torch

    def close(M, mean_square):
        return torch.allclose(M.float(), mean_square.rsqrt(), rtol=1e-4)

    seeded = torch.Generator().manual_seed(1)
    size = torch.tensor([1.0, 10.0, 0.1])
    scores = torch.randn(6, 5, 3, generator=seeded) * size
    squares = scores.square().mean(1)
    frozen = torch.stack(list(my_scales(scores, 0.9, 3)))
    assert frozen.shape == (6, 3), "one M for each step and latent"
    assert close(frozen[0], squares[0]), "the first M"
    weights = torch.tensor([0.81, 0.9, 1.0])[:, None]
    third = (weights * squares[:3]).sum(0) / weights.sum()
    assert close(frozen[2], third), "M after three updates"
    assert torch.equal(frozen[3:], frozen[2].expand(3, 3)), "M after the freeze"
    running = torch.stack(list(my_scales(scores, 0.9, 100)))
    powers = torch.tensor([0.9**k for k in range(5, -1, -1)])[:, None]
    last = (powers * squares).sum(0) / powers.sum()
    assert close(running[5], last), "M after six updates"


def hidden_6_8(my_dense_chain):
    """On a correlated Gaussian, with M the inverse of its precision."""
    import torch

    root = torch.tensor([[2.0, 0.0, 0.0], [1.0, 1.0, 0.0], [-0.5, 0.5, 0.5]])
    M, mean = root @ root.T, torch.tensor([3.0, -2.0, 1.0])
    precision, start = torch.linalg.inv(M), torch.zeros(20_000, 3)

    def score(z):
        return (mean - z) @ precision.to(z)

    seeded = torch.Generator().manual_seed(2)
    end = my_dense_chain(score, start, M, 0.2, 40, seeded).float()
    assert end.shape == start.shape, "one state for each chain"
    wide = M / 0.9  # V = (Lambda - gamma / 2 Lambda M Lambda)^-1
    spread = wide.diagonal().sqrt()
    off = (end.mean(0) - mean).abs() / spread
    assert (off < 0.05).all(), "the mean of the posterior"
    off = (end.T.cov() - wide).abs() / (spread[:, None] * spread)
    assert (off < 0.05).all(), "its covariance, by ULA too large"


def hidden_6_10(my_metric_step):
    """Three latents whose scales depend on each other, five chains."""
    import torch

    draw = torch.Generator().manual_seed(3)
    z, noise = torch.randn(2, 5, 3, generator=draw)

    def metric(z):  # each entry depends on its own latent and on the next one
        return 2 + z.sin() * z.roll(1, -1).cos()

    def score(z):
        return -(z**3)

    divergence = z.cos() * z.roll(1, -1).cos()
    for tau in (1.0, 0.3):
        made = my_metric_step(score, metric, z.clone(), 0.1, tau, noise)
        assert made.shape == z.shape, "one state for each chain"
        assert not made.requires_grad, "the states have no graph"
        drift = metric(z) * score(z) + tau * divergence
        wanted = z + 0.1 * drift + (0.2 * tau * metric(z)).sqrt() * noise
        assert torch.allclose(made.float(), wanted, atol=1e-4), f"at {tau}"


HIDDEN = {"6.7": hidden_6_7, "6.8": hidden_6_8, "6.10": hidden_6_10}

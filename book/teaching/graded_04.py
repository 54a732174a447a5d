"""Graded tasks of chapter 4, for assignments: right answers and hidden tests. Nothing of this is in the package."""

from assignments import Variant


def one_step(step_size: float, curvature: float, start: float) -> float:
    """The squares of eq-path-bound for a step from `start` to 0.5, around a posterior with mean zero."""
    end = 0.5
    there = end - start + step_size * curvature * start
    back = start - end + step_size * curvature * end
    return (there**2 - back**2) / (4 * step_size)


def outlier(walks: int, lower: float) -> float:
    """How far the bound of averaged inverse weights lies below the mean of the logarithms."""
    import math

    return math.log((walks - 1 + math.exp(lower)) / walks) - lower / walks


def averaged_weights(walks: int, lower: float) -> float:
    import math

    return -math.log((walks - 1 + math.exp(-lower)) / walks) - lower / walks


VARIANTS = [
    Variant(
        id="4.A",
        title="What one step adds",
        points=2,
        text="A posterior with one latent is normal with mean 0 and curvature `curvature`. A plain chain (no bridges) "
        "with step size `step_size` goes from `start` to 0.5 in one step. What does this step add to $\\log w$ of "
        "{eq}`eq-path-bound`? Assign the number, with its sign, to `answer`.",
        numbers={"step_size": [0.02, 0.05, 0.08], "curvature": [2, 3, 5], "start": [1.5, 2.1, 2.8]},
        solution=one_step,
        wrong=lambda step_size, curvature, start: curvature * (0.5**2 - start**2) / 2,  # exact detailed balance
    ),
    Variant(
        id="4.B",
        title="The walk that counts",
        points=3,
        text="Of `walks` walks back on a simulated image all give the same $\\log w$, but for one, which is lower by "
        "`lower` nats. By how many nats does the tightest upper bound on $\\log p_\\theta(x)$ that you can make of "
        "these walks lie below the mean of their $\\log w$? Assign the number to `answer`.",
        numbers={"walks": [4, 6, 10, 15, 25], "lower": [2.0, 2.8, 3.1, 3.3, 5.5]},
        solution=outlier,
        wrong=averaged_weights,  # averages w where 1/w is unbiased
    ),
]


def hidden_4_8(my_way_back):
    """Three latents, six other steps: the bridges asked for, both means, noise for each path, and the generator."""
    import math

    import torch

    slopes = torch.tensor([0.5, 1.0, 1.5], dtype=torch.float64)
    data = torch.tensor([1.0, -1.5, 0.5], dtype=torch.float64)
    precisions, constant, shares = 1 + slopes**2, 1.5 * math.log(2 * math.pi), []
    evidence = -constant - 0.5 * (data**2 / precisions + precisions.log()).sum()

    def log_start(z):
        return -constant - 0.5 * (z**2).sum(-1)

    def log_joint(z):
        return log_start(z) - constant - 0.5 * ((data - slopes * z) ** 2).sum(-1)

    def score(z, b):
        shares.append(float(b))
        return -z + b * (data - slopes * z) * slopes

    def walk(z):
        return my_way_back(z.clone(), score, log_joint, log_start, 6, 0.12, torch.Generator().manual_seed(3))

    noise = torch.randn(40_000, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    draws = slopes * data / precisions + noise / precisions.sqrt()
    found, one, again = walk(draws), walk(draws[:1].expand(50, 3)), walk(draws[:1].expand(50, 3))
    assert found.shape == (40_000,), "one log-weight for each path"
    assert {round(6 * b, 6) for b in shares} == {1, 2, 3, 4, 5, 6}, "the bridges are t / T, for t = 1 to T"
    assert torch.equal(one, again), "all noise comes from the generator"
    assert one.std() > 0.1, "each path has its own noise"
    excess = found - evidence
    assert abs((-excess).exp().mean() - 1) < 0.15, "the mean of 1 / w is 1 / p(x)"
    assert abs(excess.mean() - 0.469) < 0.03, "the mean of log w"


def hidden_4_9(my_ais):
    """A start that is no standard normal, a target with two valleys, and other odds for the coins."""
    import math

    import torch

    def log_start(z):
        return -0.5 * ((z - 1) / 1.5).square().sum(-1) - z.shape[1] * math.log(1.5 * math.sqrt(2 * math.pi))

    def log_joint(z):
        valleys = torch.stack([-2 * (z - 2).square(), -2 * (z + 1).square()]).logsumexp(0)
        return valleys.sum(-1)

    def flat(z):
        return 0 * z.sum(-1)

    def peak(z):
        return -math.log(9) * (z != 0).any(-1).to(z)

    def walk(z, of_start, of_target, betas, seed):
        return my_ais(z.clone(), of_start, of_target, betas, 1.1, torch.Generator().manual_seed(seed))

    noise = torch.randn(30_000, 2, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    evidence = 2 * math.log(2 * math.sqrt(2 * math.pi) / 2)
    betas = [0.0, 0.02, 0.06, 0.15, 0.35, 0.6, 1.0]
    found = walk(1 + 1.5 * noise, log_start, log_joint, betas, 6)
    assert found.shape == (30_000,), "one log-weight for each walk"
    excess = found - evidence
    assert abs(excess.exp().mean() - 1) < 0.04, "the mean of w is p(x)"
    assert abs(excess.mean() + 1.035) < 0.06, "the mean of log w"
    zeros = torch.zeros(200, 2, dtype=torch.float64)
    moved = torch.stack(
        [(walk(zeros, flat, peak, [0.0, 0.5, 1.0], seed) < -1e-6).double().mean() for seed in range(10)]
    )
    assert abs(moved.mean() - 1 / 3) < 0.06, "a move that loses log 3 on its bridge is accepted once in three"
    assert moved.min() > 0 and moved.max() < 1, "each walk tosses its own coin"
    one, again = (walk(zeros, log_start, log_joint, [0.0, 0.3, 1.0], 8) for _ in range(2))
    assert torch.equal(one, again), "noise and coins come from the generator"
    assert one.unique().numel() > 20, "each walk has its own noise"


HIDDEN = {"4.8": hidden_4_8, "4.9": hidden_4_9}

"""What walks do that a reader has written, for the self-checks of chapter 4: two latents whose evidence is known."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from pcltut.noise import standard_normal

CONSTANT = -0.5 * math.log(2 * math.pi)

# Two latents z_i ~ N(0, 1), each with a datum x_i ~ N(w_i z_i, 1) of its own.
SLOPES, DATA = torch.tensor([[1.0, 2.0], [1.0, -1.0]], dtype=torch.float64)
PRECISIONS = 1 + SLOPES.square()
EVIDENCE = 2 * CONSTANT - 0.5 * (DATA.square() / PRECISIONS + PRECISIONS.log()).sum().item()


def log_start(z: Tensor) -> Tensor:
    """Log-density of the prior, where walks begin."""
    return 2 * CONSTANT - 0.5 * z.square().sum(-1)


def log_joint(z: Tensor) -> Tensor:
    """Log-density of latents and data together."""
    return log_start(z) + 2 * CONSTANT - 0.5 * (DATA - SLOPES * z).square().sum(-1)


def are_log_weights(found: object, count: int) -> bool:
    """Whether something is one log-weight for each walk."""
    return isinstance(found, Tensor) and found.shape == (count,)


def way_back_does(my_way_back: Callable) -> list[float] | None:
    """Mean of p(x) / w; mean of log w - log p(x); the least and the largest share of a bridge; spread of log w where
    all paths begin at one point; what a second call changes.
    """
    shares = []

    def score(z: Tensor, b: float) -> Tensor:
        shares.append(float(b))
        return -z + b * (DATA - SLOPES * z) * SLOPES

    def walk(z: Tensor) -> object:
        return my_way_back(z.clone(), score, log_joint, log_start, 8, 0.1, torch.Generator().manual_seed(0))

    noise = standard_normal((20_000, 2), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    draws = SLOPES * DATA / PRECISIONS + noise / PRECISIONS.sqrt()
    one = draws[:1].expand(100, 2)
    found, single, again = walk(draws), walk(one), walk(one)
    if not (are_log_weights(found, 20_000) and are_log_weights(single, 100) and are_log_weights(again, 100)):
        return None
    excess, spread, change = found - EVIDENCE, single.var(), (single - again).abs().max()
    low, high = (min(shares), max(shares)) if shares else (0.0, 0.0)
    means = [min(excess.neg().exp().mean().item(), 1e6), excess.mean().item()]
    return [*means, low, high, spread.item(), change.item()]


def annealing_does(my_ais: Callable) -> list[float] | None:
    """Mean of w / p(x); mean of log w - log p(x); the share of accepted moves where it should be a half; how it varies
    within a call; how many different places 100 walks go to; what a second call changes.
    """

    def walk(seed: int, count: int, of_start: Callable, of_target: Callable, betas: list[float]) -> object:
        z = standard_normal((count, 2), generator=torch.Generator().manual_seed(7), dtype=torch.float64)
        z = z if count > 100 else torch.zeros_like(z)
        return my_ais(z, of_start, of_target, betas, 0.9, torch.Generator().manual_seed(seed))

    def flat(z: Tensor) -> Tensor:
        return 0 * z.sum(-1)

    def peak(z: Tensor) -> Tensor:  # a move away from the origin loses log 4, half of it on the bridge with b = 1/2
        return -math.log(4) * (z != 0).any(-1).to(z)

    betas = [(t / 8) ** 2 for t in range(9)]
    found = walk(0, 12_000, log_start, log_joint, betas)
    coins = [walk(seed, 100, flat, peak, [0.0, 0.5, 1.0]) for seed in range(20)]
    single, again = (walk(0, 100, log_start, log_joint, [0.0, 0.25, 1.0]) for _ in range(2))
    if not are_log_weights(found, 12_000) or not all(are_log_weights(w, 100) for w in (*coins, single, again)):
        return None
    excess, moved = found - EVIDENCE, torch.stack([(w < -1e-6).double().mean() for w in coins])
    means = [min(excess.exp().mean().item(), 1e6), excess.mean().item()]
    places, change = float(single.unique().numel()), (single - again).abs().max().item()
    return [*means, moved.mean().item(), 4 * (moved * (1 - moved)).mean().item(), places, change]

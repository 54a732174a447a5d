"""Chain diagnostics: how many independent draws a trace is worth, and whether its chains agree.

All take draws of a scalar or of many, `[draws, chains, *rest]` (a `Trace.z` with its leading axis of kept steps),
and give one value for each of `rest`: NaN where a draw is not finite, or where all draws are equal. Source: Vehtari,
Gelman, Simpson, Carpenter and Buerkner (2021), rank-normalized split R-hat and effective sample size; the
autocorrelation sum is cut by Geyer's (1992) initial monotone sequence.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

MIN_DRAWS = 8


def effective_sample_size(samples: Float[Tensor, "draws chains *rest"]) -> Float[Tensor, "*rest"]:
    r"""Bulk effective sample size: independent draws that would fix a mean as well as these do.

    From rank-normalized split chains, as ArviZ's `ess(method="bulk")`. It sees what the chains have visited: a mode
    that no chain found goes unnoticed.

    Raises:
        ValueError: fewer than 8 draws.
    """
    halves = _split(samples)
    return halves.shape[0] * halves.shape[1] / _autocorrelation_time(_rank_normalize(halves))


def split_rhat(samples: Float[Tensor, "draws chains *rest"]) -> Float[Tensor, "*rest"]:
    r"""Rank-normalized split R-hat: 1 for chains that agree, suspect above 1.01.

    The larger of bulk and folded (spread), as ArviZ's `rhat(method="rank")`. Chains that all start at one point and
    have not moved yet also agree.

    Raises:
        ValueError: fewer than 8 draws.
    """
    halves = _split(samples)
    ordered = halves.flatten(0, 1).sort(dim=0).values
    middle = len(ordered) // 2  # the halves hold an even number of draws: the median lies between two
    folded = (halves - (ordered[middle - 1] + ordered[middle]) / 2).abs()
    bulk, spread = _rhat(_rank_normalize(halves)), _rhat(_rank_normalize(folded))
    return torch.fmax(bulk, spread)  # the spread alone may be constant: then it has no R-hat


def _split(samples: Tensor) -> Tensor:
    """Halves of each chain as chains of their own, `[draws // 2, 2 * chains, *rest]`, in double precision.

    All NaN where any draw is not finite: a rank would hide it, and so would the middle draw that is left out.
    """
    if not isinstance(samples, Tensor):
        raise ValueError(f"got samples of type {type(samples).__name__}, expected a tensor; use torch.as_tensor")
    if samples.ndim < 2 or samples.shape[0] < MIN_DRAWS or samples.shape[1] < 1:
        raise ValueError(
            f"got samples of {tuple(samples.shape)}, expected [draws, chains, ...] with {MIN_DRAWS} or more draws; "
            "run longer chains with keep='all'"
        )
    half = samples.shape[0] // 2
    finite = samples.isfinite().flatten(0, 1).all(0)
    return torch.cat([samples[:half], samples[-half:]], dim=1).double().where(finite, torch.nan)


def _rank_normalize(halves: Tensor) -> Tensor:
    """Normal scores of the ranks over all draws and chains; ties share their mean rank."""
    rows = halves.flatten(0, 1).movedim(0, -1).contiguous()
    ordered = rows.sort().values
    ranks = (torch.searchsorted(ordered, rows) + torch.searchsorted(ordered, rows, right=True) + 1) / 2
    scores = torch.special.ndtri((ranks.double() - 3 / 8) / (rows.shape[-1] + 1 / 4)).where(rows.isfinite(), torch.nan)
    return scores.movedim(-1, 0).reshape(halves.shape)


def _rhat(chains: Tensor) -> Tensor:
    draws = chains.shape[0]
    between = draws * chains.mean(0).var(0)
    within = chains.var(0).mean(0)
    return ((between / within + draws - 1) / draws).sqrt()


def _autocorrelation_time(chains: Tensor) -> Tensor:
    r"""Steps that one independent draw costs, :math:`1 + 2 \sum_{k \ge 1} \rho_k`, cut by Geyer's monotone sequence."""
    draws, num_chains = chains.shape[:2]
    centered = chains - chains.mean(0)
    spectrum = torch.fft.rfft(centered, n=2 * draws, dim=0)
    covariance = torch.fft.irfft(spectrum.abs().square(), n=2 * draws, dim=0)[:draws].mean(1) / draws
    within = covariance[0] * draws / (draws - 1)
    variance = covariance[0] + (chains.mean(0).var(0) if num_chains > 1 else 0.0)
    correlation = 1 - (within - covariance) / variance
    correlation[0] = 1.0

    # Sums of neighboring pairs are positive and fall for a reversible chain: cut at the first that does not.
    num_pairs = (draws - 3) // 2 + 1 if draws > 4 else 1
    even, odd = correlation[0 : 2 * num_pairs : 2], correlation[1 : 2 * num_pairs : 2]
    pairs = even + odd
    index = torch.arange(num_pairs, device=chains.device).reshape(-1, *[1] * (pairs.ndim - 1))
    is_last = (pairs < 0) | (index == num_pairs - 1)
    cut = is_last.to(torch.int8).argmax(0, keepdim=True)
    monotone = pairs.cummin(0).values
    last = even.gather(0, cut)[0]
    last = torch.where(pairs.gather(0, cut)[0] < 0, last.clamp(min=0), last)
    time = -1 + 2 * torch.where(index < cut, monotone, 0.0).sum(0) + last
    return time.clamp(min=1 / math.log10(draws * num_chains))

"""Exercises of chapter 9: right answers in any form, and likely mistakes with a part of their hints."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import scipy.stats
import torch
from torch import Tensor

from pcltut.experiments import load_results, load_search, paired_interval

LPC, VAE = np.array([152.0, 140.0, 161.0, 139.0, 150.0]), np.array([140.0, 133.0, 146.0, 130.0, 138.0])
DIFFERENCES = LPC - VAE


def largest_of(count: int) -> float:
    """Mean of the largest of `count` standard normal numbers."""
    z = np.linspace(-12, 12, 200_001)
    density = count * scipy.stats.norm.pdf(z) * scipy.stats.norm.cdf(z) ** (count - 1)
    return float((z * density).sum() * (z[1] - z[0]))


def seeds_needed() -> int:
    return next(n for n in range(2, 100) if scipy.stats.t.ppf(0.975, n - 1) * 10 / n**0.5 <= 5)


def chosen_anew() -> int:
    """Methods whose best trial by Frechet distance is another one than by log-evidence, from the trials themselves."""
    count = 0
    for found in load_search("headline")["methods"].values():
        last = {
            i: trial["curve"][-1] for i, trial in enumerate(found["trials"]) if trial["curve"] and not trial["failed"]
        }
        evidence = max(last, key=lambda i: last[i]["log_evidence"])
        count += evidence != min(last, key=lambda i: last[i]["frechet"])
    return count


def pairs() -> list[list[int]]:
    """The pairs of rows whose declarations differ in one setting, which the search does not choose."""
    methods = list(load_search("headline")["methods"].values())
    fixed = [{"draws": 1, "temperature": 1.0, "searched": tuple(sorted(m["search"])), **m["fixed"]} for m in methods]
    keys = list(load_results("headline")["methods"])

    def differ(first: int, second: int) -> set[str]:
        one, other = fixed[first], fixed[second]
        return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}

    def only(*names: str) -> list[int]:
        plain = [i for i, key in enumerate(keys) if key not in ("iwae-10", "lpc-incremental")]
        (found,) = [list(two) for two in itertools.combinations(plain, 2) if differ(*two) == set(names)]
        return found

    return [only("num_samples"), only("temperature"), only("preconditioner", "step_schedule"), only("warm_start")]


def bootstrap(
    differences: Tensor,
    num_draws: int,
    generator: torch.Generator,
    *,
    anew: bool = False,
    again: tuple[bool, bool] = (True, True),
    ends: tuple[float, float] = (0.025, 0.975),
) -> Tensor:
    """All draws at once, as weights of seeds and images."""
    shares = []
    for size, drawn in zip(differences.shape, again, strict=True):
        indices = torch.randint(size, (num_draws, size), generator=generator)
        counts = torch.zeros(num_draws, size).scatter_add_(1, indices, torch.ones(num_draws, size))
        shares.append((counts if drawn else torch.ones_like(counts)) / size)
    seeds, images = (share.to(differences) for share in shares)
    means = torch.einsum("ns,ni,si->n", seeds, images, differences)
    if anew:  # images for each drawn seed
        rows = torch.randint(differences.shape[0], (num_draws, differences.shape[0]), generator=generator)
        columns = torch.randint(differences.shape[1], (num_draws, *differences.shape), generator=generator)
        means = differences[rows[:, :, None], columns].mean((1, 2))
    return means.quantile(torch.tensor(ends).to(means))


def bootstrap_by_loops(differences: Tensor, num_draws: int, generator: torch.Generator) -> list[float]:
    source = np.random.default_rng(torch.randint(10**9, (1,), generator=generator).item())
    matrix, means = differences.numpy(), []
    for _ in range(num_draws):
        rows, columns = (source.integers(size, size=size) for size in matrix.shape)
        means.append(matrix[np.ix_(rows, columns)].mean())
    return np.percentile(means, [2.5, 97.5]).tolist()


def single_entries(differences: Tensor, num_draws: int, generator: torch.Generator) -> Tensor:
    size = differences.numel()
    drawn = differences.flatten()[torch.randint(size, (num_draws, size), generator=generator)]
    return drawn.mean(1).quantile(torch.tensor([0.025, 0.975]).double())


def without_replacement(differences: Tensor, num_draws: int, generator: torch.Generator) -> Tensor:
    means = []
    for _ in range(num_draws):
        rows, columns = (torch.randperm(size, generator=generator) for size in differences.shape)
        means.append(differences[rows][:, columns].mean())
    return torch.stack(means).quantile(torch.tensor([0.025, 0.975]).double())


def without_the_generator(differences: Tensor, num_draws: int, generator: torch.Generator) -> Tensor:
    return bootstrap(differences, num_draws, torch.default_generator)


def too_wide(differences: Tensor, num_draws: int, generator: torch.Generator) -> Tensor:
    ends = bootstrap(differences, num_draws, generator)
    return ends.mean() + 2 * (ends - ends.mean())


FACTORS = ((1, 1), (2, 1), (0.5, 1), (1, 2), (1, 0.5))


def choice(
    rates: Tensor,
    scores: Tensor,
    again: Callable,
    *,
    factors: tuple = FACTORS,
    lost: tuple[float, float] = (-math.inf, -math.inf),
    sign: int = 1,
    kept: bool = False,
) -> Tensor:
    """`lost` is what a failed run counts, in the first round and in the second; with `kept` the first score counts."""
    first = torch.where(scores.isnan(), lost[0], scores)
    best = rates[first.argmax()]
    points = [best * torch.tensor(each).double() for each in factors]
    second = torch.tensor([again(point) for point in points]).double()
    second = torch.where(second.isnan(), lost[1] if sign > 0 else math.inf, second)
    if kept:
        second[0] = first.max()
    return points[(sign * second).argmax()]


def choice_in_plain_python(rates: Tensor, scores: Tensor, again: Callable) -> tuple[float, float]:
    tried = [(score, i) for i, score in enumerate(scores.tolist()) if not math.isnan(score)]
    rate, encoders = rates[max(tried)[1]].tolist()
    points = [(rate, encoders), (rate / 2, encoders), (2 * rate, encoders), (rate, encoders / 2), (rate, 2 * encoders)]
    found = [(again(torch.tensor(point).double()), point) for point in points]
    return max(entry for entry in found if not math.isnan(entry[0]))[1]


def with_the_trial_twice(rates: Tensor, scores: Tensor, again: Callable) -> Tensor:
    again(rates[2])
    return choice(rates, scores, again)


def climbing(rates: Tensor, scores: Tensor, again: Callable) -> Tensor:
    chosen = choice(rates, scores, again)
    return choice(chosen[None], torch.zeros(1), again)


def averaged(rates: Tensor, scores: Tensor, again: Callable) -> Tensor:
    first = scores.nan_to_num(-math.inf).max().item()
    best = rates[scores.nan_to_num(-math.inf).argmax()]
    return choice(rates, scores, lambda pair: (again(pair) + first) / 2 if torch.equal(pair, best) else again(pair))


def too_large() -> float:
    """The mean of the sum under the root over the variance of the mean: traces with the entries' covariance."""
    num_seeds, num_images = 5, 500
    ones = [np.ones((size, size)) for size in (num_seeds, num_images)]
    eyes = [np.eye(size) for size in (num_seeds, num_images)]
    parts = [(9.0, eyes[0], ones[1]), (400.0, ones[0], eyes[1]), (1600.0, eyes[0], eyes[1])]  # a_s, b_i, e_si

    def mean_of(of_seeds: np.ndarray, of_images: np.ndarray) -> float:  # of a quadratic form, a Kronecker product
        return sum(v * np.trace(of_seeds @ one) * np.trace(of_images @ other) for v, one, other in parts)

    mean = [one / one.shape[0] ** 2 for one in ones]
    spread = [(eye - one / len(one)) / (len(one) - 1) / len(one) for eye, one in zip(eyes, ones, strict=True)]
    return (mean_of(spread[0], mean[1]) + mean_of(mean[0], spread[1])) / mean_of(*mean)


def right() -> dict[str, list]:
    half = paired_interval(LPC.tolist(), VAE.tolist()).half_width
    return {
        "9.1": [1.1, np.float64(1.1)],
        "9.2": [half, round(half, 2), torch.tensor(half)],
        "9.3": [pairs(), [(2, 0), (6, 5), (7, 6), (8, 7)], torch.tensor([[0, 2], [5, 6], [6, 7], [7, 8]])],
        "9.4": [chosen_anew()],
        "9.5": [45 * 2 * scipy.stats.t.sf(scipy.stats.t.ppf(0.975, 4), 4), 2.25],
        "9.6": [seeds_needed(), 18.0],
        "9.7": [2 * largest_of(6), 2.53, [2.55]],
        "9.8": [bootstrap, bootstrap_by_loops],
        "9.9": [choice, choice_in_plain_python],
        "9.10": [too_large(), 1.198],
    }


def wrong() -> list[tuple[str, object, str]]:
    spread, error = DIFFERENCES.std(ddof=1), scipy.stats.sem(DIFFERENCES)
    t = scipy.stats.t.ppf(0.975, 4)
    unpaired = scipy.stats.ttest_ind(LPC, VAE).confidence_interval(0.95)
    draws, noise, scales, loss = pairs()
    once = 9 / 5 + 400 / 500
    true = once + 1600 / 2500
    return [
        ("9.1", 0.4, "ratio of iterations"),
        ("9.1", 1 / 1.1, "The inverse"),
        ("9.1", 2.75, "fewer iterations"),
        ("9.1", 0.4 * 4 / 11, "its own time"),
        ("9.1", 7, "iterations times seconds"),
        ("9.2", 1.96 * error, "normal law"),
        ("9.2", t * spread, "root of the number of seeds"),
        ("9.2", t * DIFFERENCES.std() / 5**0.5, "n - 1 = 4"),
        ("9.2", scipy.stats.t.ppf(0.975, 5) * error, "5 degrees of freedom"),
        ("9.2", 2 * t * error, "whole width"),
        ("9.2", error, "standard error"),
        ("9.2", scipy.stats.t.ppf(0.95, 4) * error, "one-sided"),
        ("9.2", (unpaired.high - unpaired.low) / 2, "pair the seeds"),
        ("9.2", DIFFERENCES.mean(), "mean difference"),
        ("9.2", 100.0, "2.776 s"),
        ("9.3", [[0, 3], noise, scales, loss], "Which row has the ELBO"),
        ("9.3", [[2, 3], noise, scales, loss], "their bounds differ"),
        ("9.3", [draws, [5, 7], scales, loss], "With noise this row"),
        ("9.3", [draws, [5, 8], scales, loss], "three changes"),
        ("9.3", [draws, noise, [8, 6], loss], "another loss"),
        ("9.3", [draws, noise, [5, 7], loss], "which PC has not"),
        ("9.3", [draws, noise, scales, [6, 8]], "so does what scales"),
        ("9.3", [draws, noise, scales, [8, 9]], "free to choose"),
        ("9.3", [[i + 1 for i in each] for each in (draws, noise, scales, loss)], "count from 1"),
        ("9.3", [draws, noise, scales, [1, 8]], "all but one"),
        ("9.4", 10, "by both rules"),
        ("9.4", 1, "count the others"),
        ("9.4", 120, "count methods"),
        ("9.4", 5, "best_trial"),
        ("9.5", 45 * 0.025, "to either side"),
        ("9.5", 45 * 0.95, "contain zero"),
        ("9.5", scipy.stats.binom.sf(0, 45, 0.05), "How many on average"),
        ("9.5", 50 * 0.05, "no row of its own"),
        ("9.5", 0.05, "in one cell"),
        ("9.5", 0, "one honest interval"),
        ("9.5", 9 * 0.05, "one column"),
        ("9.5", 21, "over all cells"),
        ("9.6", 16, "2.131"),
        ("9.6", 17, "5.14"),
        ("9.6", 4, "one standard error"),
        ("9.6", 19, "a smaller number"),
        ("9.6", 5, "its root"),
        ("9.6", 30, "smallest n"),
        ("9.7", 0, "picked for being high"),
        ("9.7", largest_of(6), "here they have standard deviation 2"),
        ("9.7", 2 * (2 * np.log(6)) ** 0.5, "the bound"),
        ("9.7", 2, "one standard deviation"),
        ("9.7", -2 * largest_of(6), "The sign"),
        ("9.7", 2 * (2 / np.pi) ** 0.5, "mean size of one"),
        ("9.7", 9, "average the largest"),
        ("9.8", lambda d, n, g: bootstrap(d, n, g).flip(0), "the lower end first"),
        ("9.8", lambda d, n, g: bootstrap(d - d.mean(), n, g), "around the mean difference"),
        ("9.8", without_replacement, "with replacement"),
        ("9.8", lambda d, n, g: bootstrap(d, n, g, again=(False, True)), "Only images"),
        ("9.8", lambda d, n, g: bootstrap(d, n, g, again=(True, False)), "Only seeds"),
        ("9.8", lambda d, n, g: bootstrap(d, n, g, anew=True), "anew for each seed"),
        ("9.8", single_entries, "Single entries"),
        ("9.8", lambda d, n, g: bootstrap(d, n, g, ends=(0.05, 0.95)), "5 % and 95 %"),
        ("9.8", without_the_generator, "the given generator"),
        ("9.8", too_wide, "Each draw: as many"),
        ("9.8", lambda d, n, g: bootstrap(d, n, g).mean(), "Return the two ends"),
        ("9.9", lambda r, s, a: choice(r, s, a, kept=True), "took part in the second"),
        ("9.9", averaged, "took part in the second"),
        ("9.9", lambda r, s, a: choice(r, s, a, lost=(math.inf, -math.inf)), "taken for the best"),
        ("9.9", lambda r, s, a: choice(r, s, a, lost=(-math.inf, math.inf)), "A neighbor that failed"),
        ("9.9", lambda r, s, a: choice(r, s, a, sign=-1), "lowest second score"),
        (
            "9.9",
            lambda r, s, a: choice(r, s, a, factors=((1, 1), (2, 2), (0.5, 0.5), (2, 0.5), (0.5, 2))),
            "Both rates",
        ),
        ("9.9", lambda r, s, a: choice(r, s, a, factors=FACTORS[1:]), "may be the best point still"),
        ("9.9", with_the_trial_twice, "score each point once"),
        ("9.9", climbing, "beyond the four neighbors"),
        ("9.9", lambda r, s, a: choice(r, s, a, factors=(*FACTORS, (2, 2))), "beyond the four neighbors"),
        ("9.9", lambda r, s, a: choice(r, s, a, factors=((1, 1), (0.5, 1), (1, 0.5))), "return the best of these five"),
        ("9.9", lambda r, s, a: choice(r, s, a).max(), "Return the chosen pair"),
        ("9.10", too_large() ** 0.5, "of the width"),
        ("9.10", 1 / too_large(), "on average over"),
        ("9.10", 1, "from seed to seed"),
        ("9.10", (2 * true - once) / once, "has a part of v_e"),
        ("9.10", true / once, "has it as well"),
        ("9.10", (0.8 * (9 + 3.2) / 5 + 499 / 500 * (400 + 320) / 500) / true, "is right on average"),
        ("9.10", 4.0, "likewise for images"),
    ]

"""Self-checks of chapter 9, LPC and the VAE like for like."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from pcltut.check.answers import Between, Check
from pcltut.check.code import Code


def interval_found(my_bootstrap: Callable) -> list[float] | None:
    """Width where only seeds differ and where only images do, each over what it should be; how far the middle is off;
    what a second call changes.
    """
    normal, mean = torch.distributions.Normal(0.0, 1.0), 7.0

    def parts(count: int) -> Tensor:
        return normal.icdf((torch.arange(count).double() + 0.5) / count)

    def ends(differences: Tensor, num_draws: int) -> Tensor:
        found = my_bootstrap(differences.clone(), num_draws, torch.Generator().manual_seed(0))
        return torch.as_tensor(found).detach().double()

    seeds, images = (mean + parts(20)[:, None]).expand(20, 30), (mean + parts(30)).expand(20, 30)
    given = [ends(seeds, 2000), ends(images, 2000), ends(images, 9), ends(images, 9)]
    if [found.shape for found in given] != 4 * [torch.Size([2])]:
        return None
    widths = []
    for found, count in zip(given[:2], (20, 30), strict=True):
        error = parts(count).std(correction=0).item() / count**0.5
        widths.append((found[1] - found[0]).item() / (2 * 1.96 * error))
    off = max(abs(found.mean().item() - mean) for found in given[:2])
    return [*widths, off, (given[2] - given[3]).abs().max().item()]


class SecondSeed:
    """What rates score with the second seed, by their ratios to the best trial's: all that are not listed, much."""

    def __init__(self, best: Tensor, scores: dict[tuple[float, float], float]) -> None:
        self.best, self.scores, self.runs = best, scores, 0

    def __call__(self, pair: object) -> float:
        self.runs += 1
        ratios = torch.as_tensor(pair).detach().double().flatten() / self.best
        return self.scores.get(tuple(round(ratio, 3) for ratio in ratios.tolist()), 50.0)


def choices_made(my_choice: Callable) -> list[float] | None:
    """What is chosen, over the best trial's rates, where a neighbor is best and where the trial is; runs it took."""
    rates = torch.tensor([[0.04, 0.01], [0.001, 0.03], [0.008, 0.002], [0.0006, 0.0009]], dtype=torch.float64)
    scores = torch.tensor([math.nan, 3.0, 10.0, -5.0], dtype=torch.float64)
    seconds = (
        {(1.0, 1.0): 4.0, (2.0, 1.0): math.nan, (0.5, 1.0): 1.0, (1.0, 2.0): 6.0, (1.0, 0.5): 5.0},
        {(1.0, 1.0): 9.0, (2.0, 1.0): 8.0, (0.5, 1.0): math.nan, (1.0, 2.0): 7.0, (1.0, 0.5): 5.0},
    )
    found, runs = [], []
    for second in seconds:
        again = SecondSeed(rates[2], second)
        chosen = torch.as_tensor(my_choice(rates.clone(), scores.clone(), again)).detach().double()
        if chosen.shape != (2,):
            return None
        found += (chosen / rates[2]).tolist()
        runs.append(again.runs)
    return [*found, float(max(runs))]


NEAR = Between(0.88, 1.12)

CHECKS = {
    "9.1": Check(
        1.1,
        (0.4, "That is the ratio of iterations; each of them costs 11 ms here and 4 ms there."),
        (1 / 1.1, "The inverse: divide the method's time by the VAE's."),
        (11 / 4, "That is the ratio of an iteration's times; the method needs fewer iterations."),
        (0.4 * 4 / 11, "Each method has its own time an iteration: multiply by both."),
        otherwise="Time is iterations times seconds an iteration, for each of the two.",
    ),
    "9.2": Check(  # differences 12, 7, 15, 9, 12: their mean is 11, their sum of squared deviations 38
        3.8270,
        (
            2.7018,
            "That is the quantile of the normal law, 1.96; with five seeds the spread itself is uncertain: 2.776.",
        ),
        (8.5574, "Divide by the root of the number of seeds: this is about the mean, not about one seed."),
        (3.4230, "Divide the squares by n - 1 = 4: the mean was fitted to the same five numbers."),
        (3.5433, "That is the t quantile of 5 degrees of freedom; five differences have 4."),
        (7.6540, "That is the whole width; give the half."),
        (1.3784, "That is the standard error; times the t quantile it becomes half an interval."),
        (2.9386, "That is the one-sided quantile, 2.132: an interval leaves 2.5 % out on each side."),
        (11.3955, "That is the interval of two separate sets of seeds: pair the seeds first."),
        (11.0, "That is the mean difference; give half the width of its interval."),
        otherwise="Take the five differences, their standard deviation s, and 2.776 s / sqrt(5).",
        tolerance=0.003,
    ),
    "9.3": Check(
        ([0, 2], [5, 6], [6, 7], [7, 8]),
        (([1, 3], [6, 7], [7, 8], [8, 9]), "You count from 1; the VAE is row 0."),
        (([0, 3], ..., ..., ...), "IWAE(10) has ten draws and another bound: two changes. Which row has the ELBO?"),
        (([2, 3], ..., ..., ...), "Both of these rows have ten draws, and their bounds differ."),
        ((..., [5, 7], ..., ...), "With noise this row has a shared M as well: two changes at once."),
        ((..., [5, 8], ..., ...), "These two rows differ in noise, in M and in the loss: three changes at once."),
        ((..., ..., [6, 8], ...), "With the shared M this row has another loss: two changes at once."),
        ((..., ..., [5, 7], ...), "With the shared M this row has noise, which PC has not: two changes at once."),
        ((..., ..., ..., [6, 8]), "The loss changes here, but so does what scales the steps."),
        ((..., ..., ..., [8, 9]), "The loss changes here, but the last row is free to choose its temperature, too."),
        otherwise="Read in the names what each row has: draws, noise, M, loss. A pair must share all but one.",
        form="Give four pairs of row numbers, such as [[0, 1], [1, 2], [2, 3], [3, 4]].",
    ),
    "9.4": Check(
        9,
        (10, "One method's best trial is the same by both rules: count only those where they differ."),
        (1, "That counts the methods whose choice stays; count the others."),
        (120, "That counts trials; count methods."),
        otherwise='Compare `best_trial` with `best_trial_by["frechet"]` for each entry of search["methods"].',
    ),
    "9.5": Check(
        2.25,
        (1.125, "A star marks a difference to either side: 2.5 % above and 2.5 % below."),
        (42.75, "So many intervals contain zero; a star marks one that does not."),
        (1 - 0.95**45, "That is the probability of one star or more, if cells were independent. How many on average?"),
        (2.5, "The VAE has no row of its own in the table of differences: nine rows, not ten."),
        (0.05, "That is the probability of a star in one cell; the table has 45."),
        (0.0, "Even if nothing differs, one honest interval in twenty misses zero."),
        (0.45, "That is for one column; the table has five."),
        otherwise="Each cell has a star with probability 0.05; add that up over all cells.",
    ),
    "9.6": Check(
        18,
        (16, "With 16 the quantile is 2.131, not 1.96: the half width is still 5.3."),
        (17, "Almost: with 17 the half width is 5.14."),
        (4, "That is (s / 5)^2, one standard error; the interval is about twice as wide."),
        (19, "It holds, but a smaller number does too."),
        (5, "That divides by n instead of its root."),
        otherwise="Find the smallest n with t(n - 1) * 10 / sqrt(n) at most 5; the quantile depends on n too.",
    ),
    "9.7": Check(
        2 * 1.26721,
        (0.0, "The test score is fresh, yes, but the validation score of the winner was picked for being high."),
        (1.26721, "That is the largest of six standard normal numbers; here they have standard deviation 2."),
        (2 * 1.8930, "That is the bound s sqrt(2 ln n), which only large n come near."),
        (2.0, "That is one standard deviation; the largest of six lies further out."),
        (-2 * 1.26721, "The sign: the winner's validation score is the higher one."),
        (1.5958, "That is the mean size of one such number; the winner is the largest of six."),
        otherwise="Draw six normal numbers with standard deviation 2 many times, and average the largest.",
        tolerance=0.02,
    ),
    "9.8": Code(
        interval_found,
        (NEAR, NEAR, Between(0, 0.15), 0.0),
        ((Between(high=-0.01), ..., ..., ...), "Give the lower end first, then the upper one."),
        ((..., ..., Between(1.0), ...), "The ends belong around the mean difference: give the quantiles themselves."),
        (
            (Between(-0.01, 0.01), Between(-0.01, 0.01), ..., ...),
            "Each draw gave the same mean: draw with replacement.",
        ),
        ((Between(-0.01, 0.01), NEAR, ..., ...), "Only images were drawn again; a seed is a matter of luck, too."),
        ((NEAR, Between(-0.01, 0.01), ..., ...), "Only seeds were drawn again; images are a sample, too."),
        (
            (NEAR, Between(0.15, 0.3), ..., ...),
            "Images were drawn anew for each seed, so their luck averages out: one set of images serves all seeds.",
        ),
        (
            (Between(0.12, 0.25), Between(0.15, 0.3), ..., ...),
            "Single entries were drawn: a seed must bring its whole row, an image its whole column.",
        ),
        (
            (Between(0.78, 0.88), Between(0.78, 0.88), ..., ...),
            "These are the 5 % and 95 % quantiles, and 90 % lie between them: leave out 2.5 % on each side.",
        ),
        ((NEAR, NEAR, Between(0, 0.15), Between(1e-6)), "A second call gives other ends: use the given generator."),
        otherwise="Each draw: as many seeds as there are, as many images, the mean of those rows and columns.",
        form="Return the two ends of the interval, the lower first.",
    ),
    "9.9": Code(
        choices_made,
        (1.0, 2.0, 1.0, 1.0, 5),
        (
            (1.0, 1.0, ..., ..., ...),
            "The first score took part in the second choice: it was picked for being high. Compare second scores.",
        ),
        ((Between(2.4), Between(2.4), ..., ..., ...), "A trial that had failed was taken for the best: NaN must lose."),
        ((2.0, 1.0, ..., ..., ...), "A neighbor that failed was chosen: NaN must lose in the second round, too."),
        ((0.5, 1.0, ..., ..., ...), "The lowest second score was chosen; the score is a log-evidence."),
        ((2.0, 2.0, ..., ..., 5), "Both rates were changed at once: leave one as it was."),
        ((1.0, 2.0, 2.0, 1.0, 4), "The best trial may be the best point still: score it again with its neighbors."),
        ((1.0, 2.0, 1.0, 1.0, Between(6)), "The choice is right, and took more runs than five: score each point once."),
        ((..., ..., ..., ..., Between(6)), "It went on beyond the four neighbors: five runs are all there are."),
        otherwise="Find the best trial, score it and its four neighbors again, and return the best of these five.",
        form="Return the chosen pair: the decoder's rate and the encoder's.",
    ),
    "9.10": Check(  # (1.8 + 0.8 + 2 * 0.64) / (1.8 + 0.8 + 0.64)
        1.19753,
        (1.09432, "That is the factor of the width, its root; give that of the sum."),
        (1 / 1.19753, "The inverse: the sum on average over the variance."),
        (1.0, "A mean over images still varies from seed to seed by what both do together, v_e / I, and likewise."),
        (1.49231, "The true variance has a part of v_e, too: v_e / (S I)."),
        (1.24615, "The sum contains v_e / (S I) twice, and the variance has it as well."),
        (1.04597, "A sample variance with n - 1 below the line is right on average: no factor (n - 1) / n is left."),
        otherwise="Var_s has the mean v_a + v_e / I, and likewise for images: divide by S and I and add.",
        tolerance=0.003,
    ),
}

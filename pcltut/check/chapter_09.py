"""Self-checks of chapter 9, LPC and the VAE like for like."""

from pcltut.check.answers import Check

CHECKS = {
    "9.1": Check(  # differences 12, 7, 15, 9, 12: their mean is 11, their sum of squared deviations 38
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
    "9.2": Check(
        1.1,
        (0.4, "That is the ratio of iterations; each of them costs 11 ms here and 4 ms there."),
        (1 / 1.1, "The inverse: LPC's time over the VAE's."),
        (2.0, "That is the ratio of decoder evaluations: the encoder and the optimizer cost time too."),
        (11 / 4, "That is the ratio of an iteration's times; LPC needs fewer iterations."),
        (0.4 * 4 / 11, "Each method has its own time an iteration: multiply by both."),
        otherwise="Time is iterations times seconds an iteration, for each of the two.",
    ),
    "9.3": Check(
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
    "9.4": Check(
        18,
        (16, "With 16 the quantile is 2.131, not 1.96: the half width is still 5.3."),
        (17, "Almost: with 17 the half width is 5.14."),
        (4, "That is (s / 5)^2, one standard error; the interval is about twice as wide."),
        (19, "It holds, but a smaller number does too."),
        (5, "That divides by n instead of its root."),
        otherwise="Find the smallest n with t(n - 1) * 10 / sqrt(n) at most 5; the quantile depends on n too.",
    ),
    "9.5": Check(
        9,
        (10, "One method's best trial is the same by both rules: count only those where they differ."),
        (1, "That counts the methods whose choice stays; count the others."),
        (120, "That counts trials; count methods."),
        otherwise='Compare `best_trial` with `best_trial_by["frechet"]` for each entry of search["methods"].',
    ),
}

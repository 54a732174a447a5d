"""Graded tasks of chapter 9, for assignments: answers and hidden tests.

Nothing of this is in the package.
"""

from assignments import Variant


def with_a_larger_decoder(ratio: float, times: float) -> float:
    share = (ratio - 1) / 9  # of the decoder in an update of the VAE
    rest = 1 - share
    return (10 * times * share + rest) / (times * share + rest)


def width_with(half: float, seeds: int, more: int) -> float:
    from scipy.stats import t

    before = t.ppf(0.975, seeds - 1) / seeds**0.5
    return float(half * t.ppf(0.975, more - 1) / more**0.5 / before)


def seeds_that_pairing_saves(own: float, other: float, correlation: float) -> float:
    apart = own**2 + other**2
    return apart / (apart - 2 * correlation * own * other)


VARIANTS = [
    Variant(
        id="9.A",
        title="A larger decoder",
        points=2,
        text=(
            "An update of the VAE passes the decoder once, an update of LPC "
            "ten times; what else they do (encoder, optimizer) costs both the "
            "same. Measured, an update of LPC takes `ratio` times as long as "
            "the VAE's. Now the decoder is replaced by one whose pass takes "
            "`times` as long; all else costs what it did. Assign the new "
            "ratio to `answer`."
        ),
        numbers={"ratio": [3.1, 4.0, 5.3, 6.4], "times": [1.5, 2, 2.6, 3.5]},
        solution=with_a_larger_decoder,
        wrong=lambda ratio, times: ratio * times,  # LPC's passes alone
    ),
    Variant(
        id="9.B",
        title="More seeds",
        points=2,
        text=(
            "With `seeds` seeds the 95 % interval of a paired difference has "
            "half the width `half`, in nats. Suppose that the standard "
            "deviation over seeds stays as it is. Assign half the width with "
            "`more` seeds in all to `answer`."
        ),
        numbers={"half": [6, 11, 18, 25], "seeds": [3, 4, 5], "more": [8, 12]},
        solution=width_with,
        wrong=lambda half, seeds, more: half * (seeds / more) ** 0.5,  # same t
    ),
    Variant(
        id="9.C",
        title="What pairing saves",
        points=2,
        text=(
            "Over seeds, one method's log-evidence has the standard deviation "
            "`own`, another's `other`; at the same seed the two have the "
            "correlation `correlation`. How many times as many seeds would "
            "both need without pairing, for the same standard error of their "
            "mean difference? Assign the number to `answer`."
        ),
        numbers={
            "own": [3, 8, 10],
            "other": [14, 16],
            "correlation": [0.5, 0.7, 0.9],
        },
        solution=seeds_that_pairing_saves,
        wrong=lambda own, other, correlation: 1 / (1 - correlation),
    ),
]


def hidden_9_8(my_bootstrap):
    """Both parts at once, other sizes, and the noise of both together."""
    import torch

    source = torch.Generator().manual_seed(8)
    num_seeds, num_images = 24, 40
    of_seeds, of_images, both = (
        torch.randn(*shape, generator=source, dtype=torch.float64)
        for shape in ((num_seeds, 1), (1, num_images), (num_seeds, num_images))
    )
    both = both - both.mean(0) - both.mean(1, keepdim=True) + both.mean()
    for seeds, images, noise in ((2, 1, 0), (0.5, 3, 0), (0, 0, 5), (0, 2, 3)):
        differences = seeds * of_seeds + images * of_images + noise * both - 3
        kept = differences.clone()
        ends = my_bootstrap(differences, 3000, torch.Generator().manual_seed(1))
        low, high = torch.as_tensor(ends).detach().double().tolist()
        assert torch.equal(differences, kept), "the matrix was changed in place"
        variance = (
            (seeds * of_seeds).var(correction=0) / num_seeds
            + (images * of_images).var(correction=0) / num_images
            + (noise * both).square().mean() / (num_seeds * num_images)
        )
        error = variance.sqrt().item()
        ratio = (high - low) / (2 * 1.96 * error)
        assert 0.9 < ratio < 1.1, f"the width is {ratio:.2f} of what it should be"
        middle = (high + low) / 2 - differences.mean().item()
        assert abs(middle) < 0.35 * error, "the interval lies beside the mean"

    small = torch.randn(4, 6, generator=source, dtype=torch.float64)
    first, again, other = (
        torch.as_tensor(my_bootstrap(small.clone(), 50, torch.Generator().manual_seed(seed))) for seed in (5, 5, 6)
    )
    assert torch.equal(first, again) and not torch.equal(first, other), "draw from the given generator"


def hidden_9_9(my_choice):
    """Four searches, in which each of the five points wins once or fails."""
    import math

    import torch

    rates = torch.tensor([[0.003, 0.0007], [0.02, 0.0016], [0.0011, 0.005]], dtype=torch.float64)
    neighbors = [(1, 1), (2, 1), (0.5, 1), (1, 2), (1, 0.5)]
    nan = math.nan
    searches = [
        ([-9.0, -4.0, nan], 1, [-90.0, -7.0, -5.5, -6.0, nan], 2),
        ([nan, -8.0, -3.0], 2, [-6.0, nan, -7.0, -9.0, -5.0], 4),
        ([2.0, nan, 1.0], 0, [1.5, 1.0, 0.5, nan, -70.0], 0),
        ([-70.0, -60.0, -65.0], 1, [nan, -80.0, nan, -85.0, -90.0], 1),
    ]
    for scores, best, second, wanted in searches:
        seen = []

        def again(pair, best=best, second=second, seen=seen):
            ratio = torch.as_tensor(pair).double().flatten() / rates[best]
            found = [
                score
                for factors, score in zip(neighbors, second, strict=True)
                if torch.allclose(ratio, torch.tensor(factors).double(), rtol=1e-4)
            ]
            assert len(found) == 1, "this pair is not of the five"
            seen.append(1)
            return found[0]

        chosen = torch.as_tensor(my_choice(rates.clone(), torch.tensor(scores).double(), again)).double()
        expected = rates[best] * torch.tensor(neighbors[wanted])
        assert chosen.shape == (2,), "return a pair of rates"
        assert torch.allclose(chosen, expected, rtol=1e-4), f"expected {expected.tolist()}, got {chosen.tolist()}"
        assert len(seen) == 5, f"five runs are enough, these were {len(seen)}"


HIDDEN = {"9.8": hidden_9_8, "9.9": hidden_9_9}

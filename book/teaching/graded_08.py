"""Graded tasks of chapter 8, for assignments: right answers and hidden tests. Nothing of this is in the package."""

from assignments import Variant


def two_clouds(features: int, shift: float, real: float, fake: float) -> float:
    return features * (shift**2 + (real - fake) ** 2)


def lost_nats(share: float, behind: float) -> float:
    import math

    return -math.log(share + (1 - share) * math.exp(-behind))


VARIANTS = [
    Variant(
        id="8.A",
        title="Two round clouds",
        points=2,
        text="Real features are independent normals with standard deviation `real`, those of samples with standard "
        "deviation `fake`. There are `features` of them, and each has a mean that is off by `shift`. What is the "
        "Fréchet distance {eq}`eq-frechet` of the two laws, without any bias? Assign the number to `answer`.",
        numbers={"features": [8, 20], "shift": [0.1, 0.25, 0.4], "real": [1.0, 1.3], "fake": [0.5, 0.8, 1.7]},
        solution=two_clouds,
        wrong=lambda features, shift, real, fake: features * (shift**2 + abs(real**2 - fake**2)),  # no roots
    ),
    Variant(
        id="8.B",
        title="A cheap partner",
        points=2,
        text="A generator draws from a good model with probability `share`, and else from another one, which gives "
        "each held-out image exactly `behind` nats less. How many nats an image does the mixture lose against the good "
        "model? (The bound {eq}`eq-mixture-bound` is not the answer: the other model is no rubbish.) Assign the number "
        "to `answer`.",
        numbers={"share": [0.05, 0.1, 0.2, 0.35], "behind": [1.2, 1.9, 2.9, 4.0]},
        solution=lost_nats,
        wrong=lambda share, behind: (1 - share) * behind,  # a mean of logarithms
    ),
]


def hidden_8_5(my_kernel_distance):
    """Sizes that differ, against a sum over pairs; and no bias over many small samples of one law."""
    import torch

    generator = torch.Generator().manual_seed(11)
    draw = lambda *shape: torch.empty(*shape, dtype=torch.float64).normal_(generator=generator)  # noqa: E731
    real, fake = draw(7, 3), 1.5 * draw(5, 3) + 0.5
    kernel = lambda a, b: ((a * b).sum() / 3 + 1) ** 3  # noqa: E731
    own = [
        sum(kernel(a[i], a[j]) for i in range(len(a)) for j in range(len(a)) if i != j) / (len(a) * (len(a) - 1))
        for a in (real, fake)
    ]
    mixed = sum(kernel(a, b) for a in real for b in fake) / 35
    assert abs(float(my_kernel_distance(real, fake)) - float(sum(own) - 2 * mixed)) < 1e-8, "the sum over pairs"
    found = torch.tensor([float(my_kernel_distance(draw(4, 2), draw(4, 2))) for _ in range(2000)])
    assert found.mean().abs() < 4 * found.std() / 2000**0.5, "equal laws have the distance zero on average"


def hidden_8_6(my_precision_recall):
    """A cloud inside a ring, a cloud far away, and a cloud against itself."""
    import math

    import torch

    angles = torch.arange(12, dtype=torch.float64) * (2 * math.pi / 12)
    ring = torch.stack([angles.cos(), angles.sin()], 1)
    small = 0.1 * ring
    assert [float(x) for x in my_precision_recall(ring, small, 2)] == [0.0, 0.0], "the small ring reaches nothing"
    assert [float(x) for x in my_precision_recall(ring, 0.9 * ring, 2)] == [1.0, 1.0], "nearly the same ring"
    aside = small - torch.tensor([3.0, 0.0], dtype=torch.float64)
    one_far = torch.cat([aside, torch.tensor([[30.0, 0.0]], dtype=torch.float64)])
    assert [float(x) for x in my_precision_recall(ring, one_far, 2)] == [0.0, 1.0], "an outlier vouches for all"
    assert [float(x) for x in my_precision_recall(one_far, ring, 2)] == [1.0, 0.0], "and the other way round"


HIDDEN = {"8.5": hidden_8_5, "8.6": hidden_8_6}

"""Exercises of chapter 8: right answers and code in any form, and likely mistakes with a part of their hints."""

import math

import torch
from oracles import normal

from pcltut.evaluation import density_coverage, frechet_distance, kernel_distance


def expected_coverage(n: int, m: int, k: int) -> float:
    return 1 - math.prod((n - i) / (n + m - i) for i in range(1, k + 1))


def forged_features(*, full_covariance: bool) -> list[float]:
    """Exercise 8.4 on ten heaps of features, as a classifier makes them."""
    real = 6 * normal(10, 64, seed=1).repeat(100, 1) + normal(1000, 64, seed=2)
    values, vectors = torch.linalg.eigh(real.T.cov())
    root = vectors * values.sqrt() if full_covariance else real.std(0).diag()
    forged = real.mean(0) + normal(1000, 64, seed=3) @ root.T
    return [frechet_distance(real, forged), density_coverage(real, forged)[0]]


# --- exercise 8.5: the kernel distance ---


def kernel_in_loops(real, fake):
    def k(a, b):
        return (sum(x * y for x, y in zip(a, b, strict=True)) / len(a) + 1) ** 3

    def own(cloud):
        pairs = [k(a, b) for i, a in enumerate(cloud) for j, b in enumerate(cloud) if i != j]
        return sum(pairs) / len(pairs)

    real, fake = real.tolist(), fake.tolist()
    mixed = [k(a, b) for a in real for b in fake]
    return own(real) + own(fake) - 2 * sum(mixed) / len(mixed)


def faulty_kernel(diagonal=False, squared_count=False, divide=True, power=3, add=1, cross=2, sign=1):
    """A kernel distance with one thing wrong."""

    def kernel(a, b):
        return (a @ b.T / (a.shape[1] if divide else 1) + add) ** power

    def own(a):
        k, n = kernel(a, a), len(a)
        if diagonal:
            return k.mean()
        return (k.sum() - k.trace()) / (n * n if squared_count else n * (n - 1))

    def my_kernel_distance(real, fake):
        return sign * (own(real) + own(fake) - cross * kernel(real, fake).mean())

    return my_kernel_distance


WRONG_KERNELS = [
    (faulty_kernel(diagonal=True), "they are the bias"),
    (faulty_kernel(squared_count=True), "not n^2"),
    (faulty_kernel(divide=False), "number of features"),
    (faulty_kernel(power=2), "third moment"),
    (faulty_kernel(add=0), "lower moments"),
    (faulty_kernel(cross=1), "count twice"),
    (faulty_kernel(sign=-1), "The sign is turned"),
    (faulty_kernel(cross=3), "minus twice over mixed"),
    (lambda real, fake: "small", "stopped with ValueError"),
]


# --- exercise 8.6: precision and recall ---


def shares_in_loops(real, fake, k):
    def share(points, cloud):
        inside = 0
        for point in points.tolist():
            for center in cloud.tolist():
                near = sorted(math.dist(center, other) for other in cloud.tolist())
                if math.dist(point, center) <= near[k]:
                    inside += 1
                    break
        return inside / len(points)

    return [share(fake, real), share(real, fake)]


def share_of(points, cloud, k, enough=torch.any):
    radius = torch.cdist(cloud, cloud).topk(k + 1, largest=False).values[:, -1]
    return enough(torch.cdist(points, cloud) <= radius, dim=1).double().mean()


def coverage_for_recall(real, fake, k):
    radius = torch.cdist(real, real).kthvalue(k + 1).values
    inside = torch.cdist(real, fake) <= radius[:, None]
    return share_of(fake, real, k), inside.any(1).double().mean()


WRONG_SHARES = [
    (lambda real, fake, k: (share_of(real, fake, k), share_of(fake, real, k)), "Precision comes first"),
    (lambda real, fake, k: (share_of(fake, real, k - 1), share_of(real, fake, k - 1)), "number k + 1"),
    (lambda real, fake, k: (share_of(fake, real, k + 1), share_of(real, fake, k + 1)), "reaches too far"),
    (coverage_for_recall, "coverage in the place of recall"),
    (lambda real, fake, k: (share_of(fake, real, k),) * 2, "coverage in the place of recall"),
    (lambda real, fake, k: (share_of(fake, real, k, torch.all), share_of(real, fake, k, torch.all)), "*any* of them"),
    (lambda real, fake, k: (1.0, 1.0), "k-th other point of the same cloud"),
    (lambda real, fake, k: share_of(fake, real, k), "two numbers"),
]


def drawn_bias(p: int, sizes: tuple[int, int], repeats: int) -> tuple[float, float]:
    """The mean Fréchet distance of equal laws, and its standard error: exercise 8.7, by drawing."""
    found = torch.tensor(
        [frechet_distance(normal(sizes[0], p, seed=2 * i), normal(sizes[1], p, seed=2 * i + 1)) for i in range(repeats)]
    )
    return found.mean().item(), found.std().item() / repeats**0.5


def bias(p: int, first: int, second: int) -> float:
    """Sums over the entries of two sample means and two sample covariances of N(0, I)."""
    means = p * (1 / first + 1 / second)
    entries = sum((2 if i == j else 1) * (1 / first + 1 / second) for i in range(p) for j in range(p))
    return means + entries / 4


def right() -> dict[str, list]:
    forged = forged_features(full_covariance=True)
    return {
        "8.1": [math.log(1000), 6.91, torch.tensor(1000.0).log()],
        "8.2": [expected_coverage(100, 25, 5), 0.682, torch.tensor(0.682)],
        "8.3": [4416, (2 * 64 + 64 * 65 / 2) / 0.5, 4416.0],
        "8.4": [[5.9, 0.04], torch.tensor([6.5, 0.05]), forged],
        "8.5": [faulty_kernel(), kernel_in_loops, kernel_distance],
        "8.6": [lambda real, fake, k: (share_of(fake, real, k), share_of(real, fake, k)), shares_in_loops],
        "8.7": [bias(64, 1000, 4000), 1.38],
    }


def wrong() -> list[tuple[str, object, str]]:
    return [
        ("8.1", 3, "base 10"),
        ("8.1", math.log2(1000), "bits"),
        ("8.1", 784 * math.log(1000), "not once a pixel"),
        ("8.1", -math.log(1000), "how much is lost"),
        ("8.1", -math.log(0.999), "99.9 %"),
        ("8.1", 1000, "alpha = 1 / 1000"),
        ("8.2", expected_coverage(100, 100, 5), "here m = 25"),
        ("8.2", expected_coverage(25, 100, 5), "exchange n and m"),
        ("8.2", 1 - expected_coverage(100, 25, 5), "stays empty"),
        ("8.2", expected_coverage(100, 25, 1), "k = 5 factors"),
        ("8.2", 1, "exchange n and m"),
        ("8.2", 1 - math.prod((100 - i) / (125 - i) for i in range(5)), "begins at i = 1"),
        ("8.2", 1 - (100 / 125) ** 5, "with replacement"),
        ("8.2", 0.5, "Put n = 100"),
        ("8.3", 64 * 65 / 2 / 0.5, "left out the means"),
        ("8.3", (64 + 64 * 65 / 2) / 0.5, "two means"),
        ("8.3", (2 * 64 + 64**2) / 0.5, "symmetric"),
        ("8.3", 2 * 64 / 0.5, "left out the covariances"),
        ("8.3", 2208, "divide by the 0.5"),
        ("8.3", 1104, "do not multiply"),
        ("8.3", 1000, "solve for N"),
        ("8.3", 4415, "solve for N"),
        ("8.4", [0.04, 5.9], "other way round"),
        ("8.4", [0.0, 0.04], "mean and a covariance of their own"),
        ("8.4", forged_features(full_covariance=False), "too far away"),
        ("8.4", [11.5, 1.02], "density of real images"),
        ("8.4", [6, 0.5], "whole covariance"),
        ("8.4", 5.9, "two numbers"),
        *(("8.5", code, hint) for code, hint in WRONG_KERNELS),
        *(("8.6", code, hint) for code, hint in WRONG_SHARES),
        ("8.7", bias(64, 1000, 1000), "a thousand of each"),
        ("8.7", bias(64, 2500, 2500), "the mean of 1/N"),
        ("8.7", 2 * bias(64, 1000, 4000), "Twice too much"),
        ("8.7", bias(64, 1000, 4000) - 64 * 0.00125, "left out the means"),
        ("8.7", 64 * 0.00125, "left out the covariances"),
        ("8.7", 0.00125 * (64 + 64 * 65), "quarter is missing"),
        ("8.7", bias(64, 4000, 4000), "the real images are fewer"),
        ("8.7", 10, "Put p = 64"),
    ]

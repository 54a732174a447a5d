"""Measures that count neighbors: density and coverage, precision and recall."""

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from pcltut.arguments import whole_number
from pcltut.evaluation.feature_sets import as_features, row_blocks


def density_coverage(
    real: Float[Tensor, "n features"], fake: Float[Tensor, "m features"], *, num_neighbors: int = 5
) -> tuple[float, float]:
    r"""Density and coverage of Naeem et al. (2020), with balls around the real samples.

    The ball :math:`B_i` around real sample i reaches to its k-th nearest real neighbor. Density is the mean number of
    balls that a fake sample lies in, divided by k; coverage is the share of balls that hold a fake sample:

    .. math::
        \mathrm{density} = \frac{1}{k m} \sum_{j=1}^{m} \sum_{i=1}^{n} 1[y_j \in B_i], \qquad
        \mathrm{coverage} = \frac{1}{n} \sum_{i=1}^{n} 1[\exists j : y_j \in B_i]

    See :eq:`eq-density-coverage`. For equal laws the mean density is 1, and the mean coverage
    :math:`1 - \prod_{i=1}^{k} (n - i) / (n + m - i)`, :eq:`eq-equal-coverage` (about 0.97 for k = 5 and n = m).
    Density can exceed 1: samples near the modes score more than the data. Coverage depends on n and m.
    """
    real, fake = _check(real, fake, num_neighbors)
    radii = _radii(real, num_neighbors)
    hits, covered = 0, 0
    for rows, centers in row_blocks(real):
        inside = torch.cdist(centers, fake) < radii[rows, None]
        hits += inside.sum().item()
        covered += inside.any(1).sum().item()
    return hits / (num_neighbors * len(fake)), covered / len(real)


def precision_recall(
    real: Float[Tensor, "n features"], fake: Float[Tensor, "m features"], *, num_neighbors: int = 3
) -> tuple[float, float]:
    """Precision and recall of Kynkaanniemi et al. (2019), with balls around the samples of both sets.

    Precision is the share of fake samples that lie in the ball of some real sample, recall the share of real samples
    that lie in the ball of some fake one; a ball reaches to the k-th nearest neighbor in its own set. One outlier among
    the real samples has a large ball and can raise precision, and outliers among the fake ones raise recall: density
    and coverage were made to mend this.
    """
    real, fake = _check(real, fake, num_neighbors)
    return (
        _in_some_ball(fake, real, num_neighbors).double().mean().item(),
        _in_some_ball(real, fake, num_neighbors).double().mean().item(),
    )


def _in_some_ball(points: Tensor, centers: Tensor, num_neighbors: int) -> Bool[Tensor, " points"]:
    radii = _radii(centers, num_neighbors)
    return torch.cat([(torch.cdist(part, centers) < radii).any(1) for _, part in row_blocks(points)])


def _radii(centers: Tensor, num_neighbors: int) -> Float64[Tensor, " centers"]:
    """Distance of each center to its k-th nearest neighbor among the others."""
    radii = []
    for rows, part in row_blocks(centers):
        distances = torch.cdist(part, centers)
        distances[:, rows].fill_diagonal_(torch.inf)  # none is its own neighbor
        radii.append(distances.kthvalue(num_neighbors, dim=1).values)
    return torch.cat(radii)


def _check(real: Tensor, fake: Tensor, num_neighbors: int) -> tuple[Tensor, Tensor]:
    """Both sets in double precision, moved so that the real mean is zero: rounding is smallest there."""
    num_neighbors = whole_number("num_neighbors", num_neighbors)
    real, fake = as_features(real, fake, at_least=num_neighbors + 1)
    center = real.mean(0)
    return real - center, fake - center

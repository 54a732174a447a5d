"""The Fréchet distance between two sets of features, and what it would be with samples without end."""

import torch
from jaxtyping import Float
from torch import Tensor

from pcltut.arguments import whole_number
from pcltut.evaluation.feature_sets import as_features

NUM_PARTITIONS = 4


def frechet_distance(real: Float[Tensor, "n features"], fake: Float[Tensor, "m features"]) -> float:
    r"""Squared Wasserstein-2 distance between the normal laws with the means and covariances of two sets.

    .. math:: |m_1 - m_2|^2 + \mathrm{tr}\bigl(S_1 + S_2 - 2\,(S_1^{1/2} S_2 S_1^{1/2})^{1/2}\bigr)

    See :eq:`eq-frechet`. Source: Heusel et al. (2017), who take the features from Inception-v3 and call it FID; on
    another network it is the Fréchet distance on that network's features. Computed in double precision; the trace of
    the root is the sum of the singular values of :math:`S_1^{1/2} S_2^{1/2}`, which also holds for covariances without
    full rank.

    It sees means and covariances alone, and from samples it is too large: for equal laws :math:`N(0, I_p)` with n = m
    it is about :math:`(2p + p(p+1)/2) / n` instead of zero, :eq:`eq-frechet-bias`. Compare only what was
    computed from equally many samples, or use `frechet_distance_extrapolated`.
    """
    real, fake = as_features(real, fake, at_least=2)
    shift = real.mean(0) - fake.mean(0)
    real_covariance, fake_covariance = real.T.cov(), fake.T.cov()
    real_covariance, fake_covariance = torch.atleast_2d(real_covariance), torch.atleast_2d(fake_covariance)
    overlap = torch.linalg.svdvals(_root(real_covariance) @ _root(fake_covariance)).sum()
    return (shift.square().sum() + real_covariance.trace() + fake_covariance.trace() - 2 * overlap).item()


def frechet_distance_extrapolated(
    real: Float[Tensor, "n features"],
    fake: Float[Tensor, "m features"],
    *,
    generator: torch.Generator,
    max_parts: int = 4,
) -> float:
    r"""The Fréchet distance extrapolated to infinitely many samples of both laws.

    Its bias falls in proportion to one over the number of samples. So it is computed from all samples, and from halves,
    thirds and quarters of both sets (mean over the parts), and a straight line through these in the number of parts k
    is continued to k = 0. The idea is that of Chong and Forsyth (2020), who call it FID-infinity and let the number of
    fake samples alone grow; letting both grow removes the bias of both.

    Parts are rows that follow one another, counted from a random row on (mean over four such starts), so that a set
    whose classes alternate stays balanced in its parts. Random subsets of a balanced set are not balanced: their line
    would end below the truth. A set that is sorted by class must be shuffled first.

    For equal laws the value scatters around zero and may be negative. The bias is linear only where the smallest part
    holds several times as many samples as there are features.

    Args:
        generator: draws where the parts start, on any device.
        max_parts: the largest k.

    Raises:
        ValueError: the smallest part would hold fewer samples than there are features.
    """
    max_parts = whole_number("max_parts", max_parts, at_least=2, remedy="a line needs two points")
    real, fake = as_features(real, fake, at_least=2)
    if min(len(real), len(fake)) // max_parts <= real.shape[1]:
        raise ValueError(
            f"got {len(real)} real and {len(fake)} fake samples of {real.shape[1]} features, in up to {max_parts} "
            "parts, expected more samples than features in each part; take more samples"
        )
    counts = torch.arange(1, max_parts + 1, dtype=torch.float64)
    distances = torch.zeros_like(counts)
    for index in range(max_parts):
        repeats = 1 if index == 0 else NUM_PARTITIONS
        for _ in range(repeats):
            parts = zip(
                _partition(real, index + 1, generator=generator),
                _partition(fake, index + 1, generator=generator),
                strict=True,
            )
            distances[index] += sum(frechet_distance(*part) for part in parts) / ((index + 1) * repeats)
    design = torch.stack([torch.ones_like(counts), counts], dim=1)
    return torch.linalg.lstsq(design, distances[:, None]).solution[0].item()


def _root(covariance: Tensor) -> Tensor:
    """Symmetric root of a covariance; eigenvalues that rounding made negative count as zero."""
    values, vectors = torch.linalg.eigh(covariance)
    return vectors * values.clamp(min=0).sqrt() @ vectors.T


def _partition(features: Tensor, num_parts: int, *, generator: torch.Generator) -> list[Tensor]:
    """Parts of equal size from a random row on; the few samples that are left over are left out."""
    start = torch.randint(len(features), (), generator=generator, device=generator.device).item()
    size = len(features) // num_parts
    return list(features.roll(-start, dims=0)[: size * num_parts].split(size))

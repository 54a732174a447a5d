"""The kernel distance between two sets of features: unbiased, whatever the number of samples."""

from jaxtyping import Float
from torch import Tensor

from pcltut.evaluation.feature_sets import as_features, row_blocks


def kernel_distance(real: Float[Tensor, "n features"], fake: Float[Tensor, "m features"]) -> float:
    r"""Unbiased estimate of the squared maximum mean discrepancy with a cubic kernel.

    .. math::
        \frac{1}{n(n-1)} \sum_{i \ne j} k(x_i, x_j) + \frac{1}{m(m-1)} \sum_{i \ne j} k(y_i, y_j)
        - \frac{2}{nm} \sum_{i,j} k(x_i, y_j), \qquad k(a, b) = (a^\top b / p + 1)^3

    for features of dimension p. Binkowski et al. (2018), who take them from Inception-v3, call it KID, and average it
    over random subsets; here all samples are used at once, so no random numbers are needed. For equal laws it scatters
    around zero and may be negative. The kernel is polynomial: laws that agree in their first three moments are not told
    apart.
    """
    real, fake = as_features(real, fake, at_least=2)
    cross = _kernel_sum(real, fake) / (len(real) * len(fake))
    return _mean_of_pairs(real) + _mean_of_pairs(fake) - 2 * cross


def _mean_of_pairs(features: Tensor) -> float:
    """Mean of the kernel over all pairs of different samples."""
    diagonal = _kernel(features.square().sum(1) / features.shape[1]).sum().item()
    return (_kernel_sum(features, features) - diagonal) / (len(features) * (len(features) - 1))


def _kernel_sum(first: Tensor, second: Tensor) -> float:
    products = (part @ second.T / second.shape[1] for _, part in row_blocks(first))
    return sum(_kernel(product).sum().item() for product in products)


def _kernel(product: Tensor) -> Tensor:
    return (product + 1) ** 3

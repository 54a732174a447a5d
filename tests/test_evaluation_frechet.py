"""The Frechet and kernel distances: torchmetrics on the same features, closed forms, and what rounding must not do."""

import pytest
import torch
from oracles import assert_mean, close, normal, seeded
from torch import nn

from pcltut.data.torchvision_compat import import_torchvision
from pcltut.evaluation import frechet_distance, frechet_distance_extrapolated, kernel_distance


class Flat(nn.Module):
    """A stand-in for a feature network: the images are the features."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)


def unequal_sets(n: int, m: int, p: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    """Two sets with different means and full, different covariances."""
    real = normal(n, p, seed=1) @ normal(p, p, seed=2)
    fake = 0.3 + normal(m, p, seed=3) @ normal(p, p, seed=4)
    return real, fake


@pytest.mark.filterwarnings("ignore:Metric `.*` will save all extracted features")
def test_agree_with_torchmetrics():
    import_torchvision()  # torchmetrics imports it, and does not know how where its compiled part is missing
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.kid import KernelInceptionDistance

    real, fake = unequal_sets(300, 200)
    metric = FrechetInceptionDistance(feature=Flat(12), input_img_size=(12, 1, 1)).set_dtype(torch.float64)
    metric.update(real[:, :, None, None], real=True)
    metric.update(fake[:, :, None, None], real=False)
    close(torch.tensor(frechet_distance(real, fake)), metric.compute().double(), 1e-6)

    real = real[:200]  # torchmetrics takes equally many of both; one subset that holds them all is not random
    metric = KernelInceptionDistance(feature=Flat(12), subsets=1, subset_size=200).set_dtype(torch.float64)
    metric.update(real[:, :, None, None], real=True)
    metric.update(fake[:, :, None, None], real=False)
    with torch.random.fork_rng():
        expected = metric.compute()[0]
    close(torch.tensor(kernel_distance(real, fake)), expected.double(), 1e-6)


def test_frechet_of_sets_with_chosen_moments():
    """Points whitened to exact moments: the distance is the Gaussian closed form, to rounding."""
    p = 5
    raw = normal(50, p, seed=5)
    raw = raw - raw.mean(0)
    white = raw @ torch.linalg.inv(torch.linalg.cholesky(raw.T.cov())).T
    close(torch.tensor(frechet_distance(white, white + 2.0)), torch.tensor(4.0 * p, dtype=torch.float64))
    scales = torch.linspace(
        0.0, 3.0, p, dtype=torch.float64
    )  # commuting covariances: sum of (a - b)^2; one is singular
    close(torch.tensor(frechet_distance(white, white * scales)), (1 - scales).square().sum())
    factor = normal(p, p, seed=6)
    covariance = factor @ factor.T
    values = torch.linalg.eigvalsh(covariance)
    expected = p + values.sum() - 2 * values.sqrt().sum()
    close(torch.tensor(frechet_distance(white, white @ torch.linalg.cholesky(covariance).T)), expected, 1e-9)


def test_frechet_is_symmetric_and_zero_for_one_set_even_without_full_rank():
    real, fake = unequal_sets(9, 7)  # fewer samples than features: both covariances are singular
    assert frechet_distance(real, fake) == pytest.approx(frechet_distance(fake, real), rel=1e-9)
    assert abs(frechet_distance(real, real)) < 1e-6
    assert frechet_distance(real.float(), fake.float()) == pytest.approx(frechet_distance(real, fake), rel=1e-4)
    assert frechet_distance(real[:, :1], fake[:, :1]) > 0  # one feature


def test_the_bias_of_the_frechet_distance_and_its_extrapolation():
    """For N(0, I_p) and n = m the bias is (2p + p(p+1)/2) / n to first order; the extrapolation has none left."""
    n, p = 800, 16
    sets = [(normal(n, p, seed=i), normal(n, p, seed=1000 + i)) for i in range(60)]
    plain = torch.tensor([frechet_distance(*pair) for pair in sets], dtype=torch.float64)
    assert abs(plain.mean() / ((2 * p + p * (p + 1) / 2) / n) - 1) < 0.03  # the next order is about p / n
    extrapolated = [frechet_distance_extrapolated(*pair, generator=seeded(i)) for i, pair in enumerate(sets)]
    assert_mean(torch.tensor(extrapolated, dtype=torch.float64), 0.0)
    shifted = [frechet_distance_extrapolated(a, 1 + 2 * b, generator=seeded(i)) for i, (a, b) in enumerate(sets)]
    assert_mean(torch.tensor(shifted, dtype=torch.float64), 2.0 * p)


def test_the_extrapolation_of_sets_whose_classes_alternate():
    """Balanced sets of ten far classes: the truth is zero, and is hit although whole sets have no spread of classes."""
    classes = 5 * normal(10, 6, seed=1).repeat(40, 1)
    values = [
        frechet_distance_extrapolated(
            classes + normal(400, 6, seed=i), classes + normal(400, 6, seed=500 + i), generator=seeded(i)
        )
        for i in range(40)
    ]
    assert_mean(torch.tensor(values, dtype=torch.float64), 0.0)


def test_kernel_distance_is_unbiased():
    """Equal laws: zero in the mean. A shift s in each feature, p features: in closed form from normal moments."""
    p, s = 4, 0.5
    sets = [(normal(60, p, seed=i), normal(90, p, seed=1000 + i)) for i in range(200)]
    assert_mean(torch.tensor([kernel_distance(*pair) for pair in sets], dtype=torch.float64), 0.0)
    values = torch.tensor([kernel_distance(a, b + s) for a, b in sets], dtype=torch.float64)
    # E (1 + a.b / p)^3 = 1 + 3 E(a.b)/p + 3 E(a.b)^2/p^2 + E(a.b)^3/p^3 with a = u + e, b = v + f, e and f standard
    # normal: E a.b = u.v; E (a.b)^2 = (u.v)^2 + |u|^2 + |v|^2 + p; E (a.b)^3 = (u.v)^3 + 3 u.v (|u|^2 + |v|^2 + p + 2)

    def mean_kernel(u: float, v: float) -> float:
        dot, squares = p * u * v, p * (u * u + v * v)
        second = dot**2 + squares + p
        third = dot**3 + 3 * dot * (squares + p + 2)
        return 1 + 3 * dot / p + 3 * second / p**2 + third / p**3

    assert_mean(values, mean_kernel(0, 0) + mean_kernel(s, s) - 2 * mean_kernel(0, s))


def test_chunks_do_not_change_the_kernel_distance(monkeypatch: pytest.MonkeyPatch):
    real, fake = unequal_sets(70, 50)
    whole = kernel_distance(real, fake)
    monkeypatch.setattr("pcltut.evaluation.feature_sets.ROWS", 9)
    assert kernel_distance(real, fake) == pytest.approx(whole, rel=1e-12)


@pytest.mark.usefixtures("no_shape_checks")
def test_features_that_cannot_be_compared_are_refused():
    real, fake = unequal_sets(30, 30)
    with pytest.raises(ValueError, match=r"fake: got features of shape \(30,\), expected \[n, features\]"):
        frechet_distance(real, fake[:, 0])
    with pytest.raises(ValueError, match="got 12 real and 11 fake features"):
        frechet_distance(real, fake[:, 1:])
    with pytest.raises(ValueError, match=r"in up to 4 parts.*take more samples"):
        frechet_distance_extrapolated(real, fake, generator=seeded(0))
    with pytest.raises(ValueError, match="n at least 2"):
        kernel_distance(real[:1], fake)

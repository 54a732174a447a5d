"""Density, coverage, precision, recall: prdc on the same features, closed forms for equal laws, and what each sees."""

import math

import prdc
import pytest
import torch
from oracles import assert_mean, normal
from sklearn.neighbors import NearestNeighbors

from pcltut.evaluation import density_coverage, precision_recall


@pytest.mark.parametrize("num_neighbors", [1, 3, 5])
@pytest.mark.parametrize(("n", "m"), [(200, 200), (150, 90)])
def test_agree_with_prdc(n, m, num_neighbors, capsys):
    real, fake = 3 + normal(n, 8, seed=1), 3.2 + 0.8 * normal(m, 8, seed=2)
    expected = prdc.compute_prdc(real.numpy(), fake.numpy(), nearest_k=num_neighbors)
    density, coverage = density_coverage(real, fake, num_neighbors=num_neighbors)
    precision, recall = precision_recall(real, fake, num_neighbors=num_neighbors)
    assert density == pytest.approx(expected["density"], rel=1e-6)
    assert coverage == pytest.approx(expected["coverage"], rel=1e-6)
    assert precision == pytest.approx(expected["precision"], rel=1e-6)
    assert recall == pytest.approx(expected["recall"], rel=1e-6)


def test_agree_with_nearest_neighbors_of_scikit_learn():
    """Balls by a tree search, which shares nothing with a matrix of distances."""
    real, fake = normal(300, 6, seed=3).numpy(), 0.3 + normal(250, 6, seed=4).numpy()
    radii = NearestNeighbors(n_neighbors=6, algorithm="kd_tree").fit(real).kneighbors(real)[0][:, 5]  # itself is first
    tree = NearestNeighbors(algorithm="kd_tree").fit(fake)
    hits = [
        len(tree.radius_neighbors(ball[None], radius, return_distance=False)[0])
        for ball, radius in zip(real, radii, strict=True)
    ]
    density, coverage = density_coverage(torch.from_numpy(real), torch.from_numpy(fake), num_neighbors=5)
    assert density == pytest.approx(sum(hits) / (5 * 250), rel=1e-6)
    assert coverage == pytest.approx(sum(hit > 0 for hit in hits) / 300, rel=1e-6)


@pytest.mark.parametrize(("n", "m", "k"), [(60, 60, 5), (80, 40, 3), (40, 100, 1)])
def test_equal_laws(n, m, k):
    """Mean density 1, mean coverage 1 - prod (n - i) / (n + m - i), whatever the law and the dimension."""
    values = torch.tensor(
        [density_coverage(normal(n, 3, seed=i), normal(m, 3, seed=10_000 + i), num_neighbors=k) for i in range(400)],
        dtype=torch.float64,
    )
    coverage = 1 - math.prod((n - i) / (n + m - i) for i in range(1, k + 1))
    assert_mean(values, torch.tensor([1.0, coverage]))


def test_each_measure_sees_its_own_fault():
    """Two far modes. Dropping one halves coverage and recall alone; outliers among the fakes lower density alone."""
    modes = torch.cat([torch.zeros(300, 4), torch.full((300, 4), 50.0)]).double()
    real, fake = modes + normal(600, 4, seed=1), modes + normal(600, 4, seed=2)
    density, coverage = density_coverage(real, fake)
    dropped = normal(600, 4, seed=3)  # all around the first
    one_mode_density, one_mode_coverage = density_coverage(real, dropped)
    assert one_mode_density == pytest.approx(density, abs=0.1)
    assert one_mode_coverage == pytest.approx(coverage / 2, abs=0.05)
    assert precision_recall(real, dropped)[1] == pytest.approx(0.5, abs=0.05)
    half_outliers = torch.where(torch.arange(600)[:, None] % 2 == 0, fake, fake + 1000)
    assert density_coverage(real, half_outliers)[0] == pytest.approx(density / 2, abs=0.1)


def test_far_away_and_identical_sets():
    real = normal(50, 3, seed=1)
    assert density_coverage(real, real + 100) == (0, 0)
    assert precision_recall(real, real + 100) == (0, 0)
    assert density_coverage(real, real) == (1, 1)  # a ball holds its center and k - 1 others; the k-th is on its rim
    assert precision_recall(real, real) == (1, 1)


def test_neither_chunks_nor_a_large_offset_change_the_counts(monkeypatch: pytest.MonkeyPatch):
    real, fake = normal(130, 6, seed=1), normal(90, 6, seed=2) * 1.1
    whole = density_coverage(real, fake), precision_recall(real, fake)
    monkeypatch.setattr("pcltut.evaluation.feature_sets.ROWS", 7)
    assert (density_coverage(real, fake), precision_recall(real, fake)) == whole
    assert density_coverage(real + 1e5, fake + 1e5) == whole[0]


@pytest.mark.usefixtures("no_shape_checks")
def test_what_cannot_be_counted_is_refused():
    real = normal(5, 3, seed=1)
    with pytest.raises(ValueError, match="got num_neighbors=0, expected at least 1"):
        density_coverage(real, real, num_neighbors=0)
    with pytest.raises(ValueError, match=r"real: got features of shape \(5, 3\).*n at least 6"):
        density_coverage(real, real)

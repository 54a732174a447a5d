"""What the teacher's pages state: each number of the exam, from the package or a closed form."""

import math
from pathlib import Path

import torch

from pcltut.models import LinearGaussian

TEACHING = Path(__file__).resolve().parents[1] / "book" / "teaching"
EXAM = (TEACHING / "exam.md").read_text(encoding="utf-8")
MODEL = LinearGaussian(torch.tensor([[2.0]], dtype=torch.float64), scale=1.0)
X = torch.tensor([[3.0]], dtype=torch.float64)


def test_questions_1_to_3_of_the_exam() -> None:
    (precision,) = MODEL.posterior_precision().flatten().tolist()
    assert precision == 5 and "$\\lambda = 1 + 4 = 5$" in EXAM
    assert f"= {MODEL.log_evidence(X).item():.2f}$" in EXAM
    assert math.isclose(MODEL.posterior(X)[0].item(), 1.2) and "/ 5 = 1.2$" in EXAM
    score = torch.func.grad(lambda z: MODEL.log_joint(X, z).sum())(torch.zeros(1, 1, dtype=torch.float64)).item()
    assert math.isclose(score, 6) and "so $z = 0.6$" in EXAM and "$2 / \\lambda = 0.4$" in EXAM
    assert f"it is ${MODEL.ula_stationary_covariance(0.1).item():.3f}$" in EXAM
    assert f"$\\gamma = {2 * (1 - 1 / 1.1) / 5:.4f}$" in EXAM


def test_questions_4_and_5_of_the_exam() -> None:
    normal = torch.distributions.Normal
    gap = torch.distributions.kl_divergence(normal(1.2, 0.4**0.5), normal(1.2, 0.2**0.5)).item()
    assert f"${gap:.3f}$ nats" in EXAM
    covariance = torch.tensor([[0.5, 0.3], [0.3, 0.5]], dtype=torch.float64)
    reverse = 1 / torch.linalg.inv(covariance)[0, 0].item()
    assert f"reverse ${reverse:.2f}$" in EXAM and f"= {(0.5 * reverse) ** 0.5:.1f}$" in EXAM
    plain, scaled = (next(t for t in range(1000) if left**t <= 0.01) for left in (0.99, 0.5))
    assert f"$T = {plain}$" in EXAM and f"$T = {scaled}$" in EXAM


def test_the_points_of_the_exam_add_up() -> None:
    points = [int(line.rsplit("(", 1)[1].split()[0]) for line in EXAM.splitlines() if line.startswith("## ")]
    assert sum(points) == 60 and "60 points" in EXAM

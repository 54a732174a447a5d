"""Self-checks of chapter 8, how good a generative model is."""

import math
from collections.abc import Callable

import torch

from pcltut.check.answers import Between, Check
from pcltut.check.code import Code

REAL = torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]], dtype=torch.float64)
FAKE = torch.tensor([[2.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
KERNEL_DISTANCE = (1 + 1.5**3 + 2**3) / 3 + 1 - 2 * (2 * 2**3 + 4) / 6  # the pairs of these points, by hand


def distance_of_few(my_kernel_distance: Callable) -> float:
    """The kernel distance of three real and two fake features."""
    return float(my_kernel_distance(REAL.clone(), FAKE.clone()))


def shares_on_a_line(my_precision_recall: Callable) -> list[float] | None:
    """Precision and recall of points on a line, for k = 1 and for k = 2."""
    real = torch.tensor([[0.0], [1.0], [2.6], [10.0]], dtype=torch.float64)
    fake = torch.tensor([[-1.5], [0.5], [4.3], [4.5]], dtype=torch.float64)
    found = [my_precision_recall(real.clone(), fake.clone(), k) for k in (1, 2)]
    if not all(isinstance(each, tuple | list) and len(each) == 2 for each in found):
        return None
    return [float(share) for each in found for share in each]


CHECKS = {
    "8.1": Check(
        math.log(1000),
        (3.0, "That is the logarithm to base 10; nats need the natural one."),
        (math.log2(1000), "Those are bits, the logarithm to base 2; nats need the natural one."),
        (784 * math.log(1000), "The choice between good and rubbish is made once an image, not once a pixel."),
        (-math.log(1000), "That is the sign of log alpha; how much is lost?"),
        (-math.log(0.999), "That is the price of the 99.9 %, which is what you would lose of the rubbish."),
        otherwise="Put alpha = 1 / 1000 into the bound on a mixture's evidence.",
    ),
    "8.2": Check(
        0.682331,
        (0.971070, "That is for equally many samples as images; here m = 25."),
        (0.999811, "That is nearly all. Did you exchange n and m? The balls lie around 100 real images."),
        (0.317669, "That is the chance that a ball stays empty; coverage is the rest."),
        (0.201613, "The product has k = 5 factors, not one."),
        (0.678987, "The product begins at i = 1: the ball's own image is not among its neighbors."),
        (0.672320, "That draws with replacement; each of the k nearest is another point."),
        otherwise="Put n = 100, m = 25, k = 5 into the formula for equal laws.",
        tolerance=0.001,
    ),
    "8.3": Check(  # p = 64: the means add 2 p = 128, the covariances p (p + 1) / 2 = 2080
        4416,
        (2080 / 0.5, "You left out the means, which add 2 p."),
        (2144 / 0.5, "There are two means, each adds p."),
        (4224 / 0.5, "A covariance is symmetric: p (p + 1) / 2 free entries, not p^2."),
        (128 / 0.5, "You left out the covariances, which add p (p + 1) / 2."),
        (2208.0, "That is N times the bias; divide by the 0.5 that you allow."),
        (2208 * 0.5, "Divide by 0.5, do not multiply: less bias needs more samples."),
        otherwise="Set the formula for the bias equal to 0.5 and solve for N.",
    ),
    "8.4": Check(
        (Between(1, 50), Between(high=0.3)),
        ((Between(high=2), Between(2)), "The other way round: the Fréchet distance comes first."),
        (
            (Between(high=1), ...),
            "A thousand draws have a mean and a covariance of their own: some bias is left. Draw them.",
        ),
        (
            (Between(50), ...),
            "That is too far away: draw with the mean and the full covariance of the real features. Is the factor a "
            "root of the covariance, and does it multiply from the right side?",
        ),
        (
            (..., Between(0.85)),
            "That is the density of real images. Did you measure the forged vectors, in the order (real, fake)?",
        ),
        otherwise="Too high: the forged vectors need the whole covariance, and a full 64 dimensions.",
        form="Give two numbers in a list, the Fréchet distance and the density.",
    ),
    "8.5": Code(
        distance_of_few,
        KERNEL_DISTANCE,
        (7.847222, "Each vector was paired with itself, too: leave the diagonals out, they are the bias."),
        (-3.416667, "Without the diagonal there are n (n - 1) pairs left, not n^2: divide by their number."),
        (-6.333333, "The product is divided by the number of features before 1 is added."),
        (-0.583333, "That is the squared kernel; the third power sees the third moment."),
        (-0.291667, "Add 1 to the product before you take the power, or the lower moments are lost."),
        (1.791667, "The pairs of one real and one fake count twice: minus 2 times their mean."),
        (-KERNEL_DISTANCE, "The sign is turned: pairs within a cloud count for the distance, pairs across against it."),
        otherwise="Mean of k over different real pairs, plus over different fake pairs, minus twice over mixed ones.",
        form="Return one number.",
    ),
    "8.6": Code(
        shares_on_a_line,
        (0.75, 0.5, 1, 0.75),
        ((0.5, 0.75, 0.75, 1), "Precision comes first: the share of samples inside real balls."),
        (
            (0, 0, 0.75, 0.5),
            "The ball reaches too little far: a point's nearest neighbor in its own cloud is the point itself, at "
            "distance zero, so the k-th other one is number k + 1.",
        ),
        ((1, 0.75, ..., ...), "The ball reaches too far: to the k-th other point, not to the next one."),
        (
            (0.75, 0.75, ..., ...),
            "That is precision twice, or coverage in the place of recall: recall has balls around the *samples*, and "
            "asks whether a real image lies in one of them.",
        ),
        ((0, 0, 0, ...), "One ball is enough: inside *any* of them, not inside all."),
        otherwise="Radius: distance to the k-th other point of the same cloud. A point counts if any ball holds it.",
        form="Return two numbers: precision, recall.",
    ),
    "8.7": Check(
        1.38,
        (2.208, "That is for a thousand of each; you have four thousand samples."),
        (0.8832, "That is for 2,500 of each; it is the mean of 1/N that counts, not the mean of N."),
        (2.76, "Twice too much: each size brings half of what equal sizes would."),
        (1.3, "You left out the means, which add p (1 / N_1 + 1 / N_2)."),
        (0.08, "You left out the covariances."),
        (0.00125 * (64 + 64 * 65), "The quarter is missing before the squared difference of the covariances."),
        (0.552, "That is for four thousand of each; the real images are fewer."),
        otherwise="Put p = 64, N_1 = 1000 and N_2 = 4000 into (1 / N_1 + 1 / N_2) (p + p (p + 1) / 4).",
    ),
}

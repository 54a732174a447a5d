"""Self-checks of chapter 6, preconditioning."""

import torch

from pcltut.check.answers import Between, Check
from pcltut.check.code import Code


def shared_scales(my_scales):
    """1 / M of the first latent in four steps, of which two update it; and of the second latent, a tenth as large."""
    first = torch.tensor([[1.0, 7.0], [8.0, 16.0], [30.0, 10.0], [2.0, 4.0]])  # mean squares 25, 160, 500, 10
    made = my_scales(torch.stack([first, first / 10], -1), 0.8, 2)
    if not isinstance(made, list | tuple | torch.Tensor) or len(made) != len(first):
        return []
    rows = torch.stack(list(made)).reshape(len(first), -1)
    return [*(1 / rows[:, 0]), 1 / rows[0, -1]]


def dense_chain(my_dense_chain):
    """Four steps of .125 without a force, so that the noise adds up to the covariance M; then with one, the mean."""
    M, start = torch.tensor([[4.0, 2.0], [2.0, 2.0]]), torch.zeros(20_000, 2)
    pull, generator = torch.tensor([1000.0, 3000.0]), torch.Generator().manual_seed(0)
    free, pulled = (
        my_dense_chain(score, start.clone(), M.clone(), 0.125, 4, generator)
        for score in (torch.zeros_like, lambda z: pull - z)
    )
    if not isinstance(free, torch.Tensor) or free.shape != start.shape:
        return []
    covariance = free.T.cov()
    return [covariance[0, 0], covariance[0, 1], covariance[1, 1], *pulled.mean(0)]


def metric_step(my_metric_step):
    """Drift in units of the step size, square of the noise in units of 2 gamma tau, and whether a graph is left."""
    z = torch.tensor([[1.0, 2.0], [0.5, -1.0], [2.0, 1.0], [-1.0, 1.5]])

    def metric(z):  # at the first chain: M = (6, 5), divergence (2, 4), gradient of the sum (10, 8)
        first, second = z.unbind(-1)
        return torch.stack([1 + first**2 + second**2, 1 + first**2 * second**2], -1)

    def score(z):
        return z * torch.tensor([-2.0, 1.5])

    still, moved = (
        my_metric_step(score, metric, z.clone(), 0.02, 0.5, noise) for noise in (torch.zeros(4, 2), torch.ones(4, 2))
    )
    if not isinstance(still, torch.Tensor) or still.shape != z.shape:
        return []
    drift, spread = (still.detach() - z) / 0.02, (moved - still).detach().square() / 0.02
    return [*drift[0], *spread[0], still.requires_grad]


FREE = Between(3.8, 4.2), Between(1.89, 2.11), Between(1.92, 2.08)  # the covariance M, in four standard errors
CHECKS = {
    "6.1": Check(
        10.0,
        (100.0, "That is the factor on v; M has its root."),
        (0.1, "The other way round: v is too small without the correction, so M is too large."),
        (0.01, "The other way round, and M has the root of v."),
        (1.0, "Without the correction v_1 is (1 - b) g^2, not g^2."),
        (0.99**-0.5, "You weighed the new score by b; its weight is 1 - b."),
        (1.99**0.5, "That is a correction off by one step, b^2 for b; here it is missing."),
        otherwise="What is v_1, starting from v_0 = 0? M_1 is one over its root.",
        tolerance=0.003,
    ),
    "6.2": Check(
        (2.5, 10.0),
        ((10.0, 2.5), "Both are right, in the other order: first without M."),
        ((10.0, 20.0), "Curvatures go with 1 / sigma^2, and sigma falls by four."),
        ((2.5, 2.5), "An RMS scale shrinks as scores grow: it takes back the root of the factor."),
        ((2.5, 40.0), "That is M = 1 / Lambda_ii, which takes back the whole factor; RMS has its root."),
        ((640.0, ...), "Margins shrink when curvatures grow."),
        otherwise="By which factor do the curvatures grow? The plain margin falls by it, the other one by its root.",
    ),
    "6.3": Check(
        Between(0.95, 1.05),
        (0.01, "That is the posterior's variance, which noise with sqrt(M) would give."),
        (0.1, "That is its standard deviation, with noise that has sqrt(M)."),
        (100.0, "That is the temperature of the first latent, 1 / M; multiply it by 1 / Lambda."),
        (1e-4, "The noise is too large here, not too small: M is 0.01, and the root is left out."),
        (10.0, "That is the root of the temperature, on a standard deviation; give the variance."),
        otherwise="It is plain ULA with another score, M g: a Gaussian of which precision?",
    ),
    "6.4": Check(
        100.0,
        (10.0, "The excess falls as 1 / n, not as 1 / n^2."),
        (10_000.0, "The excess falls as 1 / n, not as its root."),
        (99.0, "One more: 1 / 99 is above one percent."),
        (101.0, "One fewer: E z^2 is 1 + 1 / n."),
        (0.01, "That is the bias, not the number of chains."),
        otherwise="Solve 1 + 1 / n = 1.01 for n.",
        tolerance=0.001,
    ),
    "6.5": Check(
        3.0,
        (22.037958, "That is without any preconditioner, or with 1 / Lambda_ii^2."),
        (1.0, "A diagonal M removes unequal scales, but the correlation between the latents stays."),
        (1.5, "That is the largest eigenvalue; divide it by the smallest."),
        (1 / 3, "The other way round: the largest eigenvalue over the smallest."),
        (16.0, "That is the ratio of the diagonal entries of Lambda; what is left once they are equal?"),
        (6.171293, "That is the RMS scale, the root of the diagonal; divide by the diagonal."),
        (9 / 7, "Scale the off-diagonal entry by the root of both diagonals: 2 / 4, not 2 / 16."),
        otherwise="Scale Lambda to a diagonal of ones; its eigenvalues are then 1 plus and minus the correlation.",
    ),
    "6.6": Check(
        (Between(1.68, 1.84), 1.3**-0.5),  # v = .9 + .1 * 2^2
        ((..., 2.77**-0.5), "That scale knows the second score already: use the one that was made before it."),
        ((..., 1.0), "That is the scale for the first score; the second is scaled by what the first has left."),
        ((..., 1.3**0.5), "That is the root of v; the scale is one over it."),
        ((..., 1 / 1.3), "The scale is one over the root of v."),
        (
            (Between(0.97, 1.03), ...),
            "That is what an unbiased chain would give. Is each chain's scale its own, and is it in use at all?",
        ),
        ((Between(1.03, 1.2), ...), "Too small a bias: is the decay 0.9, and M each chain's own rather than shared?"),
        ((Between(1.2, 1.45), ...), "That is nearly the bias at b = 0.99; take b = 0.9."),
        ((Between(1.84), ...), "Too large: begin the running mean at 1, and leave out the first 1,000 steps."),
        otherwise="Hand on the new scale with the memory, and use the old one: return (old scale, (new scale, "
        "memory)).",
    ),
    "6.7": Code(
        shared_scales,
        (5.0, 10.0, 10.0, 10.0, 0.5),
        ((0.2, 0.1, ..., ..., 2.0), "That is the root of the corrected v; M is one over it."),
        ((25.0, ..., ..., ..., ...), "The root is missing: M is one over the root of the corrected v."),
        ((50**0.5, ..., ..., ..., ...), "Take the mean of g^2 over the chains, not the sum."),
        ((4.0, ..., ..., ..., ...), "Square each score before you take the mean; opposite scores must not cancel."),
        ((1.0, ..., ..., ..., ...), "Each chain has an M of its own; here all chains share one for each latent."),
        ((12.625**0.5, ..., ..., ..., ...), "All latents share one M; take the mean over the chains alone."),
        ((5**0.5, ..., ..., ..., ...), "The correction is missing: divide v by 1 - b^t."),
        ((5.0, 137.5**0.5, ..., ..., ...), "You weigh the new score by b; its weight is 1 - b."),
        ((5.0, 10.0, 8.588975, ..., ...), "v is frozen, but its correction goes on: t counts updates, not steps."),
        ((5.0, 10.0, 16.246059, 13.338414, ...), "M never freezes: after `freeze_after` updates v must stay."),
        ((5.0, 10.0, 16.246059, 16.246059, ...), "M freezes one update late."),
        ((5.0, 5.0, 5.0, 5.0, ...), "M freezes one update early."),
        otherwise="Compare with the equation line by line: update v, correct it, take the root, invert.",
        form="Return one tensor of shape [steps, latent], with the M of each step.",
    ),
    "6.8": Code(
        dense_chain,
        (*FREE, 1683.59375, 1828.125),
        ((0, 0, 0, ..., ...), "All chains get the same noise; draw one for each chain."),
        (
            (Between(4.7, 5.3), Between(0.9, 1.1), Between(0.95, 1.05), ..., ...),
            "The noise has the covariance C^T C. States are rows: C eps is noise @ C.T.",
        ),
        (
            (Between(18, 22), ..., Between(7.5, 8.5), ..., ...),
            "The noise is M eps; it should be C eps, where C C^T = M.",
        ),
        ((Between(5.7, 6.3), ..., Between(3.8, 4.2), ..., ...), "The root of each entry is no root of the matrix."),
        ((..., Between(-0.2, 0.2), Between(0.9, 1.1), ..., ...), "The noise does not know M yet."),
        ((..., Between(-0.2, 0.2), ..., ..., ...), "The noise of different latents must be correlated, as M is."),
        (
            (Between(1.9, 2.1), Between(0.93, 1.07), Between(0.95, 1.05), ..., ...),
            "Half of the variance: the noise of a step has 2 gamma M.",
        ),
        ((Between(0.9, 1.1), ..., ..., ..., ...), "The factor of the noise is 2 gamma; take the root."),
        ((Between(15, 17), ..., ..., ..., ...), "Each step must draw its own noise."),
        ((*FREE, 413.818359, 1241.455078), "The noise is right. The drift lacks M."),
        ((*FREE, 937.5, 2050.78125), "The noise is right. The drift has only the diagonal of M."),
        ((*FREE, 683.59375, 1511.230469), "The noise is right. The drift has C, the root of M."),
        ((*FREE, 1492.919922, 1241.455078), "The noise is right. The drift has C, the root of M."),
        ((*FREE, Between(high=-1000), ...), "The noise is right. The drift goes down the density: its sign."),
        ((*FREE, 5000.0, 4000.0), "The noise is right. Ask for the score again at each step."),
        otherwise="In each step: drift gamma M g, noise sqrt(2 gamma) C eps, both from the state before it.",
        form="Return the last states as one tensor, [chains, latent].",
    ),
    "6.9": Check(
        1.5,
        (3.0, "That leaves out the temperature."),
        (0.5, "That is p^(1 / tau) alone, without the weight 1 / M."),
        (1.0, "That is a = 1, one over the root of v."),
        (2.5, "Only p takes the power 1 / tau, and M does not."),
        (6.0, "A low temperature makes the law narrower: p^(1 / tau), not p^tau."),
        (0.75, "The variance is proportional to tau, not to its square."),
        otherwise="rho is proportional to |z|^a exp(-z^2 / (2 tau)); integrate by parts.",
        tolerance=0.002,
    ),
    "6.10": Code(
        metric_step,
        (-11.0, 17.0, 6.0, 5.0, 0),
        ((-12.0, 15.0, ..., ..., ...), "The divergence is missing."),
        ((-10.0, 19.0, ..., ..., ...), "The divergence has the factor tau."),
        ((-13.0, 13.0, ..., ..., ...), "The divergence is added, not subtracted."),
        ((-7.0, 19.0, ..., ..., ...), "That is the gradient of the sum of all entries; keep d M_ii / d z_i alone."),
        (
            (-11.75, 15.5, ..., ..., ...),
            "A mean over the chains divides each derivative by their number; take the sum.",
        ),
        ((38.0, 115.0, ..., ..., ...), "The divergence is part of the drift: it is multiplied by the step size."),
        (
            (-11.0, 17.0, 12.0, 10.0, ...),
            "The drift is right. The noise has the variance 2 gamma tau M: tau is missing.",
        ),
        ((-11.0, 17.0, 36.0, 25.0, ...), "The drift is right. The noise has M in the place of its root."),
        ((-11.0, 17.0, 3.0, 2.5, ...), "The drift is right. The noise lacks the factor sqrt(2)."),
        ((-11.0, 17.0, 1.0, 1.0, ...), "The drift is right. The noise does not know M yet."),
        (
            (-11.0, 17.0, 6.0, 5.0, 1),
            "Drift and noise are right, and the new state still carries its graph: detach it.",
        ),
        otherwise="The drift is M g + tau div M, entry i of div M is d M_ii / d z_i, noise sqrt(2 gamma tau M) eps.",
        form="Return the next states as one tensor, [chains, latent].",
    ),
}

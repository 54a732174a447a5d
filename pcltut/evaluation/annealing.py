"""The walk that AIS and BDMC share: from a distribution that is easy to draw from to the posterior, by bridges."""

import dataclasses
import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from pcltut.evaluation.inputs import check_q
from pcltut.models import DiagonalGaussian, GenerativeModel
from pcltut.noise import standard_normal
from pcltut.samplers import ChainState, ConstantPreconditioner, Kernel, Target

# The pilot walk: its first step in units of the posterior's width, and how it goes on from there.
FIRST_STEP_SIZE = 0.3
TARGET_ACCEPTANCE = 0.7
ADAPTATION_RATE = 0.3
MEMORY = 0.9
PILOT_CHAINS = 32  # of all images together, at least

MakeKernel = Callable[..., Kernel]  # from a target and a `preconditioner`


class Point(NamedTuple):
    """Positions with all that any bridge needs there: no decoder pass is needed to change the bridge.

    `base` is the log-density of the first distribution, `gain` the log-joint minus it; each with its gradient.
    """

    z: Float[Tensor, "*chain batch latent"]
    base: Float[Tensor, "*chain batch"]
    base_score: Float[Tensor, "*chain batch latent"]
    gain: Float[Tensor, "*chain batch"]
    gain_score: Float[Tensor, "*chain batch latent"]

    def score(self, beta: float) -> Float[Tensor, "*chain batch latent"]:
        """Score of the bridge at beta."""
        return self.base_score + beta * self.gain_score

    def state(self, beta: float) -> ChainState:
        """A kernel's state on the bridge at beta; the point itself goes along as what the target returns beyond it."""
        log_density = self.base + beta * self.gain
        return ChainState(self.z, log_density=log_density, score=self.score(beta), aux=tuple(self))


@dataclasses.dataclass(frozen=True, eq=False)
class Bridges:
    r"""The laws :math:`\log p_0(z) + \beta \, (\log p(x, z) - \log p_0(z))` between two distributions.

    The first, :math:`p_0`, is `q`, or the prior where none is given; at beta = 1 it is the posterior, not normalized.
    """

    model: GenerativeModel
    x: Float[Tensor, "batch ..."]
    q: DiagonalGaussian | None

    def __post_init__(self) -> None:
        if self.q is not None:
            check_q(self.model, self.x, self.q)

    def start(self, num_chains: int, *, generator: torch.Generator) -> Point:
        """Independent draws from the first distribution, `num_chains` for each image.

        Raises:
            ValueError: the log-density of the images there is not finite.
        """
        if self.q is None:
            z = self.model.sample_prior(num_chains * len(self.x), generator=generator)
            z = z.reshape(num_chains, len(self.x), -1)
        else:
            mean = self.q.mean
            z = self.q.sample(standard_normal((num_chains, *mean.shape), generator=generator, dtype=mean.dtype))
        point = self.evaluate(z)
        if not bool(torch.isfinite(point.gain).all()):
            raise ValueError(
                "got a model with a log-likelihood that is not finite at draws of the first distribution, expected "
                "finite ones; train it with a lower learning rate, or start from an encoder"
            )
        return point

    def evaluate(self, z: Float[Tensor, "*chain batch latent"]) -> Point:
        """The point at `z`: one decoder pass, forward and backward."""
        z = z.detach().requires_grad_()
        with torch.enable_grad():
            prior = self.model.log_prior(z)
            base = prior if self.q is None else self.q.log_prob(z)
            gain = self.model.log_likelihood(self.x, z)
            if self.q is not None:
                gain = gain + prior - base
            # Two backward passes, but only one of them goes through the decoder.
            (gain_score,) = torch.autograd.grad(gain.sum(), z, retain_graph=self.q is not None)
            (base_score,) = torch.autograd.grad(base.sum(), z)
        return Point(z.detach(), base.detach(), base_score, gain.detach(), gain_score)

    def target(self, beta: float) -> Target:
        """The sampler's target on the bridge at beta; the kernel's state keeps the point that it evaluated."""

        def target(z: Float[Tensor, "*chain batch latent"]) -> tuple[Tensor, ...]:
            state = self.evaluate(z).state(beta)
            return state.log_density, state.score, *state.aux

        return target


class Walk(NamedTuple):
    """Betas 0 = b_0 < ... < b_K = 1, and for the moves at b_1 .. b_{K-1} the squared step of each image and latent.

    `make_kernel` makes a move from its bridge's target, with these squares as the diagonal of its preconditioner.
    """

    bridges: Bridges
    make_kernel: MakeKernel
    betas: list[float]
    squares: list[Float[Tensor, "batch latent"]]

    def reversed(self) -> "Walk":
        """The same walk from the posterior back."""
        return self._replace(betas=self.betas[::-1], squares=self.squares[::-1])

    def move(self, index: int, point: Point, *, generator: torch.Generator) -> tuple[Point, Tensor]:
        """The transition at the bridge of an index, 1 .. K-1: the new point and the acceptance of each chain."""
        beta = self.betas[index]
        preconditioner = ConstantPreconditioner(self.squares[index - 1])
        kernel = self.make_kernel(self.bridges.target(beta), preconditioner=preconditioner)
        state = point.state(beta)
        state, info = kernel.step(state, kernel.draw(state, generator))
        return Point(*state.aux), info.acceptance


def anneal(walk: Walk, point: Point, *, generator: torch.Generator) -> tuple[Float[Tensor, "*chain batch"], float]:
    r"""Walk along the bridges and add up :math:`\sum_k (b_k - b_{k-1}) (\log p(x, z_{k-1}) - \log p_0(z_{k-1}))`.

    In double precision. Reversed, the walk visits the same bridges from the last to the first and adds up the same
    terms. Returns the sum and the moves' mean acceptance.
    """
    betas = walk.betas
    log_weights = torch.zeros_like(point.gain, dtype=torch.float64)
    acceptances = []
    for index in range(1, len(betas)):
        log_weights += abs(betas[index] - betas[index - 1]) * point.gain
        if index < len(betas) - 1:
            point, acceptance = walk.move(index, point, generator=generator)
            acceptances.append(acceptance.mean())
    return log_weights, torch.stack(acceptances).mean().item() if acceptances else 1.0


def pilot(bridges: Bridges, make_kernel: MakeKernel, betas: list[float], *, generator: torch.Generator) -> Walk:
    r"""Walk once to find the moves' steps, and throw the chains away.

    The step is :math:`\epsilon_i / \sqrt{v_j}` for image i and latent j: v, a running mean of the squared score over
    images and bridges, estimates the curvature (on each bridge the two agree in expectation), and each image's
    epsilon follows the acceptance that its last move had. The result is frozen, so that the walks that are weighted
    leave their bridges exact.
    """
    walk = Walk(bridges, make_kernel, betas, [])
    point = bridges.start(-(-PILOT_CHAINS // len(bridges.x)), generator=generator)
    square = point.base_score.square().mean((0, 1))
    log_step = torch.full_like(point.gain[0], math.log(FIRST_STEP_SIZE))
    for index, beta in enumerate(betas[1:-1], 1):
        square = MEMORY * square + (1 - MEMORY) * point.score(beta).square().mean((0, 1))
        walk.squares.append((2 * log_step).exp()[:, None] / square)
        point, acceptance = walk.move(index, point, generator=generator)
        log_step = log_step + ADAPTATION_RATE * (acceptance.mean(0) - TARGET_ACCEPTANCE)
    return walk

"""The walk that AIS and BDMC share: from a distribution that is easy to draw from to the posterior, by bridges."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from pcltut.models import DiagonalGaussian, GenerativeModel
from pcltut.samplers import ChainState, Kernel
from pcltut.samplers.kernel import Target

# The pilot walk: its first step in units of the posterior's width, and how it goes on from there.
FIRST_STEP_SIZE = 0.3
TARGET_ACCEPTANCE = 0.7
ADAPTATION_RATE = 0.3
MEMORY = 0.9
PILOT_CHAINS = 32  # of all images together, at least


MakeKernel = Callable[[Target, Tensor], Kernel]


class Point(NamedTuple):
    """Positions with all that any bridge needs there: no decoder pass is needed to change the bridge.

    `base` is the log-density of the first distribution, `gain` the log-joint minus it; each with its gradient.
    """

    z: Float[Tensor, "*chain batch latent"]
    base: Float[Tensor, "*chain batch"]
    base_score: Float[Tensor, "*chain batch latent"]
    gain: Float[Tensor, "*chain batch"]
    gain_score: Float[Tensor, "*chain batch latent"]


class Bridge:
    r"""The sampler's target :math:`\log p_0(z) + \beta \, (\log p(x, z) - \log p_0(z))` between two distributions.

    The first, :math:`p_0`, is the prior, or `q` if it is given; at beta = 1 it is the posterior, not normalized. One
    decoder pass, forward and backward, an evaluation; `last` keeps the point that was evaluated.
    """

    def __init__(self, model: GenerativeModel, x: Float[Tensor, "batch ..."], q: DiagonalGaussian | None) -> None:
        self.model = model
        self.x = x
        self.q = q
        self.beta = 0.0
        self.last: Point | None = None

    def start(self, num_chains: int, generator: torch.Generator) -> Point:
        """Independent draws from the first distribution, `num_chains` for each image.

        Raises:
            ValueError: the log-density of the images there is not finite.
        """
        if self.q is None:
            z = self.model.sample_prior(num_chains * len(self.x), generator=generator)
            z = z.reshape(num_chains, len(self.x), -1)
        else:
            shape = (num_chains, *self.q.mean.shape)
            noise = torch.randn(shape, generator=generator, device=generator.device, dtype=self.q.mean.dtype)
            z = self.q.sample(noise)
        point = self.evaluate(z)
        if not bool(torch.isfinite(point.gain).all()):
            raise ValueError(
                "got a model with a log-likelihood that is not finite at draws of the first distribution, expected "
                "finite ones; train it with a lower learning rate, or start from an encoder"
            )
        return point

    def evaluate(self, z: Float[Tensor, "*chain batch latent"]) -> Point:
        """The point at `z`."""
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
        self.last = Point(z.detach(), base.detach(), base_score, gain.detach(), gain_score)
        return self.last

    def __call__(self, z: Float[Tensor, "*chain batch latent"]) -> tuple[Tensor, Tensor]:
        """Log-density and score of the bridge at the present beta."""
        state = self.state(self.evaluate(z))
        return state.log_density, state.score

    def state(self, point: Point) -> ChainState:
        """A kernel's state at a point, for the present beta, without an evaluation."""
        log_density = point.base + self.beta * point.gain
        return ChainState(point.z, log_density=log_density, score=point.base_score + self.beta * point.gain_score)

    def move(self, kernel: Kernel, point: Point, generator: torch.Generator) -> tuple[Point, Tensor]:
        """One transition of a kernel on this bridge: the new point and the acceptance, one for each chain."""
        state = self.state(point)
        state, info = kernel.step(state, kernel.draw(state, generator))
        # MALA and HMC evaluate their proposal last: a chain that is there has accepted it, the others have not moved.
        moved = (state.z == self.last.z).all(-1)
        fields = (
            torch.where(moved[..., None] if new.ndim > moved.ndim else moved, new, old)
            for new, old in zip(self.last, point, strict=True)
        )
        return Point(*fields), info.acceptance


class Schedule(NamedTuple):
    """Betas 0 = b_0 < ... < b_K = 1, and for the moves at b_1 .. b_{K-1} the squared step of each image and latent."""

    betas: list[float]
    scales: list[Float[Tensor, "batch latent"]]

    def reversed(self) -> "Schedule":
        """The same walk from the posterior back."""
        return Schedule(self.betas[::-1], self.scales[::-1])


def anneal(
    bridge: Bridge, point: Point, schedule: Schedule, make_kernel: MakeKernel, generator: torch.Generator
) -> tuple[Float[Tensor, "*chain batch"], float]:
    r"""Walk along the bridges and add up :math:`\sum_k (b_k - b_{k-1}) (\log p(x, z_{k-1}) - \log p_0(z_{k-1}))`.

    In double precision. Reversed, the walk visits the same bridges from the last to the first and adds up the same
    terms. Returns the sum and the moves' mean acceptance.
    """
    betas = schedule.betas
    log_weights = torch.zeros_like(point.gain, dtype=torch.float64)
    acceptances = []
    for index in range(1, len(betas)):
        log_weights += abs(betas[index] - betas[index - 1]) * point.gain
        if index < len(betas) - 1:
            bridge.beta = betas[index]
            point, acceptance = bridge.move(make_kernel(bridge, schedule.scales[index - 1]), point, generator)
            acceptances.append(acceptance.mean())
    return log_weights, torch.stack(acceptances).mean().item() if acceptances else 1.0


def pilot(bridge: Bridge, betas: list[float], make_kernel: MakeKernel, generator: torch.Generator) -> Schedule:
    r"""Walk once to find the moves' steps, and throw the walk away.

    The step is :math:`\epsilon_i / \sqrt{v_j}` for image i and latent j: v, a running mean of the squared score over
    images and bridges, estimates the curvature (on each bridge the two agree in expectation), and each image's
    epsilon follows the acceptance that its last move had. The result is frozen, so that the walks that are weighted
    leave their bridges exact.
    """
    num_images = len(bridge.x)
    point = bridge.start(-(-PILOT_CHAINS // num_images), generator)
    square = point.base_score.square().mean((0, 1))
    log_step = torch.full_like(point.gain[0], math.log(FIRST_STEP_SIZE))
    scales = []
    for beta in betas[1:-1]:
        bridge.beta = beta
        score = bridge.state(point).score
        square = MEMORY * square + (1 - MEMORY) * score.square().mean((0, 1))
        scales.append((2 * log_step).exp()[:, None] / square)
        point, acceptance = bridge.move(make_kernel(bridge, scales[-1]), point, generator)
        log_step = log_step + ADAPTATION_RATE * (acceptance.mean(0) - TARGET_ACCEPTANCE)
    return Schedule(betas, scales)

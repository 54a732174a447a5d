"""Langevin predictive coding: the whole algorithm, with predictive coding as its zero-temperature case."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from pcltut.arguments import one_of, real_number, whole_number
from pcltut.models import DiagonalGaussian, GaussianEncoder, GenerativeModel
from pcltut.noise import standard_normal
from pcltut.samplers import (
    ChainState,
    ConstantPreconditioner,
    Kernel,
    Preconditioner,
    RMSPreconditioner,
    Target,
    hmc,
    mala,
    stability_margin,
    ula,
    walk,
)
from pcltut.samplers.kernel import check_step_size
from pcltut.samplers.metropolis import check_metropolis
from pcltut.training.algorithm import Algorithm
from pcltut.training.gradients import (
    ChainHealth,
    ForwardKL,
    Gradients,
    MeanGradient,
    encoder_descent,
    joint_target,
    look_at,
    trained_parameters,
)

WarmStart = Literal["reverse", "forward", "jeffreys", "prior", "persistent"]
States = Literal["all", "last", "after-burn-in"]
CHOICES = {
    "warm_start": get_args(WarmStart),
    "kernel": ("ula", "mala", "hmc"),
    "accumulate": get_args(States),
    "encoder_states": get_args(States),
    "on_divergence": ("raise", "restart"),
}


@dataclasses.dataclass(frozen=True)
class LPC(Algorithm):
    r"""Learning from Langevin chains on the posterior of each image.

    For each batch a chain of `num_steps` steps runs on each image's posterior; the decoder follows the mean of
    :math:`\nabla_\theta \log p_\theta(x, z_t)` over its states (:eq:`eq-theta-gradient`), the gradient of
    :math:`E_q[\log p] + H[q]` with the chain's law q held fixed. The chain may start at a draw from an encoder, which
    learns from it: by reverse KL, a byproduct of the chain's first score (:eq:`eq-first-gradient`), by forward KL, on
    the chain's states as data, or by their sum (Jeffreys). Both gradients are taken at the same parameters. Source:
    Zahid, Guo and Fountas (2024), Algorithm 1 as reconstructed in chapter 7; which states are used is a choice of
    ours.

    Biased as its chains are: short chains depend on their start, and long ones of ULA are too wide
    (:eq:`eq-ula-stationary`).

    Args:
        num_steps: T. With ULA the states z_0 .. z_{T-1} teach the decoder, in T passes; with MALA and HMC the accepted
            states z_1 .. z_T, each in a pass of its own.
        step_size: of the kernel, a number or a function of the model such as `VarianceScaledStep`.
        warm_start: "reverse", "forward" or "jeffreys", a draw from the encoder, named by the loss that fits it;
            "prior", a draw from N(0, I); "persistent", where the image's last chain ended. The last two have no
            encoder.
        kernel: "ula", "mala" or "hmc".
        num_leapfrog: leapfrog steps of HMC.
        preconditioner: for example `RMSPreconditioner(share="batch")`; its state starts anew with each batch. MALA and
            HMC take a constant one only.
        temperature: 1 for Langevin sampling, 0 for predictive coding.
        accumulate: states that teach the decoder, "all", "last", or "after-burn-in" (the last half).
        encoder_states: states that teach the encoder in the forward KL, likewise; they are the ones after each step.
        on_divergence: "raise", or "restart" the chains that left the finite numbers at their start and count them.
        incremental: theta takes an optimizer step at every state that teaches it, not one a batch; see `updates`.
    """

    num_steps: int
    step_size: float | Callable[[GenerativeModel], float]
    warm_start: WarmStart = "reverse"
    kernel: Literal["ula", "mala", "hmc"] = "ula"
    num_leapfrog: int = 1
    preconditioner: Preconditioner | None = None
    temperature: float = 1.0
    accumulate: States = "all"
    encoder_states: States = "all"
    on_divergence: Literal["raise", "restart"] = "raise"
    incremental: bool = False

    def __post_init__(self) -> None:
        plain = {
            "num_steps": whole_number("num_steps", self.num_steps, remedy="1 is the VAE's update"),
            "num_leapfrog": whole_number("num_leapfrog", self.num_leapfrog, remedy="one is MALA"),
            "temperature": real_number("temperature", self.temperature, at_least=0.0, remedy="1 samples the posterior"),
            "step_size": self.step_size if callable(self.step_size) else check_step_size(self.step_size),
        }
        for name, value in plain.items():
            object.__setattr__(self, name, value)
        for name, choices in CHOICES.items():
            one_of(name, getattr(self, name), choices)
        is_constant = isinstance(self.preconditioner, ConstantPreconditioner | None)
        if not isinstance(self.preconditioner, Preconditioner | None):
            raise ValueError(
                f"got preconditioner={self.preconditioner!r}, expected one such as RMSPreconditioner(); or None"
            )
        if self.on_divergence == "restart" and not is_constant:
            raise ValueError(
                f"got on_divergence='restart' with {self.preconditioner}, expected a constant preconditioner or none; "
                "its memory of a diverged chain cannot be used again"
            )
        one_of("incremental", self.incremental, (False, True))
        if self.incremental and self.kernel != "ula":
            raise ValueError(
                f"got incremental=True with kernel={self.kernel!r}, expected 'ula'; a Metropolis test compares with "
                "log-joints that were taken before theta moved"
            )
        if self.kernel != "ula":
            check_metropolis(self.temperature, self.preconditioner)

    @classmethod
    def predictive_coding(cls, num_steps: int, step_size: float) -> "LPC":
        """Predictive coding without noise: climb from a prior draw, learn where it ends (:eq:`eq-pc-edge`)."""
        return cls(num_steps, step_size, warm_start="prior", temperature=0.0, accumulate="last")

    @classmethod
    def algorithm_1(
        cls,
        num_steps: int,
        step_size: float,
        *,
        warm_start: WarmStart,
        accumulate: States,
        encoder_states: States,
        decay: float,
        eps: float,
        share: Literal["datum", "batch"],
        freeze_after: int | None,
    ) -> "LPC":
        """Algorithm 1 of Zahid, Guo and Fountas (2024) as reconstructed in chapter 7, with every open choice explicit.

        Nothing has a default: what the paper leaves open is for you to state. The arguments are those of `LPC` and of
        `pcltut.samplers.RMSPreconditioner`.
        """
        preconditioner = RMSPreconditioner(decay, eps, share, freeze_after)
        return cls(
            num_steps,
            step_size,
            warm_start=warm_start,
            preconditioner=preconditioner,
            accumulate=accumulate,
            encoder_states=encoder_states,
        )

    @classmethod
    def hoffman2017(cls, num_steps: int, step_size: float, *, num_leapfrog: int) -> "LPC":
        """Hoffman (2017): HMC from the encoder's draw; its last state teaches the decoder, the ELBO the encoder."""
        return cls(
            num_steps, step_size, warm_start="reverse", kernel="hmc", num_leapfrog=num_leapfrog, accumulate="last"
        )

    @property
    def uses_encoder(self) -> bool:
        """Whether the chain starts at an encoder's draw."""
        return self.warm_start in ("reverse", "forward", "jeffreys")

    @property
    def keeps_chains(self) -> bool:
        """Whether each image's chain goes on where it ended when the image was last seen."""
        return self.warm_start == "persistent"

    def _along_chain(
        self,
        model: GenerativeModel,
        encoder: GaussianEncoder | None,
        x: Tensor,
        *,
        generator: torch.Generator,
        start: Tensor | None = None,
    ) -> Iterator[Gradients]:
        """One chain for each image of `x`, and both networks' gradients; those of theta one by one if incremental."""
        theta, phi = trained_parameters(model), trained_parameters(encoder)
        q, total = encoder(x) if self.uses_encoder else None, MeanGradient(theta)
        z_0 = self._start(model, q, x, start, generator=generator)
        kernels, with_theta = self._kernels(model, x, theta), joint_target(model, x, theta)
        forward_kl = ForwardKL(q) if self.warm_start in ("forward", "jeffreys") else None
        health = ChainHealth()
        chain = walk(kernels, kernels[0].init(z_0), generator=generator, on_divergence=self.on_divergence)
        for t, (state, info, restarts) in enumerate(chain):  # from z_t, with its score, to z_{t+1}
            if t == 0:
                first = info  # its score is what the reverse KL sends back to the encoder
            if t in self._used(self.accumulate) and not restarts:  # a chain that was lost teaches nothing
                seen = info if self.kernel == "ula" else look_at(with_theta, state.z)
                total.add(seen.log_density, seen.aux)
                if self.incremental:
                    yield Gradients(total.descent(), (), -total.log_joint(), total.log_joint(), chain=state)
            if forward_kl is not None and t in self._used(self.encoder_states):
                forward_kl.add(state.z)
            health.add(info.acceptance, restarts)
        log_joint, reverse = total.log_joint(), first.score if self.warm_start in ("reverse", "jeffreys") else None
        yield Gradients(
            model=total.descent(),
            encoder=encoder_descent(phi, q, z_0, reverse, forward_kl),
            loss=-log_joint if q is None else -(first.log_density + q.entropy()).detach().mean(),
            log_joint=log_joint,
            decoder_evaluations=self._decoder_evaluations(),
            chain=state,
            acceptance=health.acceptance(),
            num_restarts=health.num_restarts,
        )

    @torch.inference_mode(False)
    @torch.enable_grad()
    def gradients(
        self,
        model: GenerativeModel,
        encoder: GaussianEncoder | None,
        x: Tensor,
        *,
        generator: torch.Generator,
        start: Tensor | None = None,
    ) -> Gradients:
        """Run one chain for each image of `x` and collect both networks' gradients; changes no parameter.

        Args:
            start: `[batch, latent]`, where persistent chains go on; drawn if not given.
        """
        whole = dataclasses.replace(self, incremental=False)
        (gradients,) = whole._along_chain(model, encoder, x, generator=generator, start=start)
        return gradients

    def updates(
        self,
        model: GenerativeModel,
        encoder: GaussianEncoder | None,
        x: Tensor,
        *,
        generator: torch.Generator,
        start: Tensor | None = None,
    ) -> Iterator[Gradients]:
        r"""`gradients` once; for incremental LPC theta's at each state of the chain, then the encoder's.

        The optimizer moves theta before the chain goes on: the score of :math:`z_t` at :math:`\theta_t` leads to
        :math:`z_{t+1}`, the gradient of the same pass to :math:`\theta_{t+1}`. The encoder's gradient belongs to
        :math:`\theta_0` and comes last. Predictive coding has such a form (Salvatori et al., 2024); this is its
        Langevin twin.
        """
        updates = self._along_chain if self.incremental else super().updates
        return updates(model, encoder, x, generator=generator, start=start)

    def stability_margin(self, model: GenerativeModel, x: Tensor, chain: ChainState) -> float:
        """The chain's `pcltut.samplers.stability_margin` where it stands, preconditioner included; NaN unless ULA."""
        if self.kernel != "ula":
            return math.nan
        diagonal = None
        if self.preconditioner is not None:
            memory = self.preconditioner.init(chain.z) if chain.preconditioner is None else chain.preconditioner
            diagonal, _ = self.preconditioner.update(memory, joint_target(model, x)(chain.z)[1])
        generator = torch.Generator(x.device).manual_seed(0)
        step_size = self._step_size(model)
        return stability_margin(model, x, chain.z, step_size, preconditioner=diagonal, generator=generator)

    def _start(
        self,
        model: GenerativeModel,
        q: DiagonalGaussian | None,
        x: Tensor,
        start: Tensor | None,
        *,
        generator: torch.Generator,
    ) -> Tensor:
        """z_0: a draw from the encoder, where the image's last chain ended, or a draw from the prior."""
        if q is not None:
            return q.sample(standard_normal(q.mean.shape, generator=generator, dtype=q.mean.dtype))
        return model.sample_prior(len(x), generator=generator) if start is None else start

    def _kernels(self, model: GenerativeModel, x: Tensor, theta: Sequence[nn.Parameter]) -> list[Kernel]:
        """One kernel a step. For ULA the pass at a state that teaches the decoder gives theta's gradient, too.

        MALA and HMC evaluate proposals, which are no states of the chain: there theta's gradient is taken where the
        test left the chain, in a pass of its own.
        """
        step_size, used = self._step_size(model), self._used(self.accumulate) if self.kernel == "ula" else ()
        plain = self._kernel(joint_target(model, x), step_size)
        fused = self._kernel(joint_target(model, x, theta), step_size)
        return [fused if t in used else plain for t in range(self.num_steps)]

    def _kernel(self, target: Target, step_size: float) -> Kernel:
        shared = {"temperature": self.temperature, "preconditioner": self.preconditioner}
        if self.kernel == "ula":
            return ula(target, step_size, **shared)
        if self.kernel == "mala":
            return mala(target, step_size, **shared)
        return hmc(target, step_size, num_leapfrog=self.num_leapfrog, **shared)

    def _step_size(self, model: GenerativeModel) -> float:
        return float(self.step_size(model)) if callable(self.step_size) else self.step_size

    def _used(self, states: States) -> range:
        """The steps whose states teach."""
        first = {"all": 0, "after-burn-in": self.num_steps // 2, "last": self.num_steps - 1}
        return range(first[states], self.num_steps)

    def _decoder_evaluations(self) -> int:
        """Passes of a batch through the decoder in one update."""
        if self.kernel == "ula":
            return self.num_steps
        leapfrog = self.num_leapfrog if self.kernel == "hmc" else 1
        return 1 + self.num_steps * leapfrog + len(self._used(self.accumulate))

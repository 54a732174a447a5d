"""Langevin predictive coding: the whole algorithm, with predictive coding as its zero-temperature case."""

import dataclasses
from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor

from pcltut.models import DiagonalGaussian, GaussianEncoder, GenerativeModel
from pcltut.samplers import (
    ChainState,
    Kernel,
    Preconditioner,
    hmc,
    mala,
    restart_diverged,
    rms_preconditioner,
    score_of,
    stability_margin,
    standard_normal,
    ula,
)
from pcltut.training.gradients import ForwardKL, FusedTarget, Gradients, trained_parameters

WarmStart = Literal["reverse", "forward", "jeffreys", "prior", "persistent"]
States = Literal["all", "last", "burn-in"]


@dataclasses.dataclass(frozen=True)
class LPC:
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
        step_size: of the kernel.
        warm_start: "reverse", "forward" or "jeffreys", a draw from the encoder, named by the loss that fits it;
            "prior", a draw from N(0, I); "persistent", where the image's last chain ended. The last two have no
            encoder.
        kernel: "ula", "mala" or "hmc".
        num_leapfrog: leapfrog steps of HMC.
        preconditioner: for example `rms_preconditioner(share="batch")`; its state starts anew with each batch. MALA and
            HMC take a constant one only.
        temperature: 1 for Langevin sampling, 0 for predictive coding.
        accumulate: states that teach the decoder, "all", "last", or "burn-in" (the last half).
        encoder_states: states that teach the encoder in the forward KL, likewise; they are the ones after each step.
        on_divergence: "raise", or "restart" the chains that left the finite numbers at their start and count them.
    """

    num_steps: int
    step_size: float
    warm_start: WarmStart = "reverse"
    kernel: Literal["ula", "mala", "hmc"] = "ula"
    num_leapfrog: int = 1
    preconditioner: Preconditioner | None = None
    temperature: float = 1.0
    accumulate: States = "all"
    encoder_states: States = "all"
    on_divergence: Literal["raise", "restart"] = "raise"

    def __post_init__(self) -> None:
        if self.num_steps < 1:
            raise ValueError(f"got num_steps={self.num_steps}, expected at least 1; 1 is the VAE's update")
        choices = {
            "warm_start": get_args(WarmStart),
            "kernel": ("ula", "mala", "hmc"),
            "accumulate": get_args(States),
            "encoder_states": get_args(States),
            "on_divergence": ("raise", "restart"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"got {name}={getattr(self, name)!r}, expected one of {allowed}; choose one of them")
        is_running = self.preconditioner is not None and self.preconditioner.constant is None
        if self.kernel != "ula" and is_running:
            raise ValueError(
                f"got {self.preconditioner} with kernel={self.kernel!r}, expected a constant preconditioner or none; "
                "an adaptive one breaks the Metropolis test, use kernel='ula' or constant_preconditioner(...)"
            )
        if self.on_divergence == "restart" and is_running:
            raise ValueError(
                f"got on_divergence='restart' with {self.preconditioner}, expected a constant preconditioner or none; "
                "its memory of a diverged chain cannot be used again"
            )
        self._kernel(lambda z: (z, z))  # checks step_size, temperature and num_leapfrog

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
        share: Literal["chain", "batch"],
        freeze_after: int | None,
    ) -> "LPC":
        """Algorithm 1 of Zahid, Guo and Fountas (2024) as reconstructed in chapter 7, with every open choice explicit.

        Nothing has a default: what the paper leaves open is for you to state. The arguments are those of `LPC` and of
        `pcltut.samplers.rms_preconditioner`.
        """
        preconditioner = rms_preconditioner(decay, eps, share=share, freeze_after=freeze_after)
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

    def gradients(
        self,
        model: GenerativeModel,
        encoder: GaussianEncoder | None,
        x: Tensor,
        generator: torch.Generator,
        start: Tensor | None = None,
    ) -> Gradients:
        """Run one chain for each image of `x` and collect both networks' gradients; changes no parameter.

        Args:
            start: `[batch, latent]`, where persistent chains go on; drawn if not given.
        """
        q = encoder(x) if self.uses_encoder else None
        if q is not None:
            start = q.sample(standard_normal(q.mean, generator))
        elif start is None:
            start = model.sample_prior(len(x), generator=generator)
        target = FusedTarget(model, x)
        forward_kl = ForwardKL(q) if self.warm_start in ("forward", "jeffreys") else None
        kernel = self._kernel(target)
        is_fused = self.kernel == "ula"

        first = state = kernel.init(start)
        first_score, first_log_joint = first.score, first.log_density
        acceptance, num_restarts = x.new_zeros(()), 0
        for step in range(self.num_steps):
            target.collect = is_fused and self._is_used(step, self.accumulate)
            state, info = kernel.step(state, kernel.draw(state, generator))
            if step == 0 and is_fused:
                first_score, first_log_joint = info.score, info.log_density
            if info.acceptance is not None:
                acceptance = acceptance + info.acceptance.mean() / self.num_steps
            if self.on_divergence == "restart":
                state, count = restart_diverged(state, first)
                num_restarts += count
            if not is_fused and self._is_used(step, self.accumulate):
                # Proposals are no states of the chain: the theta-gradient is taken where the test left it.
                target.collect = True
                target(state.z)
                target.collect = False
            if forward_kl is not None and self._is_used(step, self.encoder_states):
                forward_kl.add(state.z)

        log_joint = target.log_joint / target.num_collected
        loss = -log_joint if q is None else -(first_log_joint + q.entropy()).detach().mean()
        return Gradients(
            model=torch._foreach_mul(target.model_gradient, -1 / (len(x) * target.num_collected)),
            encoder=() if q is None else self._encoder_gradient(encoder, q, start, first_score, forward_kl),
            loss=loss,
            log_joint=log_joint,
            decoder_evaluations=target.num_evaluations,
            chain=state,
            acceptance=acceptance if not is_fused else float("nan"),
            num_restarts=num_restarts,
        )

    def stability_margin(self, model: GenerativeModel, x: Tensor, chain: ChainState) -> float:
        """The chain's `pcltut.samplers.stability_margin` where it stands, preconditioner included; NaN unless ULA."""
        if self.kernel != "ula":
            return float("nan")
        scale = None
        if self.preconditioner is not None:
            memory = self.preconditioner.init(chain.z) if chain.preconditioner is None else chain.preconditioner
            _, score = score_of(lambda z: model.log_joint(x, z))(chain.z)
            scale, _ = self.preconditioner.update(memory, score)
        generator = torch.Generator(x.device).manual_seed(0)
        return stability_margin(model, x, chain.z, self.step_size, scale=scale, generator=generator)

    def _kernel(self, target: Callable[[Tensor], tuple[Tensor, Tensor]]) -> Kernel:
        if self.kernel == "ula":
            return ula(target, self.step_size, temperature=self.temperature, preconditioner=self.preconditioner)
        scale = None if self.preconditioner is None else self.preconditioner.constant
        if self.kernel == "mala":
            return mala(target, self.step_size, temperature=self.temperature, scale=scale)
        return hmc(target, self.step_size, num_leapfrog=self.num_leapfrog, temperature=self.temperature, scale=scale)

    def _encoder_gradient(
        self,
        encoder: GaussianEncoder,
        q: DiagonalGaussian,
        start: Tensor,
        first_score: Tensor,
        forward_kl: ForwardKL | None,
    ) -> tuple[Tensor, ...]:
        """One pass back through the encoder for the chosen loss: what flows into q, summed over its terms."""
        outputs: list[Tensor] = []
        inflow: list[Tensor] = []
        if self.warm_start in ("reverse", "jeffreys"):
            # The chain's first score is the gradient that the reparameterized ELBO sends back to z.
            outputs += [start, q.entropy().sum()]
            inflow += [first_score, torch.ones_like(outputs[-1])]
        if forward_kl is not None:
            outputs += [q.mean, q.log_scale]
            inflow += [g / forward_kl.num_states for g in (forward_kl.mean_gradient, forward_kl.log_scale_gradient)]
        gradients = torch.autograd.grad(outputs, trained_parameters(encoder), inflow)
        return torch._foreach_mul(gradients, -1 / len(start))

    def _is_used(self, step: int, states: States) -> bool:
        first_used = {"all": 0, "burn-in": self.num_steps // 2, "last": self.num_steps - 1}
        return step >= first_used[states]

"""Langevin predictive coding: the whole algorithm, with predictive coding as its zero-temperature case."""

import dataclasses
from typing import Literal

import torch
from torch import Tensor

from pcltut.models import GaussianEncoder, GenerativeModel
from pcltut.samplers import ChainState, Preconditioner, score_of, stability_margin, ula
from pcltut.training.gradients import FusedTarget, Gradients, standard_normal, trained_parameters


@dataclasses.dataclass(frozen=True)
class LPC:
    r"""Learning from Langevin chains on the posterior of each image.

    For each batch a chain of `num_steps` states z_0 .. z_{T-1} runs on each image's posterior; the decoder follows
    the mean of :math:`\nabla_\theta \log p_\theta(x, z_t)` over them (:eq:`eq-theta-gradient`), the gradient of
    :math:`E_q[\log p] + H[q]` with the chain's law q held fixed. With `warm_start="reverse"` the chain starts at a
    draw from the encoder, which follows its reverse KL, a byproduct of the chain's first score
    (:eq:`eq-first-gradient`). Both gradients are taken at the same parameters. Source: Zahid, Guo and Fountas (2024),
    Algorithm 1 as reconstructed in chapter 7; which states are used is a choice of ours.

    Biased as its chains are: short chains depend on their start, and long ones of ULA are too wide
    (:eq:`eq-ula-stationary`).

    Args:
        num_steps: T, states of a chain and passes through the decoder.
        step_size: gamma of `pcltut.samplers.ula`.
        warm_start: "reverse", a draw from the encoder, or "prior", a draw from N(0, I) (no encoder).
        preconditioner: for example `rms_preconditioner(share="batch")`; its state starts anew with each batch.
        temperature: 1 for Langevin sampling, 0 for predictive coding.
        accumulate: states that teach the decoder, "all", "last", or "burn-in" (the last half).
    """

    num_steps: int
    step_size: float
    warm_start: Literal["reverse", "prior"] = "reverse"
    preconditioner: Preconditioner | None = None
    temperature: float = 1.0
    accumulate: Literal["all", "last", "burn-in"] = "all"

    def __post_init__(self) -> None:
        if self.num_steps < 1:
            raise ValueError(f"got num_steps={self.num_steps}, expected at least 1; 1 is the VAE's update")
        if self.warm_start not in ("reverse", "prior"):
            raise ValueError(f"got warm_start={self.warm_start!r}, expected 'reverse' or 'prior'; choose one of them")
        if self.accumulate not in ("all", "last", "burn-in"):
            raise ValueError(
                f"got accumulate={self.accumulate!r}, expected 'all', 'last' or 'burn-in'; choose one of them"
            )
        ula(lambda z: (z, z), self.step_size, temperature=self.temperature)  # checks both

    @classmethod
    def predictive_coding(cls, num_steps: int, step_size: float) -> "LPC":
        """Predictive coding without noise: climb from the prior's draw, learn at the point where the climb ends."""
        return cls(num_steps, step_size, warm_start="prior", temperature=0.0, accumulate="last")

    @property
    def uses_encoder(self) -> bool:
        """Whether the chain starts at an encoder's draw."""
        return self.warm_start == "reverse"

    def gradients(
        self, model: GenerativeModel, encoder: GaussianEncoder | None, x: Tensor, generator: torch.Generator
    ) -> Gradients:
        """Run one chain for each image of `x` and collect both networks' gradients; changes no parameter."""
        if self.uses_encoder:
            q = encoder(x)
            start = q.sample(standard_normal(q.mean, generator))
        else:
            q = None
            start = model.sample_prior(len(x), generator=generator)

        target = FusedTarget(model, x)
        kernel = ula(target, self.step_size, temperature=self.temperature, preconditioner=self.preconditioner)
        state = kernel.init(start)
        encoder_gradient: tuple[Tensor, ...] = ()
        loss = None
        for step in range(self.num_steps):
            target.collect = self._is_used(step)
            state, info = kernel.step(state, kernel.draw(state, generator))
            if step == 0 and q is not None:
                # The chain's first score is the gradient that the reparameterized ELBO sends back to z.
                encoder_gradient = torch.autograd.grad(
                    (start, q.entropy().sum()), trained_parameters(encoder), (info.score, x.new_ones(()))
                )
                loss = -(info.log_density + q.entropy()).detach().mean()

        log_joint = target.log_joint / target.num_collected
        return Gradients(
            model=torch._foreach_mul(target.model_gradient, -1 / (len(x) * target.num_collected)),
            encoder=torch._foreach_mul(encoder_gradient, -1 / len(x)) if encoder_gradient else (),
            loss=-log_joint if loss is None else loss,
            log_joint=log_joint,
            decoder_evaluations=self.num_steps,
            chain=state,
        )

    def stability_margin(self, model: GenerativeModel, x: Tensor, chain: ChainState) -> float:
        """The chain's `pcltut.samplers.stability_margin` where it stands, its preconditioner included."""
        scale = None
        if self.preconditioner is not None:
            memory = self.preconditioner.init(chain.z) if chain.preconditioner is None else chain.preconditioner
            _, score = score_of(lambda z: model.log_joint(x, z))(chain.z)
            scale, _ = self.preconditioner.update(memory, score)
        generator = torch.Generator(x.device).manual_seed(0)
        return stability_margin(model, x, chain.z, self.step_size, scale=scale, generator=generator)

    def _is_used(self, step: int) -> bool:
        first_used = {"all": 0, "burn-in": self.num_steps // 2, "last": self.num_steps - 1}
        return step >= first_used[self.accumulate]

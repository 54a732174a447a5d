"""From a declaration to networks, algorithm and learning rates."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pcltut.experiments.declaration import Method, Setting, Value
from pcltut.models import (
    DiscretizedGaussian,
    Gaussian,
    GaussianEncoder,
    GenerativeModel,
    conv_decoder,
    conv_encoder,
    mlp_decoder,
    mlp_encoder,
)
from pcltut.samplers import ChainState, rms_preconditioner
from pcltut.training import IWAE, LPC, VAE, Algorithm, Gradients

ALGORITHMS: dict[str, Callable[..., Algorithm]] = {
    "vae": VAE,
    "iwae": IWAE,
    "lpc": LPC,
    "pc": LPC.predictive_coding,
    "hoffman": LPC.hoffman2017,
}
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,
    "cosine": lambda progress: 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))),
    "half-cosine": lambda progress: 0.55 + 0.45 * math.cos(math.pi * min(progress, 1.0)),
    "linear": lambda progress: max(1 - progress, 0.02),
}
STEP_SCHEDULES = ("constant", "variance")
SEEDS_A_RUN = 5  # weights of decoder and encoder, training, measurements on validation and on test


class Built(NamedTuple):
    """Everything that `pcltut.training.fit` needs for one run, at its start."""

    algorithm: Algorithm
    model: GenerativeModel
    encoder: GaussianEncoder | None
    generator: torch.Generator
    learning_rate: Callable[[int], float]
    encoder_learning_rate: Callable[[int], float]


@dataclasses.dataclass(frozen=True)
class VarianceScaledSteps:
    """LPC whose step size follows the likelihood's learned variance: `step_size * (sigma / initial_scale)^2`.

    The curvature of a posterior grows as sigma falls, in proportion to 1 / sigma^2 where the data dominate, so that a
    fixed step nears the edge of stability. Not for preconditioned chains, whose scale follows by itself.
    """

    algorithm: LPC
    initial_scale: float

    @property
    def uses_encoder(self) -> bool:
        """As the algorithm inside."""
        return self.algorithm.uses_encoder

    @property
    def keeps_chains(self) -> bool:
        """As the algorithm inside."""
        return self.algorithm.keeps_chains

    @property
    def step_size(self) -> float:
        """The step size at the start of training."""
        return self.algorithm.step_size

    def gradients(
        self,
        model: GenerativeModel,
        encoder: GaussianEncoder | None,
        x: Tensor,
        generator: torch.Generator,
        start: Tensor | None = None,
    ) -> Gradients:
        """The gradients of `LPC` at the present step size."""
        return self._now(model).gradients(model, encoder, x, generator, start)

    def stability_margin(self, model: GenerativeModel, x: Tensor, chain: ChainState) -> float:
        """The margin of `LPC` at the present step size."""
        return self._now(model).stability_margin(model, x, chain)

    def _now(self, model: GenerativeModel) -> LPC:
        factor = (model.likelihood.scale.item() / self.initial_scale) ** 2
        return dataclasses.replace(self.algorithm, step_size=self.algorithm.step_size * factor)


def build(
    setting: Setting,
    method: Method,
    hyperparameters: Mapping[str, Value],
    event_shape: tuple[int, ...],
    *,
    seed: int,
    last_iteration: int,
    device: str = "cpu",
) -> Built:
    """Networks with fresh weights, the algorithm, and the generator of batches and noise.

    A decoder's initial weights, the order of the batches and the chains' start noise depend on the seed alone, not on
    the method: differences between methods can be taken seed by seed. A learning-rate schedule spans the whole run, up
    to `last_iteration`.
    """
    values = dict(hyperparameters)
    base = _positive(values.pop("learning_rate", 1e-3), "learning_rate")
    encoder_base = values.pop("encoder_learning_rate", None)
    schedule = _named(values.pop("learning_rate_schedule", "constant"), SCHEDULES, "learning_rate_schedule")

    def rate(initial: float) -> Callable[[int], float]:
        return lambda iteration: initial * SCHEDULES[schedule](iteration / last_iteration)

    algorithm = make_algorithm(method, values, setting)
    decoder_seed, encoder_seed, fit_seed = (SEEDS_A_RUN * seed + i for i in range(3))
    model, encoder = make_networks(setting, event_shape, algorithm.uses_encoder, decoder_seed, encoder_seed, device)
    return Built(
        algorithm,
        model,
        encoder,
        torch.Generator(device).manual_seed(fit_seed),
        rate(base),
        rate(base if encoder_base is None else _positive(encoder_base, "encoder_learning_rate")),
    )


def make_algorithm(method: Method, values: Mapping[str, Any], setting: Setting) -> Algorithm:
    """The algorithm with its own hyperparameters."""
    values = dict(values)
    step_schedule = _named(values.pop("step_schedule", "constant"), STEP_SCHEDULES, "step_schedule")
    share = values.pop("preconditioner", "none")
    running = {name: values.pop(name) for name in ("decay", "eps", "freeze_after") if name in values}
    if share != "none":
        values["preconditioner"] = rms_preconditioner(share=share, **running)
    try:
        algorithm = ALGORITHMS[method.algorithm](**values)
    except TypeError as error:
        raise ValueError(f"{method.key}: {error}; rename that hyperparameter in its declaration") from None
    return algorithm if step_schedule == "constant" else VarianceScaledSteps(algorithm, setting.initial_scale)


def make_networks(
    setting: Setting,
    event_shape: tuple[int, ...],
    uses_encoder: bool,
    decoder_seed: int,
    encoder_seed: int,
    device: str,
) -> tuple[GenerativeModel, GaussianEncoder | None]:
    """Model and encoder of a setting with fresh weights."""
    make = {"mlp": (mlp_decoder, mlp_encoder), "conv": (conv_decoder, conv_encoder)}
    make_decoder, make_encoder = make[setting.network]
    shape = {"hidden": setting.hidden} if setting.network == "mlp" else {}
    likelihood = {"gaussian": Gaussian, "discretized": DiscretizedGaussian}[setting.likelihood](setting.initial_scale)
    generators = [torch.Generator(device).manual_seed(seed) for seed in (decoder_seed, encoder_seed)]
    decoder = make_decoder(setting.latent_dim, event_shape, **shape, generator=generators[0])
    model = GenerativeModel(decoder, likelihood, setting.latent_dim).to(device)
    encoder = make_encoder(event_shape, setting.latent_dim, **shape, generator=generators[1]) if uses_encoder else None
    return model, encoder


def _named(name: Value, known: Any, what: str) -> str:
    if name not in known:
        raise ValueError(f"got {what}={name!r}, expected one of {', '.join(known)}; choose one of them")
    return name


def _positive(value: Value, what: str) -> float:
    if not isinstance(value, int | float) or not value > 0:
        raise ValueError(f"got {what}={value!r}, expected a positive number; raise it")
    return float(value)

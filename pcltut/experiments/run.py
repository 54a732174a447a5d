"""One run: everything that decides what is trained, in one frozen value."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from pcltut.arguments import one_of, real_number
from pcltut.data import Images
from pcltut.experiments.declaration import AlgorithmName, EvaluationBudget, Setting, Value
from pcltut.experiments.measurement import SEEDS_A_RUN, measure
from pcltut.experiments.results import to_json
from pcltut.experiments.sources import load
from pcltut.models import (
    DiscretizedGaussian,
    Gaussian,
    GaussianEncoder,
    GenerativeModel,
    LearnedMixture,
    conv_decoder,
    conv_encoder,
    mlp_decoder,
    mlp_encoder,
)
from pcltut.samplers import RMSPreconditioner
from pcltut.training import IWAE, LPC, VAE, Algorithm, TrainingState, VarianceScaledStep

ALGORITHMS: dict[str, Callable[..., Algorithm]] = {
    "vae": VAE,
    "iwae": IWAE,
    "lpc": LPC,
    "pc": LPC.predictive_coding,
    "hoffman": LPC.hoffman2017,
}
NETWORKS = {"mlp": (mlp_decoder, mlp_encoder), "conv": (conv_decoder, conv_encoder)}
LIKELIHOODS = {"gaussian": Gaussian, "discretized": DiscretizedGaussian}
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,
    "cosine": lambda progress: 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))),
    "linear": lambda progress: max(1 - progress, 0.02),
}
STEP_SCHEDULES = ("constant", "variance")
NOT_OF_THE_ALGORITHM = ("learning_rate", "encoder_learning_rate", "learning_rate_schedule", "prior_components")


@dataclasses.dataclass(frozen=True)
class Run:
    """A run: setting, algorithm, hyperparameters and seed; and where it is measured, if it is part of an experiment.

    Initial weights of the decoder, the order of the batches and the chains' start noise depend on the seed alone, not
    on the algorithm: differences between algorithms can be taken seed by seed.

    Args:
        algorithm: "vae", "iwae", "lpc", "pc" (predictive coding) or "hoffman" (Hoffman, 2017).
        hyperparameters: `learning_rate`, `encoder_learning_rate` (the decoder's if not given), `learning_rate_schedule`
            ("constant", "cosine" or "linear") and `step_schedule` ("constant", or "variance": see
            `pcltut.training.VarianceScaledStep`), and `prior_components` (of a prior that is learned; N(0, I) if not
            given); all others go to the algorithm by name, `preconditioner` as "none", "datum" or "batch", with
            `decay`, `eps` and `freeze_after` beside it.
        points: iterations at which the run is measured on the validation split. Schedules end at the last.
        budgets: those of them at which it is measured on the test split, too, as it then is at its best point by
            validation if there are several points. A run without budgets reads no test image.
    """

    setting: Setting
    algorithm: AlgorithmName
    hyperparameters: Mapping[str, Value]
    seed: int
    points: tuple[int, ...] = ()
    budgets: tuple[int, ...] = ()

    def make_algorithm(self) -> Algorithm:
        """The algorithm with its own hyperparameters."""
        one_of("algorithm", self.algorithm, ALGORITHMS)
        values = {name: value for name, value in self.hyperparameters.items() if name not in NOT_OF_THE_ALGORITHM}
        if one_of("step_schedule", values.pop("step_schedule", "constant"), STEP_SCHEDULES) == "variance":
            values["step_size"] = VarianceScaledStep(values["step_size"], self.setting.initial_scale)
        if (share := values.pop("preconditioner", "none")) != "none":
            running = {name: values.pop(name) for name in ("decay", "eps", "freeze_after") if name in values}
            values["preconditioner"] = RMSPreconditioner(share=share, **running)
        try:
            return ALGORITHMS[self.algorithm](**values)
        except TypeError as error:
            raise ValueError(f"{self.algorithm}: {error}; rename that hyperparameter") from None

    def build(self, *, device: str = "cpu", root: Any = None, images: Images | None = None) -> TrainingState:
        """The run before its first iteration: networks with fresh weights, algorithm, data and generator.

        Args:
            root: folder of the data sets.
            images: other training images of the same shape.
        """
        setting, algorithm = self.setting, self.make_algorithm()
        if images is None:
            images = load(setting.data, "train", device, root)[: setting.num_train]
        decoder_seed, encoder_seed, fit_seed = (SEEDS_A_RUN * self.seed + i for i in range(3))
        components = self.hyperparameters.get("prior_components")
        model, encoder = make_networks(setting, images.event_shape, (decoder_seed, encoder_seed), device, components)
        return TrainingState.init(
            algorithm,
            model,
            images,
            generator=torch.Generator(device).manual_seed(fit_seed),
            encoder=encoder if algorithm.uses_encoder else None,
            batch_size=setting.batch_size,
            learning_rate=self._rate("learning_rate"),
            encoder_learning_rate=self._rate("encoder_learning_rate"),
        )

    def measure(self, state: TrainingState, split: str, *, root: Any = None) -> dict[str, float]:
        """All metrics of the present model on the validation or test split, see `pcltut.experiments.measure`."""
        device = str(state.generator.device)
        return measure(self.setting, state.model, state.encoder, split, seed=self.seed, device=device, root=root)

    @property
    def is_curve(self) -> bool:
        """Whether it is measured along the way, and not at its end alone."""
        return len(self.points) > 1

    def to_json(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        return to_json(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Run":
        """The run that `to_json` wrote."""
        try:
            setting = dict(content["setting"])
            budgets = {name: _budget(setting.pop(name)) for name in ("validation", "test")}
            setting = Setting(**{**setting, "hidden": tuple(setting["hidden"]), **budgets})
            lists = {name: tuple(content[name]) for name in ("points", "budgets")}
            return cls(**{**content, "setting": setting, **lists})
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"got no run ({error}), expected what `Run.to_json` gives; write it again") from None

    def _rate(self, name: str) -> float | Callable[[int], float]:
        value = self.hyperparameters.get(name, self.hyperparameters.get("learning_rate", 1e-3))
        value = real_number(name, value, above=0.0, remedy="raise it")
        schedule = self.hyperparameters.get("learning_rate_schedule", "constant")
        if one_of("learning_rate_schedule", schedule, SCHEDULES) == "constant":
            return value
        if not self.points:
            raise ValueError(f"got {schedule!r} in a run without points, expected the iteration where it ends; add it")
        return ScheduledRate(value, schedule, self.points[-1])


def _budget(content: Mapping[str, Any]) -> EvaluationBudget:
    return EvaluationBudget(**{**content, "scales": tuple(content.get("scales", ()))})


@dataclasses.dataclass(frozen=True)
class ScheduledRate:
    """A learning rate that falls from its initial value to the end of a run; a function of the iteration."""

    initial: float
    schedule: str
    last_iteration: int

    def __call__(self, iteration: int) -> float:
        """The rate in an iteration, counted from 0."""
        return self.initial * SCHEDULES[self.schedule](iteration / self.last_iteration)


def make_networks(
    setting: Setting,
    event_shape: tuple[int, ...],
    seeds: tuple[int, int],
    device: str,
    prior_components: int | None = None,
) -> tuple[GenerativeModel, GaussianEncoder]:
    """Model and encoder of a setting with fresh weights, each from a seed of its own."""
    make_decoder, make_encoder = NETWORKS[one_of("network", setting.network, NETWORKS)]
    shape = {"hidden": setting.hidden} if setting.network == "mlp" else {}
    likelihood = LIKELIHOODS[one_of("likelihood", setting.likelihood, LIKELIHOODS)](setting.initial_scale)
    decoder_generator, encoder_generator = (torch.Generator(device).manual_seed(seed) for seed in seeds)
    decoder = make_decoder(setting.latent_dim, event_shape, **shape, generator=decoder_generator)
    encoder = make_encoder(event_shape, setting.latent_dim, **shape, generator=encoder_generator)
    prior = None
    if prior_components is not None:
        prior = LearnedMixture(prior_components, setting.latent_dim, generator=decoder_generator)
    return GenerativeModel(decoder, likelihood, setting.latent_dim, prior).to(device), encoder

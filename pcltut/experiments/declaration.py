"""What an experiment is, as data: a setting, methods with their search spaces, seeds and a budget."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal

Value = float | int | str | None
AlgorithmName = Literal["vae", "iwae", "lpc", "pc", "hoffman"]


@dataclasses.dataclass(frozen=True)
class EvaluationBudget:
    """How thoroughly a model is measured on one split.

    Args:
        num_images: images whose log-evidence is estimated, the first of the split (0: no evidence).
        num_bridges: annealing steps of AIS from N(0, I) to the posterior.
        num_chains: weights an image.
        num_leapfrog: leapfrog steps of the HMC moves between two bridges.
        num_samples: decoder means of prior draws that are compared with as many images of the split (0: none).
        num_latents: training images whose refined latents a density is fitted to, whose draws are then compared, too
            (0: none).
        num_checked: of the images, the first, whose evidence is estimated with 300 and 3,000 bridges, too (0: none).
        scales: standard deviations s; decoder means at draws of N(0, s^2 I) are compared for each of them.
        second_features: another network that samples are judged on: "random-net" (28x28 gray, the feature net's
            architecture with random weights), or "none".
    """

    num_images: int = 64
    num_bridges: int = 100
    num_chains: int = 1
    num_leapfrog: int = 2
    num_samples: int = 1000
    num_latents: int = 0
    num_checked: int = 0
    scales: tuple[float, ...] = ()
    second_features: Literal["random-net", "none"] = "none"


@dataclasses.dataclass(frozen=True)
class Setting:
    """What all methods of an experiment share: data, networks, likelihood, and how results are measured.

    Args:
        hidden: widths of the hidden layers, `network="mlp"` only.
        initial_scale: sigma of the likelihood before training; it is learned.
        features: network whose features samples are judged on: "feature-net" (28x28 gray), "inception-v3" or "dinov2"
            (color), or "none".
        num_train: the first images of the training split; None for all.
        validation: what is spent at each point of the curve, on the validation split.
        test: what is spent at the budgets and at the best point, on the test split, in final runs only.
    """

    data: str = "fashion-mnist-mini"
    network: Literal["mlp", "conv"] = "mlp"
    hidden: tuple[int, ...] = (256, 256)
    latent_dim: int = 32
    likelihood: Literal["gaussian", "discretized"] = "gaussian"
    initial_scale: float = 0.4
    batch_size: int = 100
    features: Literal["feature-net", "inception-v3", "dinov2", "none"] = "feature-net"
    num_train: int | None = None
    validation: EvaluationBudget = EvaluationBudget()
    test: EvaluationBudget = EvaluationBudget(num_images=100, num_bridges=300, num_samples=2000)


@dataclasses.dataclass(frozen=True)
class Method:
    """One row of the tables: an algorithm, what is fixed, and what is searched.

    Hyperparameters are those of a `pcltut.experiments.Run`.

    Args:
        key: short name for files and the command line.
        name: name in tables.
        algorithm: "vae", "iwae", "lpc", "pc" (predictive coding) or "hoffman" (Hoffman, 2017).
        fixed: hyperparameters that no trial changes.
        guess: hyperparameters of runs where nothing is searched.
        search: for each searched hyperparameter a list of choices, or `(low, high, "log")`.
        tuned_as: key of the method of the experiment `tuned_in` whose chosen hyperparameters this one takes over, but
            for those that stand in `fixed`; its own key if empty.
        max_iterations: batches of a final run where the experiment gives no `updates`; its best point is sought up to
            there.
    """

    key: str
    name: str
    algorithm: AlgorithmName
    fixed: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    guess: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    search: Mapping[str, Sequence[Value]] = dataclasses.field(default_factory=dict)
    tuned_as: str = ""
    max_iterations: int = 1600


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A question, and all that must be run to answer it.

    Args:
        baseline: key of the method that the others are compared with, seed by seed.
        seeds: of the final runs; a seed decides initial weights, batches and noise.
        updates: the budget: optimizer steps of the decoder in every run, which is measured at its end alone. An update
            of incremental LPC is one state of a chain, of all others one batch. 0 where each method has a length of its
            own, with `budgets` and a `curve`.
        seconds: the budget in the place of `updates`: as many batches as the committed table of costs gives a method
            in that time, see `pcltut.experiments.budgets`.
        num_trials: quasi-random draws from each method's search space; 0 where nothing is searched.
        tuning_seed: seed of all trials, not one of `seeds`.
        refinement_seed: seed at which the best trial is compared with its neighbors, not one of the others.
        budgets: iterations at which final runs are measured on the test split.
        curve: iterations at which final runs are measured on the validation split, as far as a method goes.
        claimants: keys of methods of which one makes the claim against the baseline: the one whose chosen point has the
            highest validation log-evidence.
        tuned_in: name of an experiment whose search gives hyperparameters, see `Method.tuned_as`.
        notes: what a reader must know, printed above the tables.
    """

    name: str
    question: str
    setting: Setting
    methods: tuple[Method, ...]
    baseline: str = "vae"
    seeds: tuple[int, ...] = (1, 2, 3, 4, 5)
    updates: int = 0
    seconds: float = 0.0
    num_trials: int = 0
    tuning_seed: int = 0
    refinement_seed: int = 100
    budgets: tuple[int, ...] = (320, 1600)
    curve: tuple[int, ...] = (20, 40, 80, 160, 320, 480, 640, 960, 1280, 1600)
    claimants: tuple[str, ...] = ()
    tuned_in: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        keys = [method.key for method in self.methods]
        if len(set(keys)) < len(keys) or self.baseline not in keys:
            raise ValueError(f"got methods {keys}, expected different keys, {self.baseline!r} among them; rename one")
        if not self.budgets:
            raise ValueError(f"got no budgets in {self.name}, expected at least one iteration; give some")
        if not self.num_trials:
            return
        if len({*self.seeds, self.tuning_seed, self.refinement_seed}) < len(self.seeds) + 2:
            raise ValueError(
                f"got tuning_seed={self.tuning_seed} and refinement_seed={self.refinement_seed} with the final seeds "
                f"{self.seeds}, expected different ones; change them"
            )
        if not self.has_one_budget or not all(method.search for method in self.methods):
            raise ValueError(
                f"got num_trials={self.num_trials} in {self.name}, expected updates or seconds and a search space of "
                "each method; give them, or num_trials=0"
            )

    def method(self, key: str) -> Method:
        """The method of that key or name."""
        for method in self.methods:
            if key.lower() in (method.key, method.name.lower()):
                return method
        raise ValueError(f"got no method {key!r} in {self.name}, expected one of {', '.join(self.keys)}; choose one")

    @property
    def has_one_budget(self) -> bool:
        """Whether all methods have the same budget and are measured at its end alone."""
        return bool(self.updates or self.seconds)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of all methods, in the order of the tables."""
        return tuple(method.key for method in self.methods)

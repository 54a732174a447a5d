"""The comparison of LPC with the VAE: one experiment a budget, each method tuned for that budget by the same search.

Plain data, fixed before any test image was looked at. The rows stand in the order of their cost. Adam's rates decay by
a cosine to zero at the end of the budget. Chains have ten steps; so many decoder passes an update have VAE(10),
IWAE(10) and Hoffman's two trajectories of four leapfrog steps (one more pass at their start, one for the decoder).
"""

import dataclasses
from typing import Any

from pcltut.experiments.declaration import AlgorithmName, EvaluationBudget, Experiment, Method, Setting, Value

NUM_STEPS = 10
RATES = (5e-4, 2e-2, "log")
BOTH_RATES = {"learning_rate": RATES, "encoder_learning_rate": RATES}

# One and a half decades of step sizes around what worked in pilot runs on the validation split. Without M a Langevin
# step is a length squared in units of z, and follows the likelihood's learned variance down, since the curvature grows
# as that falls: gamma (sigma / sigma_0)^2, the same rule for every such row. A shared M follows in part by itself.
# Hoffman's leapfrog step is a length, and fixed: the Metropolis test refuses proposals that have become too long, it
# does not shorten the step, and at the end of 1,600 updates it refuses them all (chapter 9 says so).
PLAIN_STEPS = (1.5e-3, 4.7e-2, "log")
SCALED_STEPS = (2e-2, 6.3e-1, "log")
LEAPFROG_STEPS = (1e-2, 3.2e-1, "log")
TEMPERATURES = (1.0, 4.0, "log")
LENGTHS = (1, 2, 3, 5, 7, 10, 14, 20)  # of chains, where a budget in seconds lets them differ


def row(key: str, name: str, algorithm: AlgorithmName, search: dict, **fixed: Value) -> Method:
    """A method whose rates are searched and decay, and whatever else is searched."""
    return Method(key, name, algorithm, {"learning_rate_schedule": "cosine", **fixed}, search={**BOTH_RATES, **search})


def langevin(key: str, name: str, search: dict, **fixed: Value) -> Method:
    """A row of LPC with chains of ten steps from the encoder's draw."""
    return row(key, name, "lpc", search, num_steps=NUM_STEPS, **fixed)


PLAIN = {"warm_start": "reverse", "step_schedule": "variance"}
SHARED = {"warm_start": "reverse", "preconditioner": "batch"}
PLAIN_SEARCH, SHARED_SEARCH = {"step_size": PLAIN_STEPS}, {"step_size": SCALED_STEPS}

VAE = row("vae", "VAE", "vae", {})
INCREMENTAL = langevin(
    "lpc-incremental",
    "incremental LPC, reverse KL, shared M",
    {"learning_rate": (1e-4, 2e-2, "log"), **SHARED_SEARCH},
    **SHARED,
    incremental=True,
)
VAE_10 = row("vae-10", "VAE, 10 draws", "vae", {}, num_samples=NUM_STEPS)
IWAE_10 = row("iwae-10", "IWAE(10)", "iwae", {}, num_samples=NUM_STEPS)
HOFFMAN = row("hoffman", "Hoffman 2017", "hoffman", {"step_size": LEAPFROG_STEPS}, num_steps=2, num_leapfrog=4)
PC = langevin("pc", "PC from the encoder's draw, step ∝ σ²", PLAIN_SEARCH, **PLAIN, temperature=0.0)
REVERSE = langevin("lpc-reverse", "LPC, reverse KL, step ∝ σ²", PLAIN_SEARCH, **PLAIN)
REVERSE_SHARED = langevin("lpc-reverse-shared", "LPC, reverse KL, shared M", SHARED_SEARCH, **SHARED)
JEFFREYS_SHARED = langevin(
    "lpc-jeffreys-shared", "LPC, Jeffreys, shared M", SHARED_SEARCH, **{**SHARED, "warm_start": "jeffreys"}
)
TEMPERED = langevin(
    "lpc-tempered", "LPC, reverse KL, shared M, tau free", {**SHARED_SEARCH, "temperature": TEMPERATURES}, **SHARED
)

# The row that claims for LPC: of these the one that the search at 1,600 updates found best by its criterion.
CLAIMANTS = (REVERSE, REVERSE_SHARED, JEFFREYS_SHARED)
CLAIM = JEFFREYS_SHARED
FINALISTS = (VAE, INCREMENTAL, IWAE_10, HOFFMAN, CLAIM)
TEST = EvaluationBudget(
    num_images=500,
    num_bridges=100,
    num_samples=2000,
    num_latents=3000,
    scales=(0.3, 0.5, 0.7, 0.85, 1.0, 1.15, 1.3, 1.5, 2.0, 3.0),
    second_features="random-net",
)
SETTING = Setting(
    validation=EvaluationBudget(num_images=250, num_bridges=100, num_samples=1000),
    test=TEST,
)
OF_FINALISTS = dataclasses.replace(SETTING, test=dataclasses.replace(TEST, num_checked=50))
NOTES = (
    "Chosen by validation log-evidence alone. All rows at tau = 1 but PC (0) and the one where tau was searched.",
    "step ∝ σ²: without M the step size falls with the likelihood's learned variance.",
)


def compare(name: str, question: str, methods: tuple[Method, ...], **options: Any) -> Experiment:
    """A comparison of methods that are tuned alike."""
    options = {"setting": OF_FINALISTS, "num_trials": 12, "notes": NOTES, **options}
    return Experiment(name=name, question=question, methods=methods, **options)


def of_any_length(method: Method) -> Method:
    """The method with the length of its chains searched, too, where it has chains of Langevin steps."""
    if method.algorithm != "lpc":
        return method
    fixed = {name: value for name, value in method.fixed.items() if name != "num_steps"}
    return dataclasses.replace(method, fixed=fixed, search={**method.search, "num_steps": LENGTHS})


HEADLINE = compare(
    "headline",
    "What does LPC gain over a VAE in 1,600 updates, each method tuned for them by the same search?",
    (VAE, INCREMENTAL, VAE_10, IWAE_10, HOFFMAN, PC, REVERSE, REVERSE_SHARED, JEFFREYS_SHARED, TEMPERED),
    updates=1600,
    claimants=tuple(method.key for method in CLAIMANTS),
)
SHORT = compare("headline-320", "And in 320 updates, tuned for them?", FINALISTS, updates=320)
TIMED = compare("headline-30s", "And in 30 seconds of one core?", tuple(map(of_any_length, FINALISTS)), seconds=30.0)
LONG = compare(
    "headline-6400", "And where a decoder pass is an update, in 6,400 of them?", (VAE, INCREMENTAL), updates=6400
)
PRIORS = compare(
    "headline-prior",
    "And where the prior is learned, too?",
    tuple(
        dataclasses.replace(
            method,
            key=f"{method.key}-prior",
            name=f"{method.name}, learned prior",
            fixed={**method.fixed, "prior_components": 50},
        )
        for method in (VAE, CLAIM)
    ),
    baseline="vae-prior",
    updates=1600,
    notes=(*NOTES, "Their own prior stands in the place of N(0, I): a mixture of 50 Gaussians, learned with theta."),
)
BITS = compare(
    "headline-bits",
    "How many bits a pixel do the finalists need, trained again on binned pixels?",
    FINALISTS,
    updates=1600,
    num_trials=0,
    seeds=(1, 2, 3),
    tuned_in="headline",
    setting=dataclasses.replace(SETTING, likelihood="discretized"),
    notes=("Hyperparameters were searched for the Gaussian likelihood, not for this one.",),
)
# Of the 60,000 training images the last 5,000 are the validation split.
FULL = compare(
    "full",
    "Does it hold with all of Fashion-MNIST?",
    (VAE, INCREMENTAL, CLAIM),
    updates=6000,
    seeds=(1, 2, 3),
    setting=dataclasses.replace(OF_FINALISTS, data="fashion-mnist"),
)
CONV = compare(
    "conv",
    "Does it hold with convolutional networks?",
    (VAE, INCREMENTAL, dataclasses.replace(CLAIM, fixed={**CLAIM.fixed, "num_steps": 3})),
    updates=640,
    num_trials=8,
    seeds=(1, 2, 3),
    setting=dataclasses.replace(
        OF_FINALISTS,
        data="fashion-mnist",
        network="conv",
        validation=dataclasses.replace(SETTING.validation, num_images=100),
        test=dataclasses.replace(OF_FINALISTS.test, num_images=100),
    ),
)
GPU = compare(
    "headline-gpu",
    "And with chains of ten steps in convolutional networks, on all of Fashion-MNIST? For a GPU",
    FINALISTS,
    updates=3200,
    seeds=(1, 2, 3),
    setting=dataclasses.replace(
        CONV.setting,
        validation=dataclasses.replace(SETTING.validation, num_images=64, num_samples=2000),
        test=dataclasses.replace(OF_FINALISTS.test, num_images=100, num_bridges=300, num_samples=5000),
    ),
)
SIZES = tuple(
    compare(
        f"images-{num_train}",
        f"What do {num_train:,} training images change?",
        (VAE, CLAIM),
        updates=1600,
        num_trials=0,
        seeds=(1, 2, 3),
        tuned_in="headline",
        setting=dataclasses.replace(SETTING, data="fashion-mnist", num_train=num_train),
        notes=("Hyperparameters were searched on 9,000 images of the embedded set.",),
    )
    for num_train in (1000, 3000, 9000, 55_000)
)
COMPARISONS = (HEADLINE, SHORT, TIMED, LONG, PRIORS, BITS, FULL, CONV, GPU, *SIZES)

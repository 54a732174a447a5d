"""The comparison of LPC with the VAE: one experiment a budget, each method tuned for that budget by the same search.

Plain data, fixed before any test image was looked at. The rows stand in the order of their cost. Adam's rates decay by
a cosine to zero at the end of the budget. Chains have ten steps; so many decoder passes an update have VAE(10),
IWAE(10) and Hoffman's two trajectories of four leapfrog steps (one more pass at their start, one for the decoder).
"""

from pcltut.experiments.declaration import AlgorithmName, EvaluationBudget, Experiment, Method, Setting, Value

NUM_STEPS = 10
RATES = (5e-4, 2e-2, "log")
BOTH_RATES = {"learning_rate": RATES, "encoder_learning_rate": RATES}

# One and a half decades of step sizes around what worked in pilot runs on the validation split. Without M a Langevin
# step is a length squared in units of z, and follows the likelihood's learned variance down, since the curvature grows
# as that falls: gamma (sigma / sigma_0)^2, the same rule for every such row. A shared M follows by itself, and so does
# Hoffman's acceptance test; its leapfrog step is a length.
PLAIN_STEPS = (1.5e-3, 4.7e-2, "log")
SCALED_STEPS = (2e-2, 6.3e-1, "log")
LEAPFROG_STEPS = (1e-2, 3.2e-1, "log")
TEMPERATURES = (1.0, 4.0, "log")


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

SETTING = Setting(
    validation=EvaluationBudget(num_images=250, num_bridges=100, num_samples=1000),
    test=EvaluationBudget(num_images=500, num_bridges=100, num_samples=2000),
)

FAIR = Experiment(
    name="fair",
    question="What does LPC gain over a VAE in 1,600 updates, each method tuned for them by the same search?",
    setting=SETTING,
    methods=(
        VAE,
        INCREMENTAL,
        VAE_10,
        IWAE_10,
        HOFFMAN,
        PC,
        REVERSE,
        REVERSE_SHARED,
        JEFFREYS_SHARED,
        TEMPERED,
    ),
    updates=1600,
    num_trials=12,
    notes=(
        "Chosen by validation log-evidence alone. All rows at tau = 1 but PC (0) and the one where tau was searched.",
        "step ∝ σ²: without M the step size falls with the likelihood's learned variance.",
    ),
)

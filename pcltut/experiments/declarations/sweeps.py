"""One thing varied at a time, with the rest as the headline's search chose it."""

import dataclasses
from collections.abc import Iterable

from pcltut.experiments.declaration import Experiment, Method, Value
from pcltut.experiments.declarations.headline import HEADLINE

SHORT_CURVE = (80, 320, 800, 1600)
SEEDS = (1, 2, 3)


def like(key: str, suffix: str = "", name: str = "", **fixed: Value) -> Method:
    """A method of the headline as it was tuned there, but for the hyperparameters given."""
    method = HEADLINE.method(key)
    return dataclasses.replace(
        method,
        key=f"{key}{suffix}",
        name=f"{method.name}{name}",
        fixed={**method.fixed, **fixed},
        search={},
        tuned_as=key,
        max_iterations=1600,
    )


def sweep(key: str, field: str, values: Iterable[Value]) -> tuple[Method, ...]:
    """One method at several values of one hyperparameter."""
    label = field.replace("_", " ")
    return tuple(like(key, f"-{value:g}", f", {label} {value:g}", **{field: value}) for value in values)


def declare(name: str, question: str, methods: tuple[Method, ...]) -> Experiment:
    """An experiment with the headline's setting and tuned hyperparameters, three seeds, and the VAE beside it."""
    return Experiment(
        name,
        question,
        HEADLINE.setting,
        (like("vae"), *methods),
        seeds=SEEDS,
        curve=SHORT_CURVE,
        tuned_in="headline",
    )


WARM_STARTS = declare(
    "warm-starts",
    "Where should chains start, and what should fit the encoder, when chains are short or long?",
    tuple(
        like(key, f"{suffix}-t{num_steps}", f"{name}, T = {num_steps}", num_steps=num_steps, **fixed)
        for key, suffix, name, fixed in (
            ("lpc-prior", "", "", {}),
            ("lpc-prior", "-persistent", " and persistent", {"warm_start": "persistent"}),
            ("lpc-forward", "", "", {}),
            ("lpc-reverse", "", "", {}),
            ("lpc-jeffreys", "", "", {}),
        )
        for num_steps in (2, 5, 20)
    ),
)
STEP_SIZE = declare(
    "step-size",
    "How does the step size trade evidence for samples, with and without a preconditioner?",
    (
        *sweep("lpc-reverse", "step_size", (5e-4, 2e-3, 8e-3, 2e-2, 4e-2)),
        *sweep("lpc-reverse-shared", "step_size", (1e-2, 5e-2, 1e-1, 2e-1, 4e-1)),
    ),
)
TEMPERATURE = declare(
    "temperature",
    "What do chains that are colder or hotter than the posterior do to evidence and samples?",
    (
        *sweep("lpc-reverse", "temperature", (0.5, 1.0, 1.6, 2.5)),
        *sweep("lpc-reverse-shared", "temperature", (0.5, 1.0, 1.6, 2.5)),
    ),
)
NUM_STEPS = declare(
    "num-steps",
    "What does a longer chain buy, for each iteration and for each decoder evaluation?",
    (
        *sweep("lpc-reverse", "num_steps", (1, 2, 5, 10, 20)),
        *sweep("lpc-jeffreys-shared", "num_steps", (1, 2, 5, 10, 20)),
    ),
)
SWEEPS = (WARM_STARTS, STEP_SIZE, TEMPERATURE, NUM_STEPS)

"""One thing varied at a time, with the rest as the headline's search chose it; nothing is tuned anew."""

import dataclasses
from collections.abc import Iterable

from pcltut.experiments.declaration import Experiment, Method, Value
from pcltut.experiments.declarations.headline import HEADLINE, NOTES, SETTING, compare

STARTS = {  # of chains: name, the row that was tuned, what is changed
    "prior": ("prior start", "lpc-reverse-shared", {"warm_start": "prior", "accumulate": "after-burn-in"}),
    "persistent": ("persistent chains", "lpc-reverse-shared", {"warm_start": "persistent"}),
    "forward": ("forward KL", "lpc-reverse-shared", {"warm_start": "forward"}),
    "reverse": ("reverse KL", "lpc-reverse-shared", {}),
    "jeffreys": ("Jeffreys", "lpc-jeffreys-shared", {}),
}


def like(tuned_as: str, key: str = "", name: str = "", **fixed: Value) -> Method:
    """A method of the headline as it was tuned there, but for the hyperparameters given."""
    method = HEADLINE.method(tuned_as)
    return dataclasses.replace(
        method,
        key=key or method.key,
        name=name or method.name,
        fixed={**method.fixed, **fixed},
        search={},
        tuned_as=tuned_as,
    )


def sweep(key: str, field: str, values: Iterable[Value]) -> tuple[Method, ...]:
    """One method at several values of one hyperparameter."""
    name, label = HEADLINE.method(key).name, field.replace("_", " ")
    return tuple(like(key, f"{key}-{value:g}", f"{name}, {label} {value:g}", **{field: value}) for value in values)


def declare(name: str, question: str, methods: tuple[Method, ...]) -> Experiment:
    """An experiment with the headline's setting, budget and tuned hyperparameters, and the VAE beside it."""
    return compare(
        name,
        question,
        (like("vae"), *methods),
        updates=HEADLINE.updates,
        num_trials=0,
        seeds=(1, 2, 3),
        tuned_in=HEADLINE.name,
        setting=SETTING,
        notes=("What is varied was not tuned, nor the rest for it: no row makes a claim.", *NOTES[1:]),
    )


WARM_STARTS = declare(
    "warm-starts",
    "Where should chains start, and what should fit the encoder, when chains are short or long?",
    tuple(
        like(row, f"lpc-{start}-t{num_steps}", f"LPC, {name}, shared M, T = {num_steps}", num_steps=num_steps, **fixed)
        for start, (name, row, fixed) in STARTS.items()
        for num_steps in (2, 10)
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
    "What does a longer chain buy, for each update and for each decoder evaluation?",
    (
        *sweep("lpc-reverse", "num_steps", (1, 2, 5, 10, 20)),
        *sweep("lpc-jeffreys-shared", "num_steps", (1, 2, 5, 10, 20)),
    ),
)
SWEEPS = (WARM_STARTS, STEP_SIZE, TEMPERATURE, NUM_STEPS)

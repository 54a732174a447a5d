"""Experiments of a second or two; as a script, the command line with the tuned one declared."""

import dataclasses

from pcltut.experiments import EXPERIMENTS, EvaluationBudget, Experiment, Method, Setting

TINY = Experiment(
    name="tiny",
    question="Does it run?",
    setting=Setting(
        hidden=(8,),
        latent_dim=3,
        num_train=200,
        batch_size=50,
        validation=EvaluationBudget(4, 3, 1, 1, 20),
        test=EvaluationBudget(4, 4, 1, 1, 264),
    ),
    methods=(
        Method(
            "vae",
            "VAE",
            "vae",
            guess={"learning_rate": 3e-3},
            search={"learning_rate": (1e-3, 1e-2, "log"), "encoder_learning_rate": (1e-3, 1e-2)},
            max_iterations=14,
        ),
        Method(
            "lpc",
            "LPC, prior start",
            "lpc",
            fixed={"warm_start": "prior", "num_steps": 2},
            guess={"learning_rate": 3e-3, "step_size": 1e-3},
            search={"learning_rate": (1e-3, 1e-2, "log"), "step_size": (1e-4, 1e-2, "log")},
            max_iterations=10,
        ),
    ),
    seeds=(1, 2),
    budgets=(4, 8),
    curve=(2, 4, 6, 8, 10, 12, 14),
)
TUNED = dataclasses.replace(TINY, updates=6, num_trials=3, budgets=(6,))

if __name__ == "__main__":
    from pcltut.cli import app

    EXPERIMENTS[TUNED.name] = TUNED
    app(prog_name="python -m pcltut")

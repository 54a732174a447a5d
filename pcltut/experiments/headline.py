"""The headline comparison: which methods, which hyperparameters are searched and where, how long each may train.

Plain data, fixed before any test image was looked at. "guess" is trial 0 of a method's search and its fallback.
"""

from pcltut.experiments.declaration import Effort, Experiment, Method, Setting

LEARNING_RATES = (1e-3, 2e-3, 3e-3, 5e-3)
SHORT_CHAINS = (2, 5, 10)

# Steps of chains without a preconditioner are lengths squared in units of z; those of preconditioned ones are not.
PLAIN_STEPS = (1e-4, 3e-3, "log")
SCALED_STEPS = (3e-2, 3e-1, "log")

VAE = Method(
    key="vae",
    name="VAE",
    algorithm="vae",
    guess={"learning_rate": 3e-3, "encoder_learning_rate": 3e-3},
    search={"learning_rate": LEARNING_RATES, "encoder_learning_rate": LEARNING_RATES},
    max_iterations=6400,
)
IWAE = Method(
    key="iwae",
    name="IWAE(8)",
    algorithm="iwae",
    fixed={"num_samples": 8},
    guess={"learning_rate": 3e-3, "encoder_learning_rate": 3e-3},
    search={"learning_rate": LEARNING_RATES, "encoder_learning_rate": LEARNING_RATES},
    max_iterations=3200,
)
PC = Method(
    key="pc",
    name="PC (MAP)",
    algorithm="pc",
    guess={"learning_rate": 1e-3, "num_steps": 10, "step_size": 1e-3},
    search={"learning_rate": LEARNING_RATES, "num_steps": (10, 20), "step_size": (3e-4, 1e-2, "log")},
)
HOFFMAN = Method(
    key="hoffman",
    name="Hoffman 2017",
    algorithm="hoffman",
    fixed={"num_leapfrog": 2},
    guess={"learning_rate": 3e-3, "num_steps": 3, "step_size": 0.03},
    search={"learning_rate": LEARNING_RATES, "num_steps": (1, 3, 5), "step_size": (1e-2, 1e-1, "log")},
)


def lpc(start: str, name: str, *, shared: bool = False) -> Method:
    """LPC from one start, with or without a preconditioner that the batch shares."""
    has_encoder = start in ("reverse", "forward", "jeffreys")
    steps = SCALED_STEPS if shared else PLAIN_STEPS
    encoder_rate = {"encoder_learning_rate": LEARNING_RATES} if has_encoder else {}
    return Method(
        key=f"lpc-{start}-shared" if shared else f"lpc-{start}",
        name=name,
        algorithm="lpc",
        fixed={"warm_start": start, "preconditioner": "batch" if shared else "none"},
        guess={
            "learning_rate": 3e-3,
            **({"encoder_learning_rate": 3e-3} if has_encoder else {}),
            "num_steps": 5 if has_encoder else 10,
            "step_size": 0.15 if shared else 4e-4,
            "accumulate": "all" if has_encoder else "burn-in",
        },
        search={
            "learning_rate": LEARNING_RATES,
            **encoder_rate,
            "num_steps": SHORT_CHAINS if has_encoder else (10, 20),
            "step_size": steps,
            "accumulate": ("all", "burn-in"),
        },
    )


HEADLINE = Experiment(
    name="headline",
    question="Is LPC better than a VAE at equal iterations, equal decoder evaluations, equal time, and at its best?",
    setting=Setting(),
    methods=(
        VAE,
        IWAE,
        PC,
        HOFFMAN,
        lpc("prior", "LPC, prior start"),
        lpc("persistent", "LPC, persistent chains"),
        lpc("forward", "LPC, forward KL"),
        lpc("reverse", "LPC, reverse KL"),
        lpc("jeffreys", "LPC, Jeffreys"),
        lpc("reverse", "LPC, reverse KL, shared M", shared=True),
        lpc("jeffreys", "LPC, Jeffreys, shared M", shared=True),
    ),
    num_trials=6,
    curve=(20, 40, 80, 160, 320, 480, 640, 960, 1280, 1600, 2400, 3200, 4800, 6400),
)

STARTS = {
    "prior": "prior start",
    "forward": "forward KL",
    "reverse": "reverse KL",
    "jeffreys": "Jeffreys",
    "persistent": "persistent chains",
}
# Kernel and preconditioner: name, hyperparameters. A Metropolis test needs a preconditioner that does not adapt
# (an adaptive one breaks the test, and LPC refuses it), so MALA stands in the grid without one.
KERNELS = {
    "none": ("", {"preconditioner": "none", "step_size": 4e-4}),
    "datum": (", M per datum", {"preconditioner": "chain", "step_size": 0.05}),
    "shared": (", shared M", {"preconditioner": "batch", "step_size": 0.15}),
    "mala": (", MALA", {"kernel": "mala", "step_size": 4e-4}),
}


def grid() -> tuple[Method, ...]:
    """Every start with every kernel."""
    return tuple(
        Method(
            key=f"lpc-{start}-{kernel}",
            name=f"LPC, {start_name}{kernel_name}",
            algorithm="lpc",
            fixed={"warm_start": start, **values},
            guess={"learning_rate": 1e-3, "num_steps": 5},
        )
        for start, start_name in STARTS.items()
        for kernel, (kernel_name, values) in KERNELS.items()
    )


def without_search(method: Method, max_iterations: int, **guess: float) -> Method:
    """A method with the hyperparameters of its guess, but for those given."""
    return Method(
        method.key,
        method.name,
        method.algorithm,
        method.fixed,
        {**method.guess, **guess},
        max_iterations=max_iterations,
    )


HEADLINE_GPU = Experiment(
    name="headline-gpu",
    question="The same on all of Fashion-MNIST with convolutional networks, for every start, preconditioner and kernel",
    setting=Setting(
        data="fashion-mnist",
        network="conv",
        batch_size=100,
        validation=Effort(num_images=64, num_bridges=100, num_samples=2000),
        test=Effort(num_images=100, num_bridges=300, num_samples=5000),
    ),
    methods=(
        without_search(VAE, 3200, learning_rate=1e-3, encoder_learning_rate=1e-3),
        without_search(IWAE, 1600, learning_rate=1e-3, encoder_learning_rate=1e-3),
        without_search(PC, 1600),
        without_search(HOFFMAN, 1600, learning_rate=1e-3),
        *grid(),
    ),
    seeds=(1, 2, 3),
    curve=(80, 320, 800, 1600, 3200),
    notes=(
        "MALA runs without a preconditioner: one that adapts breaks its Metropolis test, and LPC refuses it.",
        "Hyperparameters were set, not searched: the declared guesses.",
    ),
)

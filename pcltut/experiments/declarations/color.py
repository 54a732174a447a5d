"""The paper's image sets, with the closest known network. One command each, where the data can be downloaded.

Known of the paper (Zahid, Guo and Fountas, 2024): the data sets, a comparison with a VAE of the same decoder, a
discretized Gaussian likelihood of learned variance, FID, density and coverage. Known from a replication (Sennesh et
al., 2024): latent size 40, the layers of the convolutional nets, batches of 64, Adam at 1e-3. Ours is the rest: no
batch normalization, T, step sizes, decays, number of iterations, and the evaluation's budgets.
"""

from pcltut.experiments.declaration import EvaluationBudget, Experiment, Method, Setting

NOTES = (
    "The paper's: data, likelihood, the VAE as rival, FID, density, coverage. From a replication: networks, latent 40, "
    "batch 64, Adam 1e-3.",
    "Ours: no batch normalization, T, step sizes, numbers of iterations; log-evidence by AIS.",
)


def lpc(start: str, name: str, preconditioner: str, step_size: float) -> Method:
    """One of the color rows of LPC."""
    return Method(
        key=f"lpc-{start}" if preconditioner == "none" else f"lpc-{start}-{preconditioner}",
        name=name,
        algorithm="lpc",
        fixed={"warm_start": start, "preconditioner": preconditioner},
        guess={"learning_rate": 1e-3, "num_steps": 10, "step_size": step_size},
        max_iterations=16_000,
    )


def color(data: str) -> Experiment:
    """The comparison on one color set; the feature network is Inception-v3, so that the Fréchet distance is FID."""
    rate = {"learning_rate": 1e-3}
    return Experiment(
        name=f"color-{data}",
        question=f"LPC and VAE on {data} with convolutional networks",
        setting=Setting(
            data=data,
            network="conv",
            latent_dim=40,
            likelihood="discretized",
            batch_size=64,
            features="inception-v3",
            validation=EvaluationBudget(num_images=64, num_bridges=200, num_samples=5000),
            test=EvaluationBudget(num_images=100, num_bridges=500, num_samples=10_000),
        ),
        methods=(
            Method("vae", "VAE", "vae", guess=rate, max_iterations=16_000),
            Method("iwae", "IWAE(8)", "iwae", fixed={"num_samples": 8}, guess=rate, max_iterations=16_000),
            lpc("reverse", "LPC, reverse KL", "none", 1e-4),
            lpc("jeffreys", "LPC, Jeffreys", "none", 1e-4),
            lpc("jeffreys", "LPC, Jeffreys, M per datum", "datum", 0.02),
            lpc("jeffreys", "LPC, Jeffreys, shared M", "batch", 0.1),
        ),
        seeds=(1, 2, 3),
        budgets=(1600, 16_000),
        curve=(320, 1600, 4000, 8000, 16_000),
        notes=NOTES,
    )


COLOR = tuple(color(data) for data in ("cifar10", "svhn", "celeba64"))

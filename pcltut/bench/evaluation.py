"""What measuring a model costs, in milliseconds, and beside the passes or products it is made of."""

import statistics
from collections.abc import Callable, Iterator

import torch

from pcltut.bench.problems import Problem
from pcltut.bench.table import Row
from pcltut.bench.timing import Ratio, compare, synchronizer
from pcltut.evaluation import ais_log_evidence, density_coverage, frechet_distance, load_feature_net

NUM_BRIDGES, NUM_LEAPFROG, NUM_IMAGES = 20, 2, 1000


def measures(threads: int, rounds: int, device: str) -> Iterator[Row]:
    """AIS a bridge, distances of 1,000 samples, and their features."""
    problem = Problem("", "mlp", (1, 28, 28), 100, device=device)
    model, generator = problem.model, problem.generator
    network = load_feature_net().to(device)
    images = torch.rand(NUM_IMAGES, 1, 28, 28, generator=generator, device=device)
    with torch.no_grad():
        real, fake = network(images), network(images.flip(0).roll(3, -1))

    def ais() -> None:
        walk = {"num_bridges": NUM_BRIDGES, "num_chains": 1, "num_leapfrog": NUM_LEAPFROG}
        ais_log_evidence(model, problem.x, generator=generator, **walk)

    def score_passes() -> None:
        for _ in range(2 * (NUM_BRIDGES - 1) * NUM_LEAPFROG):  # the pilot's, and as many for the weights
            problem.score_pass()

    def features() -> None:
        with torch.no_grad():
            network(images)

    pairs: dict[str, tuple[Callable[[], object], Callable[[], object], str]] = {
        f"AIS, {NUM_BRIDGES} bridges, 100 images": (ais, score_passes, "bare score passes"),
        "density and coverage": (
            lambda: density_coverage(real, fake),
            lambda: [torch.cdist(a, b) for a, b in ((real.double(), real.double()), (real.double(), fake.double()))],
            "two matrices of distances",
        ),
        "Frechet distance": (
            lambda: frechet_distance(real, fake),
            lambda: torch.linalg.eigh(real.double().t() @ real.double()),
            "one eigendecomposition",
        ),
    }
    for name, (work, reference, what) in pairs.items():
        found = compare({"work": work, "reference": reference}, rounds, synchronize=synchronizer(device))
        ratio = Ratio.of([a / b for a, b in zip(found["work"], found["reference"], strict=True)])
        yield Row("g", name, threads, ratio, None, 1e3 * statistics.median(found["work"]), f"beside {what}")
    seconds = compare({"features": features}, rounds, synchronize=synchronizer(device))["features"]
    yield Row("g", f"features of {NUM_IMAGES} images", threads, milliseconds=1e3 * statistics.median(seconds))

"""How good a model is: log-evidence, and samples compared with images."""

import functools
import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pcltut import data
from pcltut.data import Images
from pcltut.evaluation import (
    ais_log_evidence,
    bdmc,
    bits_per_dimension,
    density_coverage,
    fit_latent_density,
    frechet_distance,
    frechet_distance_extrapolated,
    load_color_features,
    load_feature_net,
    reference_quality,
    refined_latents,
)
from pcltut.experiments.declaration import EvaluationBudget, Setting
from pcltut.models import GaussianEncoder, GenerativeModel

SEEDS_A_RUN = 5  # weights of decoder and encoder, training, measurements on validation and on test
CHUNK = 500  # images that are decoded at once
PARTS = 4  # smallest parts in the extrapolation of the Frechet distance
REFERENCE_IMAGES = 20_000
GAP_IMAGES = 16  # images that a model draws to find its BDMC gap


class Metric(NamedTuple):
    """How a metric stands in tables; `larger_is_better` is None for a description, neither better nor worse."""

    title: str
    larger_is_better: bool | None
    decimals: int


METRICS = {
    "log_evidence": Metric("log-evidence", True, 1),
    "bdmc_gap": Metric("BDMC gap", None, 1),
    "bits_per_dimension": Metric("bits/dim", False, 3),
    "frechet": Metric("Frechet", False, 1),
    "frechet_extrapolated": Metric("Frechet (inf)", False, 1),
    "density": Metric("density", True, 3),
    "coverage": Metric("coverage", True, 3),
    "frechet_fitted": Metric("Frechet (fitted)", False, 1),
    "coverage_fitted": Metric("coverage (fitted)", True, 3),
    "encoder_scale": Metric("encoder std", None, 3),
    "sigma": Metric("sigma", None, 3),
}


def measure(
    setting: Setting,
    model: GenerativeModel,
    encoder: GaussianEncoder | None,
    split: str,
    *,
    seed: int,
    device: str = "cpu",
    root: Any = None,
) -> dict[str, float]:
    """All metrics of a model on the validation or the test split.

    Log-evidence is the mean over images of AIS from the prior, the same for every method, with or without encoder: a
    lower bound in expectation, in nats an image; on the test split the BDMC gap says how far off it may be on images
    that the model draws itself. Frechet distance, density and coverage compare the decoder's means at
    prior draws (no pixel noise) with images, on the setting's features. Noise depends on the seed alone, not on the
    method.

    Args:
        seed: of the run.
    """
    budget = setting.test if split == "test" else setting.validation
    generator = torch.Generator(device).manual_seed(SEEDS_A_RUN * seed + (4 if split == "test" else 3))
    images = load(setting.data, split, device, root)
    found: dict[str, float] = {"sigma": model.likelihood.scale.item()}
    if encoder is not None:
        with torch.no_grad():
            found["encoder_scale"] = encoder(images[: max(budget.num_images, CHUNK)].as_float()).scale.mean().item()
    if budget.num_images:
        found |= evidence(
            setting, model, images[: budget.num_images], budget, generator=generator, final=split == "test"
        )
    if budget.num_samples and setting.features != "none":
        found |= samples(setting, model, images, budget, generator=generator, final=split == "test")
        if budget.num_latents:
            train = load(setting.data, "train", device, root)[: setting.num_train][: budget.num_latents]
            found |= fitted_samples(setting, model, encoder, train, images, budget, generator=generator)
    return found


def evidence(
    setting: Setting,
    model: GenerativeModel,
    images: Images,
    budget: EvaluationBudget,
    *,
    generator: torch.Generator,
    final: bool,
) -> dict[str, float]:
    """Mean log-evidence by AIS, in nats an image; for binned pixels also in bits a pixel; in final tests BDMC's gap."""
    walk = {
        "num_bridges": budget.num_bridges,
        "num_chains": budget.num_chains,
        "num_leapfrog": budget.num_leapfrog,
        "generator": generator,
    }
    found = ais_log_evidence(model, images.as_float(), **walk).log_evidence
    values = {"log_evidence": found.mean().item()}
    if setting.likelihood == "discretized":
        values["bits_per_dimension"] = bits_per_dimension(found, images.event_shape).mean().item()
    if final:
        values["bdmc_gap"] = bdmc(model, min(GAP_IMAGES, budget.num_images), **walk).gap
    return values


def samples(
    setting: Setting,
    model: GenerativeModel,
    images: Images,
    budget: EvaluationBudget,
    *,
    generator: torch.Generator,
    final: bool,
) -> dict[str, float]:
    """Distances between images and the decoder's means at as many prior draws; extrapolated in final tests."""
    real = _real_features(setting.features, images, min(budget.num_samples, len(images)))
    z = model.sample_prior(len(real), generator=generator)
    fake = _decoded_features(setting.features, model, z)
    if not bool(torch.isfinite(fake).all()):
        return dict.fromkeys(("frechet", "density", "coverage"), math.nan)
    density, coverage = density_coverage(real, fake)
    values = {"frechet": frechet_distance(real, fake), "density": density, "coverage": coverage}
    if final and len(real) // PARTS > real.shape[1]:
        values["frechet_extrapolated"] = frechet_distance_extrapolated(real, fake, generator=generator, max_parts=PARTS)
    return values


def fitted_samples(
    setting: Setting,
    model: GenerativeModel,
    encoder: GaussianEncoder | None,
    train: Images,
    images: Images,
    budget: EvaluationBudget,
    *,
    generator: torch.Generator,
) -> dict[str, float]:
    """As `samples`, at draws of the density fitted to training images' refined latents; nan where there is none."""
    real = _real_features(setting.features, images, min(budget.num_samples, len(images)))
    missing = dict.fromkeys(("frechet_fitted", "coverage_fitted"), math.nan)
    latents = refined_latents(model, encoder, train.as_float(), generator=generator)
    if not bool(torch.isfinite(latents).all()):
        return missing
    z = fit_latent_density(latents).sample(len(real), generator=generator)
    fake = _decoded_features(setting.features, model, z)
    if not bool(torch.isfinite(fake).all()):
        return missing
    coverage = density_coverage(real, fake)[1]
    return {"frechet_fitted": frechet_distance(real, fake), "coverage_fitted": coverage}


def references(setting: Setting, device: str = "cpu", root: Any = None) -> dict[str, dict[str, float]]:
    """The floor and the ceiling of the sample metrics on the test split, from `reference_quality`."""
    if not setting.test.num_samples or setting.features == "none":
        return {}
    test, train = (load(setting.data, split, device, root) for split in ("test", "train"))
    num = min(setting.test.num_samples, len(test), len(train))
    rows = reference_quality(
        feature_network(setting.features, device),
        train[:REFERENCE_IMAGES].as_float(),
        test[:num].as_float(),
        num,
        generator=torch.Generator(device).manual_seed(0),
    )
    return {name: row._asdict() for name, row in rows.items()}


@functools.lru_cache(maxsize=8)
def load(name: str, split: str, device: str, root: Any = None) -> Images:
    """A split on its device, kept for the next run in the same process."""
    return data.load(name, split, root).to(device)


@functools.lru_cache(maxsize=2)
def feature_network(name: str, device: str) -> torch.nn.Module:
    """The network whose features samples are judged on, kept for the next run in the same process."""
    return load_feature_net().to(device) if name == "feature-net" else load_color_features(name, device)


@functools.lru_cache(maxsize=8)
def _real_features(name: str, images: Images, num: int) -> Tensor:
    with torch.no_grad():
        return feature_network(name, str(images.device))(images[:num].as_float())


@torch.no_grad()
def _decoded_features(name: str, model: GenerativeModel, z: Tensor) -> Tensor:
    network = feature_network(name, str(z.device))
    return torch.cat([network(model.decode(part)) for part in z.split(CHUNK)])

"""How a model's samples compare with images: drawn from which density over z, seen through which network."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pcltut.data import Images
from pcltut.evaluation import (
    density_coverage,
    fit_latent_density,
    frechet_distance,
    frechet_distance_extrapolated,
    huddled_images,
    kernel_distance,
    pixel_gaussian_samples,
    precision_recall,
    refined_latents,
)
from pcltut.experiments.declaration import EvaluationBudget, Setting
from pcltut.experiments.sources import decoded, feature_network, features_of, load
from pcltut.models import GaussianEncoder, GenerativeModel

PARTS = 4  # smallest parts in the extrapolation of the Fréchet distance
REFERENCE_IMAGES = 20_000
MEASURES = ("frechet", "density", "coverage")
ALL_MEASURES = (*MEASURES, "frechet_extrapolated", "kernel_distance", "precision", "recall")
CURVES = (*MEASURES, "precision", "recall")  # over the prior's scale


class Judge(NamedTuple):
    """Images, and how samples are compared with as many of them.

    Args:
        networks: what features samples are judged on, each with the ending of its metrics' names.
        measures: those of `ALL_MEASURES` that are wanted.
    """

    images: Images
    num_samples: int
    networks: dict[str, str]
    measures: tuple[str, ...]
    generator: torch.Generator

    def metrics(self, model: GenerativeModel, z: Tensor) -> dict[str, float]:
        """All metrics of the decoder's means at z (no pixel noise); nan where they are not finite."""
        x = decoded(model, z)
        found = {}
        for ending, network in self.networks.items():
            real = features_of(network, self.images, self.num_samples)
            with torch.no_grad():
                fake = feature_network(network, str(x.device))(x)
            compared = compare(real, fake, self.measures, generator=self.generator)
            found |= {f"{name}{ending}": value for name, value in compared.items()}
        return found


def compare(
    real: Tensor, fake: Tensor, measures: Sequence[str] = ALL_MEASURES, *, generator: torch.Generator
) -> dict[str, float]:
    """Measures of two sets of features; too few of them have no extrapolated Fréchet distance."""
    if len(real) // PARTS <= real.shape[1]:
        measures = [name for name in measures if name != "frechet_extrapolated"]
    if not bool(torch.isfinite(fake).all()):
        return dict.fromkeys(measures, math.nan)
    found: dict[str, float] = {}
    if "frechet" in measures:
        found["frechet"] = frechet_distance(real, fake)
    if "frechet_extrapolated" in measures:
        found["frechet_extrapolated"] = frechet_distance_extrapolated(real, fake, generator=generator, max_parts=PARTS)
    if "kernel_distance" in measures:
        found["kernel_distance"] = kernel_distance(real, fake)
    if "density" in measures or "coverage" in measures:
        found["density"], found["coverage"] = density_coverage(real, fake)
    if "precision" in measures or "recall" in measures:
        found["precision"], found["recall"] = precision_recall(real, fake)
    return found


def judge_of(
    setting: Setting,
    budget: EvaluationBudget,
    images: Images,
    measures: tuple[str, ...] = ALL_MEASURES,
    *,
    generator: torch.Generator,
) -> Judge:
    """How the setting judges samples."""
    networks = {"": setting.features}
    if budget.second_features != "none":
        networks["_second"] = budget.second_features
    return Judge(images, min(budget.num_samples, len(images)), networks, measures, generator)


def fitted_prior(
    model: GenerativeModel,
    encoder: GaussianEncoder | None,
    train: Images,
    *,
    refined: bool = True,
    generator: torch.Generator,
) -> GenerativeModel | None:
    """The model under a density fitted to training images' latents; None where they are not finite."""
    steps = {} if refined else {"num_steps": 0}
    latents = refined_latents(model, encoder, train.as_float(), **steps, generator=generator)
    if not bool(torch.isfinite(latents).all()):
        return None
    return GenerativeModel(model.decoder, model.likelihood, model.latent_dim, fit_latent_density(latents))


def over_scales(
    model: GenerativeModel, judges: dict[str, Judge], scales: Sequence[float], *, generator: torch.Generator
) -> dict[str, Any]:
    """Metrics of the decoder's means at draws of N(0, s^2 I), the same draws for each scale s, on each split."""
    found: dict[str, Any] = {"scale": list(scales)}
    for split, judge in judges.items():
        judge = judge._replace(networks={"": judge.networks[""]}, measures=CURVES)
        z = model.sample_prior(judge.num_samples, generator=generator)
        rows = [judge.metrics(model, scale * z) for scale in scales]
        found[split] = {name: [row[name] for row in rows] for name in CURVES}
    return found


def class_shares(model: GenerativeModel, z: Tensor) -> list[float]:
    """Shares of the ten classes of Fashion-MNIST among decoder means, by the feature network."""
    with torch.no_grad():
        labels = feature_network("feature-net", str(z.device)).logits(decoded(model, z)).argmax(-1)
    return (labels.bincount(minlength=10).double() / len(labels)).tolist()


def nearness(judge: Judge, network: str, model: GenerativeModel, z: Tensor, train: Images) -> float:
    """Mean distance of decoder means to the nearest training image, divided by that of the judge's images.

    Far below 1 where a model repeats its training images.
    """
    net, num = feature_network(network, str(z.device)), judge.num_samples
    with torch.no_grad():
        fake, of_train = net(decoded(model, z)), features_of(network, train, len(train))
    real = features_of(network, judge.images, num)
    nearest = [torch.cdist(each.double(), of_train.double()).amin(1).mean() for each in (fake, real)]
    return (nearest[0] / nearest[1]).item()


def references(setting: Setting, device: str = "cpu", root: Any = None) -> dict[str, dict[str, float]]:
    """What real images, images without structure, and images that huddle get for the metrics on the test split."""
    if not setting.test.num_samples or setting.features == "none":
        return {}
    test, train = (load(setting.data, split, device, root) for split in ("test", "train"))
    num = min(setting.test.num_samples, len(test), len(train))
    generator = torch.Generator(device).manual_seed(0)
    train, network = train[:REFERENCE_IMAGES], feature_network(setting.features, device)
    x, labels = train.as_float(), train.labels
    rows = {"training images": x[:num], "pixel Gaussian": pixel_gaussian_samples(x, num, generator=generator)}
    if setting.data.startswith("fashion"):
        rows |= huddled_images(x, labels, num)
    real = features_of(setting.features, test, num)
    with torch.no_grad():
        return {name: compare(real, network(images), generator=generator) for name, images in rows.items()}

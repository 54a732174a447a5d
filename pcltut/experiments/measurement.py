"""How good a model is: log-evidence, and samples compared with images."""

import dataclasses
import math
from typing import Any, NamedTuple

import torch

from pcltut.data import Images
from pcltut.evaluation import ais_log_evidence, bdmc, bits_per_dimension
from pcltut.experiments.declaration import EvaluationBudget, Setting
from pcltut.experiments.samples import (
    ALL_MEASURES,
    MEASURES,
    Judge,
    class_shares,
    fitted_prior,
    judge_of,
    nearness,
    over_scales,
)
from pcltut.experiments.sources import CHUNK, load
from pcltut.models import GaussianEncoder, GenerativeModel

SEEDS_A_RUN = 5  # weights of decoder and encoder, training, measurements on validation and on test
GAP_IMAGES = 16  # images that a model draws to find its BDMC gap
CHECK_BRIDGES = (300, 3000)  # of the images whose evidence is measured more thoroughly
EACH = "log_evidence_each"  # of all images, one by one


class Metric(NamedTuple):
    """How a metric stands in tables; `larger_is_better` is None for a description, neither better nor worse."""

    title: str
    larger_is_better: bool | None
    decimals: int


SAMPLE_METRICS = {
    "frechet": Metric("Fréchet", False, 1),
    "frechet_extrapolated": Metric("Fréchet (inf)", False, 1),
    "kernel_distance": Metric("kernel", False, 3),
    "precision": Metric("precision", True, 3),
    "recall": Metric("recall", True, 3),
    "density": Metric("density", True, 3),
    "coverage": Metric("coverage", True, 3),
}
SAMPLERS = {"": "N(0, I)", "_fitted": "fitted", "_draws": "fitted to draws"}
NETWORKS = {"": "", "_second": ", 2nd net"}
METRICS = {
    "log_evidence": Metric("log-evidence", True, 1),
    "bdmc_gap": Metric("BDMC gap", None, 1),
    "log_evidence_checked": Metric("of the checked", True, 1),
    **{f"log_evidence_{num}": Metric(f"{num:,} bridges", True, 1) for num in CHECK_BRIDGES},
    "log_evidence_fitted": Metric("log-evidence (fitted)", True, 1),
    "bdmc_gap_fitted": Metric("BDMC gap (fitted)", None, 1),
    "bits_per_dimension": Metric("bits/dim", False, 3),
    **{
        f"{name}{sampler}{network}": metric._replace(
            title=metric.title + (f" ({sampler_title}{network_title})" if sampler or network else "")
        )
        for sampler, sampler_title in SAMPLERS.items()
        for network, network_title in NETWORKS.items()
        for name, metric in SAMPLE_METRICS.items()
    },
    "components": Metric("components", None, 0),
    "nearest_training": Metric("to training / test's", None, 3),
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
) -> dict[str, Any]:
    """All metrics of a model on the validation or the test split.

    Log-evidence is the mean over images of AIS from N(0, I), the same for every method, with or without encoder: a
    lower bound in expectation, in nats an image; on the test split the BDMC gap says how far off it may be on images
    that the model draws itself. Samples are the decoder's means (no pixel noise) at draws of N(0, I) and, where the
    budget says so, of the density fitted to training images' latents; they are compared with images on the setting's
    features. Noise depends on the seed alone, not on the method.

    Args:
        seed: of the run.
    """
    final = split == "test"
    budget = setting.test if final else setting.validation
    generator = torch.Generator(device).manual_seed(SEEDS_A_RUN * seed + (4 if final else 3))
    images = load(setting.data, split, device, root)
    found: dict[str, Any] = {"sigma": model.likelihood.scale.item()}
    if encoder is not None:
        with torch.no_grad():
            found["encoder_scale"] = encoder(images[: max(budget.num_images, CHUNK)].as_float()).scale.mean().item()
    if budget.num_images:
        found |= evidence(setting, model, images[: budget.num_images], budget, generator=generator, final=final)
    if not budget.num_samples or setting.features == "none":
        return found
    judge = judge_of(setting, budget, images, ALL_MEASURES if final else MEASURES, generator=generator)
    found |= judge.metrics(model, model.sample_prior(judge.num_samples, generator=generator))
    if budget.num_latents:
        train = load(setting.data, "train", device, root)[: setting.num_train][: budget.num_latents]
        found |= fitted(setting, model, encoder, train, judge, budget, final=final)
    if budget.scales:
        validation = load(setting.data, "validation", device, root)
        judges = {
            "validation": judge_of(setting, setting.validation, validation, generator=generator),
            split: judge,
        }
        found["over_scales"] = over_scales(model, judges, budget.scales, generator=generator)
    return found


def evidence(
    setting: Setting,
    model: GenerativeModel,
    images: Images,
    budget: EvaluationBudget,
    *,
    generator: torch.Generator,
    final: bool,
) -> dict[str, Any]:
    """Mean log-evidence by AIS, in nats an image; for binned pixels also in bits a pixel.

    In final tests also each image's own, BDMC's gap, and the mean over the first images with more bridges.
    """
    walk = {"num_chains": budget.num_chains, "num_leapfrog": budget.num_leapfrog, "generator": generator}

    def estimate(images: Images, num_bridges: int) -> torch.Tensor:
        return ais_log_evidence(model, images.as_float(), num_bridges=num_bridges, **walk).log_evidence

    found = estimate(images, budget.num_bridges)
    values: dict[str, Any] = {"log_evidence": found.mean().item()}
    if setting.likelihood == "discretized":
        values["bits_per_dimension"] = bits_per_dimension(found, images.event_shape).mean().item()
    if final:
        values["bdmc_gap"] = bdmc(model, min(GAP_IMAGES, budget.num_images), num_bridges=budget.num_bridges, **walk).gap
        values[EACH] = found.tolist()
    if budget.num_checked:
        values["log_evidence_checked"] = found[: budget.num_checked].mean().item()
        for num_bridges in CHECK_BRIDGES:
            checked = estimate(images[: budget.num_checked], num_bridges)
            values[f"log_evidence_{num_bridges}"] = checked.mean().item()
    return values


def fitted(
    setting: Setting,
    model: GenerativeModel,
    encoder: GaussianEncoder | None,
    train: Images,
    judge: Judge,
    budget: EvaluationBudget,
    *,
    final: bool,
) -> dict[str, Any]:
    """Samples of the density fitted to training images' refined latents; nan where there is none.

    In final tests also the evidence under it, how far its samples are from training images, and samples of a density
    fitted to the encoder's draws alone.
    """
    generator, num = judge.generator, judge.num_samples
    under_it = fitted_prior(model, encoder, train, generator=generator)
    if under_it is None:
        return {"frechet_fitted": math.nan, "coverage_fitted": math.nan}
    z = under_it.sample_prior(num, generator=generator)
    found: dict[str, Any] = _renamed(judge.metrics(model, z), "_fitted")
    found["components"] = len(under_it.prior.weights)
    if not final:
        return found
    found["nearest_training"] = nearness(judge, setting.features, model, z, train)
    images, once = judge.images[: budget.num_images], dataclasses.replace(budget, num_checked=0)
    if budget.num_images:
        values = evidence(setting, under_it, images, once, generator=generator, final=True)
        found |= {f"{name}_fitted": values[name] for name in ("log_evidence", "bdmc_gap")}
        found["log_evidence_fitted_each"] = values[EACH]
    if encoder is not None:
        draws = fitted_prior(model, encoder, train, refined=False, generator=generator)
        if draws is not None:
            found |= _renamed(judge.metrics(model, draws.sample_prior(num, generator=generator)), "_draws")
    if setting.features == "feature-net":
        prior = model.sample_prior(num, generator=generator)
        found |= {"classes": class_shares(model, prior), "classes_fitted": class_shares(model, z)}
    return found


def _renamed(metrics: dict[str, float], sampler: str) -> dict[str, float]:
    """The same metrics for draws of another density; a second network's ending stays last."""
    return {
        f"{name.removesuffix('_second')}{sampler}{'_second' if name.endswith('_second') else ''}": value
        for name, value in metrics.items()
    }

"""Sample quality in one call, and what it gives real images, images without structure, and images that huddle."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from pcltut.arguments import whole_number
from pcltut.evaluation.features import check_images
from pcltut.evaluation.frechet import frechet_distance, frechet_distance_extrapolated
from pcltut.evaluation.neighbors import density_coverage
from pcltut.noise import standard_normal

NEIGHBORS = 20  # whose mean is one huddled image


class SampleQuality(NamedTuple):
    """How far samples are from real images, on the features of one network."""

    frechet: float
    frechet_extrapolated: float  # to infinitely many samples
    density: float
    coverage: float


def sample_quality(
    real: Float[Tensor, "n features"], fake: Float[Tensor, "m features"], *, generator: torch.Generator
) -> SampleQuality:
    """Fréchet distance, the same extrapolated, density and coverage (5 neighbors).

    Args:
        real: features of images that no model was trained on.
        fake: features of samples.
        generator: draws the partitions of `frechet_distance_extrapolated`.
    """
    return SampleQuality(
        frechet_distance(real, fake),
        frechet_distance_extrapolated(real, fake, generator=generator),
        *density_coverage(real, fake),
    )


def pixel_gaussian_samples(
    x: Float[Tensor, "n c h w"], num_samples: int, *, generator: torch.Generator
) -> Float[Tensor, "samples c h w"]:
    """Images whose pixels are independent normal numbers with each pixel's mean and deviation in `x`, cut to [-1, 1].

    What a model draws that knows each pixel and not how pixels go together. Worse is possible.
    """
    num_samples = whole_number("num_samples", num_samples)
    check_images(x, (None, None, None))
    if len(x) < 2 or not bool(torch.isfinite(x).all()):
        raise ValueError(
            f"got {len(x)} images, {int(x.isfinite().flatten(1).all(1).sum())} of them finite, expected 2 or more, all "
            "finite; a pixel's deviation needs them"
        )
    noise = standard_normal((num_samples, *x.shape[1:]), generator=generator).to(x)
    return (x.mean(0) + x.std(0) * noise).clamp(-1, 1)


def huddled_images(
    x: Float[Tensor, "n c h w"], labels: Int64[Tensor, " n"], num_samples: int
) -> dict[str, Float[Tensor, "samples c h w"]]:
    """Images that no one would take for a sample of the data, and that huddle where the data are dense.

    "mean image" and "mean of class 0": one image again and again. "means of 20 neighbors": each image's mean over
    itself and the 19 nearest to it, pixel by pixel. A measure that prefers them to what they are made of rewards
    huddling, as density does.
    """
    num_samples = whole_number("num_samples", num_samples)
    if len(x) < max(num_samples, NEIGHBORS) or not bool((labels == 0).any()):
        raise ValueError(
            f"got {len(x)} images, {int((labels == 0).sum())} of them of class 0, expected num_samples={num_samples} "
            f"and {NEIGHBORS} or more, one of class 0 among them; pass more images"
        )
    neighbors = torch.cdist(x[:num_samples].flatten(1), x.flatten(1)).topk(NEIGHBORS, largest=False).indices
    return {
        "mean image": x.mean(0, keepdim=True).expand(num_samples, *x.shape[1:]),
        "mean of class 0": x[labels == 0].mean(0, keepdim=True).expand(num_samples, *x.shape[1:]),
        "means of 20 neighbors": torch.stack([x[each].mean(0) for each in neighbors]),
    }


@torch.no_grad()
def reference_quality(
    network: nn.Module,
    train: Float[Tensor, "n c h w"],
    test: Float[Tensor, "m c h w"],
    num_samples: int,
    *,
    generator: torch.Generator,
) -> dict[str, SampleQuality]:
    """The two rows that belong beside every table of sample quality.

    "training images": as many training images in the place of samples, the floor (a model that only remembers its
    training images gets it too). "pixel Gaussian": `pixel_gaussian_samples` of the training images.

    Args:
        network: images to features, such as `load_feature_net()`.
        train: training images, of which the first `num_samples` stand for samples.
        test: the images that samples are compared with.
        num_samples: how many samples the other rows of the table use.
    """
    num_samples = whole_number("num_samples", num_samples, at_least=2)
    if num_samples > len(train):
        raise ValueError(f"num_samples: got {num_samples}, but only {len(train)} training images; take fewer samples")
    real = network(test)
    rows = {
        "training images": train[:num_samples],
        "pixel Gaussian": pixel_gaussian_samples(train, num_samples, generator=generator),
    }
    return {name: sample_quality(real, network(images), generator=generator) for name, images in rows.items()}

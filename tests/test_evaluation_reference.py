"""The two ends of the scale of sample quality, and the networks for color images."""

import sys
from urllib.error import URLError

import pytest
import torch
from oracles import normal, seeded
from torch import nn

from pcltut import data
from pcltut.data.torchvision_compat import import_torchvision
from pcltut.evaluation import (
    ColorFeatures,
    density_coverage,
    frechet_distance,
    frechet_distance_extrapolated,
    load_color_features,
    load_feature_net,
    pixel_gaussian_samples,
    reference_quality,
    sample_quality,
)


def test_sample_quality_is_its_parts():
    real, fake = normal(300, 5, seed=1), 1.2 * normal(200, 5, seed=2)
    quality = sample_quality(real, fake, generator=seeded(3))
    assert quality.frechet == pytest.approx(frechet_distance(real, fake))
    extrapolated = frechet_distance_extrapolated(real, fake, generator=seeded(3))
    assert quality.frechet_extrapolated == pytest.approx(extrapolated)
    assert (quality.density, quality.coverage) == density_coverage(real, fake)


def test_pixel_gaussian_samples_have_the_pixels_moments_and_nothing_else():
    x = torch.stack([torch.full((1, 2, 2), -0.3), torch.full((1, 2, 2), 0.1)]).repeat(500, 1, 1, 1)
    samples = pixel_gaussian_samples(x, 20_000, generator=seeded(0)).double()
    assert samples.shape == (20_000, 1, 2, 2)
    error = 0.2 / 20_000**0.5
    assert (samples.mean(0) + 0.1).abs().max() < 4.5 * error
    assert (samples.std(0) - 0.2).abs().max() < 4.5 * error / 2**0.5 + 2e-4
    correlation = samples.flatten(1).T.corrcoef() - torch.eye(4)
    assert correlation.abs().max() < 4.5 / 20_000**0.5  # in x all pixels are equal
    assert pixel_gaussian_samples(10 * x, 100, generator=seeded(0)).abs().max() == 1


@pytest.mark.slow
def test_reference_values_on_fashion_mnist():
    """Floor and ceiling enclose every table: real images near density 1 and a small distance, noise far from both."""
    train = data.load("fashion-mnist-mini", "train").as_float()
    test = data.load("fashion-mnist-mini", "test").as_float()
    rows = reference_quality(load_feature_net(), train, test, 2000, generator=seeded(0))
    floor, ceiling = rows["training images"], rows["pixel Gaussian"]
    assert floor.frechet_extrapolated < floor.frechet < 0.1 * ceiling.frechet
    assert abs(floor.density - 1) < 0.15
    assert floor.coverage > 0.9 > 0.2 > ceiling.coverage
    with pytest.raises(ValueError, match=r"num_samples: got 3000, but only 2000 training images"):
        reference_quality(load_feature_net(), test, test, 3000, generator=seeded(0))


class Recorder(nn.Module):
    """Notes what a pretrained network would be given."""

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor]:
        self.seen = pixels
        return (pixels.flatten(1).float(),)


def test_color_images_reach_the_network_as_the_values_of_an_image_file():
    """x = 2 k / 255 - 1 comes back as k, for all 256 values; what lies outside [-1, 1] is cut."""
    x = (2 * torch.arange(256) / 255 - 1).reshape(1, 1, 16, 16).repeat(2, 3, 1, 1)
    network = ColorFeatures(Recorder())
    assert network(x).shape == (2, 3 * 256)
    assert network.extractor.seen.dtype == torch.uint8
    assert torch.equal(network.extractor.seen[0, 0].flatten().long(), torch.arange(256))
    network(3 * x)
    assert network.extractor.seen.max() == 255


@pytest.mark.parametrize("name", ["inception-v3", "dinov2"])
def test_color_networks_offline_or_without_their_library(name, monkeypatch, no_shape_checks):
    def offline(*args, **kwargs):
        raise URLError("no\nroute")

    import_torchvision()
    import torch_fidelity.feature_extractor_inceptionv3 as inception

    monkeypatch.setattr(inception, "load_state_dict_from_url", offline)
    monkeypatch.setattr(torch.hub, "load", offline)
    with pytest.raises(ValueError, match=r"could not be downloaded \(<urlopen error no route>\); connect to") as error:
        load_color_features(name)
    assert "\n" not in str(error.value)
    monkeypatch.setitem(sys.modules, "torch_fidelity.utils", None)
    with pytest.raises(
        ValueError, match=rf'{name}: needs the library torch-fidelity; run `pip install "torch-fidelity>=0.4"`'
    ):
        load_color_features(name)
    with pytest.raises(ValueError, match="got 'clip', expected one of inception-v3, dinov2"):
        load_color_features("clip")

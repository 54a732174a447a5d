"""Features of color images: Inception-v3 for FID, DINOv2 for FDD, from the library torch-fidelity."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pcltut.data.torchvision_compat import import_torchvision
from pcltut.evaluation.features import check_images

BATCH = 100  # images that go through the network at once
EXTRACTORS = {"inception-v3": ("inception-v3-compat", "2048"), "dinov2": ("dinov2-vit-l-14", "dinov2")}


class ColorFeatures(nn.Module):
    """A pretrained network of torch-fidelity that takes images in [-1, 1]; see `load_color_features`."""

    def __init__(self, extractor: nn.Module) -> None:
        super().__init__()
        self.extractor = extractor

    @torch.no_grad()
    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n features"]:
        """Features, from pixels rounded to the 256 values of an image file; NaN for images that hold one."""
        check_images(x, (3, None, None))
        lost = x.isnan().flatten(1).any(1)  # as bytes they would be some color
        pixels = ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        features = torch.cat([self.extractor(part)[0] for part in pixels.split(BATCH)]).flatten(1)
        return features.masked_fill(lost[:, None], torch.nan)


def load_color_features(name: str, device: torch.device | str = "cpu") -> ColorFeatures:
    """A network for color images: "inception-v3" (2,048 features) or "dinov2" (the ViT-L/14, 1,024 features).

    The Fréchet distance on the first is FID (Heusel et al., 2017), on the second FDD (Stein et al., 2023). Library and
    weights are not part of what this package installs: `pip install "torch-fidelity>=0.4"`; the weights (96 MB, and
    1.2 GB) are downloaded at the first call into torch's hub folder, DINOv2 together with its authors' code.

    Raises:
        ValueError: the name is unknown, the library is not installed, or the weights cannot be had.
    """
    if name not in EXTRACTORS:
        raise ValueError(f"name: got {name!r}, expected one of {', '.join(EXTRACTORS)}")
    import_torchvision()
    try:
        from torch_fidelity.utils import create_feature_extractor
    except ImportError as error:
        raise ValueError(
            f'{name}: needs the library torch-fidelity; run `pip install "torch-fidelity>=0.4"`'
        ) from error
    extractor, layer = EXTRACTORS[name]
    try:
        with torch.random.fork_rng(devices=[]):  # the library draws weights before it loads them
            network = create_feature_extractor(extractor, [layer], cuda=False, verbose=False)
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{name}: its weights are not in {torch.hub.get_dir()} and could not be downloaded ({reason}); connect to "
            "the internet once, or copy that folder from a machine that has it"
        ) from error
    return ColorFeatures(network).to(device)

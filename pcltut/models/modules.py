"""What no network of a model may contain."""

from torch import nn
from torch.nn.modules.dropout import _DropoutNd


def check_no_randomness(network: nn.Module, what: str) -> None:
    """Raise ValueError if a layer draws random numbers of its own, from torch's global state.

    A decoder with dropout has another density in each pass; an encoder with dropout trains to other weights when it
    resumes. Layers of torch that can draw, with a probability of zero, are fine.
    """
    for name, module in network.named_modules():
        probability = module.p if isinstance(module, _DropoutNd) else getattr(module, "dropout", 0.0)
        draws = isinstance(probability, int | float) and probability > 0
        if draws or isinstance(module, nn.RReLU | nn.FractionalMaxPool2d | nn.FractionalMaxPool3d):
            raise ValueError(
                f"got {what} with {type(module).__name__} at '{name}', expected one without random layers (they draw "
                "from torch's global state); remove it or set its probability to 0"
            )

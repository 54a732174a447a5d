"""What a training run is given, and whether it goes together: algorithm, networks, data and a generator."""

import torch
from torch import Tensor, nn

from pcltut.data import Images
from pcltut.models import DiagonalGaussian, GenerativeModel
from pcltut.noise import check_generator
from pcltut.training.algorithm import Algorithm
from pcltut.training.gradients import trained_parameters


def check_arguments(
    algorithm: Algorithm,
    model: GenerativeModel,
    encoder: nn.Module | None,
    data: Images | Tensor,
    *,
    generator: torch.Generator,
) -> None:
    """Raise ValueError unless these go together."""
    check_generator(generator=generator)
    if isinstance(algorithm, type) or not hasattr(algorithm, "updates"):
        raise ValueError(
            f"got algorithm={algorithm!r}, expected one such as VAE() or LPC(...); make it with its settings"
        )
    if not trained_parameters(model):
        raise ValueError("got a model without trained parameters, expected at least one; set requires_grad on them")
    if any(parameter.is_inference() for parameter in (*trained_parameters(model), *trained_parameters(encoder))):
        raise ValueError("got weights made in inference_mode, expected ordinary ones; build the networks outside of it")
    if algorithm.uses_encoder and encoder is None:
        raise ValueError(f"got no encoder, expected one for {algorithm}; pass encoder=mlp_encoder(...)")
    if not algorithm.uses_encoder and encoder is not None:
        raise ValueError(f"got an encoder, expected none for {algorithm}; leave it out (it would not be trained)")
    first = data[:1].as_float().to(model.dtype) if isinstance(data, Images) else data
    model.check_data(first)
    if len(data) == 0:
        raise ValueError("got no data, expected at least one image; pass a split that is not empty")
    devices = {"model": next(model.parameters()).device, "data": data.device, "generator": generator.device}
    if len({device.type for device in devices.values()}) > 1:
        found = ", ".join(f"{name} on {device}" for name, device in devices.items())
        raise ValueError(f"got {found}, expected one device; move them with .to(device) or Generator(device)")
    if encoder is not None:
        _check_encoder(model, encoder, first[:1])


@torch.no_grad()
def _check_encoder(model: GenerativeModel, encoder: nn.Module, x: Tensor) -> None:
    """Raise ValueError unless the encoder gives a law over this model's latents for these images."""
    was_training = encoder.training
    try:
        q = encoder.eval()(x)
    except (RuntimeError, ValueError, AttributeError, IndexError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"got an encoder that fails on these images ({reason}), expected one of {model.dtype} for images of shape "
            f"{tuple(x.shape[1:])} on {x.device}; build it for them, and move it with .to(...)"
        ) from error
    finally:
        encoder.train(was_training)
    if not isinstance(q, DiagonalGaussian) or q.mean.shape[-1] != model.latent_dim:
        found = f"{q.mean.shape[-1]} latents" if isinstance(q, DiagonalGaussian) else type(q).__name__
        raise ValueError(
            f"got an encoder that gives {found}, expected a DiagonalGaussian of {model.latent_dim} latents, like the "
            "model; build both with one latent_dim"
        )

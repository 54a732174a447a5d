"""Sums of theta-gradients multiplied into place: equal to what autograd gives, for any way a weight is used."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from pcltut.models import Gaussian, GenerativeModel, conv_decoder, mlp_decoder, mlp_encoder
from pcltut.models.networks import draw_weights, empty_layer
from pcltut.training import LPC
from pcltut.training.gradients import MeanGradient, joint_target, scaled
from pcltut.training.outer_products import KeepOuterProducts

LATENT_DIM, BATCH = 3, 4


class Tied(nn.Module):
    """One weight used twice by linear layers, once as a matrix, and once in a penalty-like bias."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.square = nn.Parameter(torch.randn(LATENT_DIM, LATENT_DIM, generator=generator))
        self.shift = nn.Parameter(torch.randn(LATENT_DIM, generator=generator))

    def forward(self, z: Tensor) -> Tensor:
        once = functional.linear(z, self.square, self.shift).tanh()
        twice = functional.linear(input=once, weight=self.square)
        return twice @ self.square + self.shift


def linear(num_out: int, generator: torch.Generator, **options: bool) -> nn.Linear:
    return draw_weights(
        empty_layer(nn.Linear, LATENT_DIM, num_out, generator=generator, **options), generator=generator
    )


def decoders(generator: torch.Generator) -> dict[str, nn.Module]:
    plain = mlp_decoder(LATENT_DIM, (5,), hidden=(6, 7), generator=generator)
    frozen = mlp_decoder(LATENT_DIM, (5,), hidden=(6,), generator=generator)
    frozen[0].weight.requires_grad_(False)
    unbiased = nn.Sequential(linear(4, generator, bias=False), nn.SiLU(), nn.LayerNorm(4))
    normed = nn.utils.parametrizations.weight_norm(linear(5, generator))
    conv = conv_decoder(LATENT_DIM, (1, 28, 28), hidden=8, channels=(4, 4, 2, 2), generator=generator)
    return {
        "mlp": plain,
        "frozen": frozen,
        "no bias": unbiased,
        "weight norm": normed,
        "tied": Tied(generator),
        "conv": conv,
    }


@pytest.mark.parametrize("chains", [(), (2,)])
@pytest.mark.parametrize("name", ["mlp", "frozen", "no bias", "weight norm", "tied", "conv"])
def test_mean_gradient_is_autograds(name: str, chains: tuple[int, ...]) -> None:
    """Three states, in double precision, against one backward pass of their mean log-joint."""
    generator = torch.Generator().manual_seed(0)
    decoder = decoders(generator)[name].double()
    model = GenerativeModel(decoder, Gaussian(0.5), LATENT_DIM).double()
    theta = [parameter for parameter in model.parameters() if parameter.requires_grad]
    states = torch.randn(3, *chains, BATCH, LATENT_DIM, generator=generator, dtype=torch.float64)
    x = torch.randn(BATCH, *decoder(states[0]).shape[states.ndim - 2 :], generator=generator, dtype=torch.float64)
    target, total = joint_target(model, x, theta), MeanGradient(theta)
    for z in states:
        log_joint, score, *terms = target(z)
        leaf = z.clone().requires_grad_()
        torch.testing.assert_close(score, torch.autograd.grad(model.log_joint(x, leaf).sum(), leaf)[0])
        total.add(log_joint, terms)
    mean = torch.stack([model.log_joint(x, z).mean() for z in states]).mean()
    for found, expected in zip(total.descent(), torch.autograd.grad(-mean, theta), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)


def test_a_new_sum_begins_after_descent() -> None:
    """The second state's gradient alone, whatever the buffer held."""
    generator = torch.Generator().manual_seed(1)
    model = GenerativeModel(mlp_decoder(LATENT_DIM, (5,), hidden=(6,), generator=generator), Gaussian(0.5), LATENT_DIM)
    theta = list(model.parameters())
    x, z = torch.randn(BATCH, 5, generator=generator), torch.randn(2, BATCH, LATENT_DIM, generator=generator)
    target, both, alone = joint_target(model, x, theta), MeanGradient(theta), MeanGradient(theta)
    for log_joint, _, *terms in map(target, z):
        both.add(log_joint, terms)
        second = [gradient.clone() for gradient in both.descent()]
    alone.add(log_joint, terms)
    assert all(map(torch.equal, second, alone.descent()))


def test_layers_keep_the_factors_alone() -> None:
    """No matrix of the weight's size is made: its factors have a row for each image."""
    layer = linear(5, torch.Generator().manual_seed(0))
    with KeepOuterProducts([layer.weight]) as kept:
        out = layer(torch.ones(BATCH, LATENT_DIM))
    bias, weight = torch.autograd.grad(out.sum(), (layer.bias, layer.weight), allow_unused=True)
    (factor,) = kept.factors[layer.weight]
    assert weight is None and torch.equal(bias, torch.full((5,), float(BATCH)))
    assert factor.delta.shape == (BATCH, 5) and factor.input.shape == (BATCH, LATENT_DIM)


def test_autocast_is_left_alone() -> None:
    """In reduced precision autograd casts the gradient back to the weight's type itself."""
    layer = linear(5, torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16), KeepOuterProducts([layer.weight]) as kept:
        out = layer(torch.ones(BATCH, LATENT_DIM))
    (weight,) = torch.autograd.grad(out.float().sum(), (layer.weight,))
    assert weight.dtype == torch.float32 and not kept.factors[layer.weight]


def test_gradients_that_share_memory_are_scaled_once() -> None:
    """Autograd gives both terms of a sum one tensor, and a broadcast term a view without memory of its own."""
    a, b, c = (torch.ones(3, requires_grad=True) for _ in range(3))
    gradients = torch.autograd.grad(((a + b) * torch.arange(3.0)).sum() + c.sum(), (a, b, c))
    assert all(map(torch.equal, scaled(gradients, 2.0), [2 * torch.arange(3.0)] * 2 + [torch.full((3,), 2.0)]))
    alone = torch.autograd.grad((a * torch.arange(3.0)).sum(), (a,))
    assert scaled(alone, 2.0)[0] is alone[0] and torch.equal(alone[0], 2 * torch.arange(3.0))


class Kept:
    """A tensor kept for a backward pass, which counts itself while it lives."""

    now = peak = 0

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        Kept.now += tensor.nbytes
        Kept.peak = max(Kept.peak, Kept.now)

    def __del__(self) -> None:
        Kept.now -= self.tensor.nbytes


def test_memory_does_not_grow_with_the_chain() -> None:
    """Bytes of all tensors that autograd keeps at the worst moment, for chains of 1, 10 and 100 steps."""
    generator, peaks = torch.Generator().manual_seed(2), []
    model = GenerativeModel(mlp_decoder(LATENT_DIM, (5,), hidden=(6,), generator=generator), Gaussian(0.5), LATENT_DIM)
    encoder = mlp_encoder((5,), LATENT_DIM, hidden=(6,), generator=generator)
    x = torch.randn(BATCH, 5, generator=generator)
    for num_steps in (1, 10, 100):
        Kept.peak = Kept.now
        with torch.autograd.graph.saved_tensors_hooks(Kept, lambda kept: kept.tensor):
            LPC(num_steps, 1e-3).gradients(model, encoder, x, generator=generator)
        peaks.append(Kept.peak)
    assert peaks[0] == peaks[1] == peaks[2] > 0

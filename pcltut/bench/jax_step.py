"""The same training step in JAX, jitted as a whole: the chain by scan, theta-gradients summed along, Adam by optax.

Networks are read from torch's layers, so that both compute the same numbers; images lie channels last, as XLA likes
them on processors.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import torch
from torch import nn

from pcltut.bench.problems import Problem

Layer = Callable[[Any, jax.Array], jax.Array]
LAYOUT = ("NHWC", "HWIO", "NHWC")


class Draws(NamedTuple):
    """The noise of a step: of the encoder's draw `[batch, latent]`, and of the chain `[T, batch, latent]`."""

    start: jax.Array
    chain: jax.Array


def network(modules: Sequence[nn.Module]) -> tuple[list[Any], Callable]:
    """Weights and function of a chain of layers."""
    weights, layers = zip(*map(layer, modules), strict=True)

    def apply(parameters: Sequence[Any], x: jax.Array) -> jax.Array:
        for own, function in zip(parameters, layers, strict=True):
            x = function(own, x)
        return x

    return list(weights), apply


def layer(module: nn.Module) -> tuple[Any, Layer]:
    """Weights and function of one of torch's layers."""
    if isinstance(module, nn.Linear):
        return (array(module.weight.t()), array(module.bias)), lambda own, x: x @ own[0] + own[1]
    if isinstance(module, nn.Conv2d):
        padding, stride = [(module.padding[0],) * 2] * 2, module.stride
        return (
            array(module.weight.permute(2, 3, 1, 0)),
            array(module.bias),
        ), lambda own, x: jax.lax.conv_general_dilated(x, own[0], stride, padding, dimension_numbers=LAYOUT) + own[1]
    if isinstance(module, nn.ConvTranspose2d):  # a convolution of the image spread out, with the kernel turned round
        padding, stride = [(module.kernel_size[0] - 1 - module.padding[0],) * 2] * 2, module.stride
        return (
            (array(module.weight.flip(2, 3).permute(2, 3, 0, 1)), array(module.bias)),
            lambda own, x: (
                jax.lax.conv_general_dilated(x, own[0], (1, 1), padding, lhs_dilation=stride, dimension_numbers=LAYOUT)
                + own[1]
            ),
        )
    if isinstance(module, nn.SiLU):
        return (), lambda own, x: jax.nn.silu(x)
    if isinstance(module, nn.Tanh):
        return (), lambda own, x: jnp.tanh(x)
    if isinstance(module, nn.Unflatten):
        shape = module.unflattened_size
        return (), lambda own, x: x.reshape(-1, *shape).transpose(0, 2, 3, 1)
    if isinstance(module, nn.Flatten):
        return (), lambda own, x: x.transpose(0, 3, 1, 2).reshape(len(x), -1)
    raise ValueError(f"got a layer {module}, expected linear, convolutional or their activations; add it here")


def array(tensor: torch.Tensor) -> jax.Array:
    """A copy."""
    return jnp.array(tensor.detach().contiguous().numpy())


class JaxTraining:
    """Reverse-KL LPC: both networks' gradients of one batch, then one Adam step of each."""

    def __init__(self, problem: Problem, num_steps: int, step_size: float, learning_rate: float = 1e-3) -> None:
        pixels = problem.x.permute(0, 2, 3, 1)
        theta, decode = network(list(problem.model.decoder))
        phi, encode = network(list(problem.encoder.network))
        self.x, self.shape = array(pixels), (num_steps, problem.batch, problem.latent_dim)
        self.weights = ((theta, array(problem.model.likelihood.log_scale)), phi)
        self.adam = optax.adam(learning_rate)
        self.moments = tuple(map(self.adam.init, self.weights))
        self.key = jax.random.key(0)

        def log_joint(z: jax.Array, theta: Any) -> jax.Array:
            weights, log_scale = theta
            loc = decode(weights, z)
            if problem.network == "mlp":
                channels, *sides = problem.event
                loc = loc.reshape(-1, channels, *sides).transpose(0, 2, 3, 1)
            residual = (self.x - loc) * jnp.exp(-log_scale)
            normalizer = pixels[0].numel() * (log_scale + 0.5 * jnp.log(2 * jnp.pi))
            return -0.5 * (residual**2).sum() - len(self.x) * normalizer - 0.5 * (z**2).sum()

        def draw(phi: Any, noise: jax.Array) -> tuple[jax.Array, jax.Array]:
            mean, log_scale = jnp.split(encode(phi, self.x), 2, -1)
            return mean + jnp.exp(log_scale) * noise, log_scale.sum()

        def gradients(weights: Any, draws: Draws) -> tuple[Any, Any]:
            theta, phi = weights
            (z_0, _), pull_back = jax.vjp(lambda phi: draw(phi, draws.start), phi)

            def step(carry: tuple, noise: jax.Array) -> tuple[tuple, jax.Array]:
                z, total = carry
                score, gradient = jax.grad(log_joint, (0, 1))(z, theta)
                moved = z + step_size * score + (2 * step_size) ** 0.5 * noise
                return (moved, jax.tree.map(jnp.add, total, gradient)), score

            (_, total), scores = jax.lax.scan(step, (z_0, jax.tree.map(jnp.zeros_like, theta)), draws.chain)
            (descent,) = pull_back((-scores[0] / len(z_0), jnp.asarray(-1.0 / len(z_0))))
            return jax.tree.map(lambda each: -each / (len(z_0) * num_steps), total), descent

        def update(weights: Any, moments: Any, key: jax.Array) -> tuple[Any, Any, jax.Array]:
            key, first, second = jax.random.split(key, 3)
            draws = Draws(jax.random.normal(first, self.shape[1:]), jax.random.normal(second, self.shape))
            pairs = zip(gradients(weights, draws), moments, weights, strict=True)
            steps = [self.adam.update(*each) for each in pairs]
            moved = tuple(optax.apply_updates(old, step) for old, (step, _) in zip(weights, steps, strict=True))
            return moved, tuple(moment for _, moment in steps), key

        self.gradients = jax.jit(gradients)
        self._update = jax.jit(update, donate_argnums=(0, 1, 2))

    def step(self) -> None:
        """One update, finished."""
        self.weights, self.moments, self.key = self._update(self.weights, self.moments, self.key)
        jax.block_until_ready(self.weights)

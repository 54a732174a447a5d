"""What is measured on: networks, a batch of random pixels, and the passes that nothing can do without."""

import dataclasses

import torch
from torch import Tensor

from pcltut.models import (
    Gaussian,
    GaussianEncoder,
    GenerativeModel,
    conv_decoder,
    conv_encoder,
    mlp_decoder,
    mlp_encoder,
)
from pcltut.noise import standard_normal

LATENT_DIM, HIDDEN, SCALE = 32, (512, 512), 0.3


@dataclasses.dataclass(eq=False)
class Problem:
    """Networks with fresh weights and a batch; what a `bare` pass computes is the limit that rows are held against."""

    name: str
    network: str
    event: tuple[int, ...]
    batch: int
    latent_dim: int = LATENT_DIM
    device: str = "cpu"

    def __post_init__(self) -> None:
        generator = torch.Generator(self.device).manual_seed(0)
        if self.network == "mlp":
            decoder = mlp_decoder(self.latent_dim, self.event, hidden=HIDDEN, generator=generator)
            encoder = mlp_encoder(self.event, self.latent_dim, hidden=HIDDEN, generator=generator)
        else:
            decoder = conv_decoder(self.latent_dim, self.event, generator=generator)
            encoder = conv_encoder(self.event, self.latent_dim, generator=generator)
        self.generator = generator
        self.model: GenerativeModel = GenerativeModel(decoder, Gaussian(SCALE), self.latent_dim).to(self.device)
        self.encoder: GaussianEncoder = encoder
        self.x = torch.rand(self.batch, *self.event, generator=generator, device=self.device) * 2 - 1
        self.z = standard_normal((self.batch, self.latent_dim), generator=generator)
        self.noise = standard_normal((self.batch, self.latent_dim), generator=generator)

    def fused_pass(self) -> tuple[Tensor, ...]:
        """Forward and backward pass of the log-joint, for z and theta at once."""
        z = self.z.detach().requires_grad_()
        return torch.autograd.grad(self.model.log_joint(self.x, z).sum(), (z, *self.model.parameters()))

    def score_pass(self) -> tuple[Tensor, ...]:
        """The same for z alone."""
        z = self.z.detach().requires_grad_()
        return torch.autograd.grad(self.model.log_joint(self.x, z).sum(), (z,))

    def encoder_pass(self) -> tuple[Tensor, ...]:
        """Forward and backward pass of the encoder."""
        q = self.encoder(self.x)
        return torch.autograd.grad((q.sample(self.noise) + q.log_scale).sum(), list(self.encoder.parameters()))

    def bare(self, num_steps: int) -> None:
        """The passes of a training step with T states."""
        for _ in range(num_steps):
            self.fused_pass()
        self.encoder_pass()


def problems(device: str = "cpu") -> tuple[Problem, ...]:
    """MLP and convolutions, on gray images of 28 pixels and color images of 64."""
    shapes = (
        ("MLP 28x28x1", "mlp", (1, 28, 28), 250),
        ("MLP 64x64x3", "mlp", (3, 64, 64), 64),
        ("conv 28x28x1", "conv", (1, 28, 28), 64),
        ("conv 64x64x3", "conv", (3, 64, 64), 16),
    )
    return tuple(Problem(*shape, device=device) for shape in shapes)

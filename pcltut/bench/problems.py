"""What is measured on: networks, a batch of random pixels, and the passes that nothing can do without."""

import dataclasses

import torch
from torch import Tensor

from pcltut.experiments.declaration import Setting
from pcltut.experiments.run import make_networks
from pcltut.noise import standard_normal

LATENT_DIM, HIDDEN, SCALE = 32, (512, 512), 0.3
SHAPES = (  # name, network, event, batch
    ("MLP 28x28x1", "mlp", (1, 28, 28), 250),
    ("MLP 64x64x3", "mlp", (3, 64, 64), 64),
    ("conv 28x28x1", "conv", (1, 28, 28), 64),
    ("conv 64x64x3", "conv", (3, 64, 64), 16),
)


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
        setting = Setting(
            network=self.network, hidden=HIDDEN, latent_dim=self.latent_dim, likelihood="gaussian", initial_scale=SCALE
        )
        self.model, self.encoder = make_networks(setting, self.event, (0, 1), self.device)
        self.generator = generator = torch.Generator(self.device).manual_seed(2)
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
    return tuple(Problem(*shape, device=device) for shape in SHAPES)

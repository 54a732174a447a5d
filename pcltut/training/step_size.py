"""Step sizes that follow the model."""

import dataclasses

from pcltut.arguments import real_number
from pcltut.models import GenerativeModel


@dataclasses.dataclass(frozen=True)
class VarianceScaledStep:
    r"""A step size that follows the likelihood's learned variance: :math:`\gamma (\sigma / \sigma_0)^2`.

    The curvature of a posterior grows as sigma falls, in proportion to :math:`1 / \sigma^2` where the data dominate, so
    that a fixed step nears the edge of stability. It is taken once a batch. Not for preconditioned chains, whose scale
    follows by itself.

    Args:
        step_size: gamma, at the start of training.
        initial_scale: sigma_0, the likelihood's scale there.
    """

    step_size: float
    initial_scale: float

    def __post_init__(self) -> None:
        for name in ("step_size", "initial_scale"):
            object.__setattr__(self, name, real_number(name, getattr(self, name), above=0.0, remedy="raise it"))

    def __call__(self, model: GenerativeModel) -> float:
        """The step size for the model's present sigma."""
        return self.step_size * (model.likelihood.scale.item() / self.initial_scale) ** 2

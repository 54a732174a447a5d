"""Graded tasks of chapter 3, for assignments: answers and hidden tests.

Nothing of this is in the package.
"""

from assignments import Variant


def step_for_bias(percent: float, curvature: float) -> float:
    bias = percent / 100
    return 2 * bias / ((1 + bias) * curvature)


def width_so_far(pull: float, num_steps: int) -> float:
    return (1 - (1 - pull) ** (2 * num_steps)) / (1 - pull / 2)


def as_the_mean_forgets(pull: float, num_steps: int) -> float:
    return (1 - (1 - pull) ** num_steps) / (1 - pull / 2)


def temperature_of(data: float, learned: float, step_size: float) -> float:
    return data / learned - step_size * data / 2


VARIANTS = [
    Variant(
        id="3.A",
        title="A step for a budget of bias",
        points=2,
        text=(
            "In the stiffest direction of a Gaussian posterior the curvature "
            "is `curvature`. You accept a stationary variance that is at most "
            "`percent` percent larger than the posterior's. Assign the largest "
            "step size that ULA may have, exactly and not to first order, to "
            "`answer`."
        ),
        numbers={"percent": [5, 12, 50, 60], "curvature": [2, 4, 5, 8, 10]},
        solution=step_for_bias,
        wrong=lambda percent, curvature: percent / 50 / curvature,  # to first order
    ),
    Variant(
        id="3.B",
        title="Not yet spread",
        points=2,
        text=(
            "Many chains of ULA start at the mean of a Gaussian posterior, all "
            "at the same point. In one of its directions the step size times "
            "the curvature is `pull`. Assign the variance of the chains along "
            "this direction after `num_steps` steps, as a multiple of the "
            "posterior's variance, to `answer`."
        ),
        numbers={"pull": [0.01, 0.02, 0.04, 0.08], "num_steps": [2, 3, 10, 15]},
        solution=width_so_far,
        wrong=as_the_mean_forgets,
    ),
    Variant(
        id="3.C",
        title="How warm was the walk?",
        points=2,
        text=(
            "A linear model with sigma = 1 was trained until it rested, on "
            "long Langevin chains with steps of `step_size`. In one direction "
            "the data have the variance `data`, and the model has learned the "
            "variance `learned`. At which temperature did the chains walk? "
            "Assign it to `answer`."
        ),
        numbers={
            "data": [3, 5, 8],
            "learned": [1.8, 2.1, 2.4],
            "step_size": [0.05, 0.12],
        },
        solution=temperature_of,
        wrong=lambda data, learned, step_size: data / learned,  # without bias
    ),
]


def hidden_3_6(my_ula):
    """A skewed target without noise, and the law on a Gaussian."""
    import math

    import torch

    def skewed(z):
        return (z - z.exp()).sum(-1)

    begin = torch.linspace(-2, 1, 24, dtype=torch.float64).view(4, 2, 3)
    kept = begin.clone()
    cold = my_ula(skewed, begin, 0.05, 7, 0.0, torch.Generator().manual_seed(3))
    expected = kept.clone()
    for _ in range(7):
        expected = expected + 0.05 * (1 - expected.exp())
    assert torch.equal(begin, kept), "the start was changed in place"
    assert cold.shape == begin.shape and not cold.requires_grad, "return the last states, detached"
    assert torch.allclose(cold.double(), expected, atol=1e-5), "at temperature 0 the walk is gradient ascent"

    begin = torch.zeros(3000, 2, 3, dtype=torch.float64)
    first, again, other = (
        my_ula(
            lambda z: -z.square().sum(-1),
            begin.clone(),
            0.2,
            3,
            1.7,
            torch.Generator().manual_seed(seed),
        ).double()
        for seed in (5, 5, 6)
    )
    assert torch.equal(first, again) and not torch.equal(first, other), "the noise must come from the generator"
    law = 2 * 0.2 * 1.7 * (1 + 0.6**2 + 0.6**4)
    error = law * math.sqrt(2 / 3000)
    assert ((first.var(0) - law).abs() < 5 * error).all(), "the variance after three steps"
    apart = [first.diff(dim=dim).var().item() for dim in range(3)]
    assert min(apart) > 1.8 * law, "each chain, image and latent needs noise of its own"


def hidden_3_8(my_stiffest):
    """The largest curvature of two bent decoders, against the whole matrix."""
    import torch

    source = torch.Generator().manual_seed(8)
    for latents, pixels, scale in ((5, 30, 0.3), (4, 2, 2.0)):
        inner, outer, z = (
            torch.randn(*shape, generator=source, dtype=torch.float64)
            for shape in ((7, latents), (pixels, 7), (latents,))
        )

        def decode(z, inner=inner, outer=outer):
            return outer @ (inner @ z).tanh()

        jacobian = torch.autograd.functional.jacobian(decode, z)
        curvature = torch.eye(latents) + jacobian.T @ jacobian / scale**2
        expected = torch.linalg.eigvalsh(curvature)[-1].item()
        found = float(my_stiffest(decode, z, scale, 500, torch.Generator().manual_seed(1)))
        assert abs(found / expected - 1) < 1e-3, f"expected {expected:.4g}, got {found:.4g}"


def hidden_3_9(my_direction):
    """The direction of other sizes, against autograd."""
    import torch

    source = torch.Generator().manual_seed(9)
    for pixels, latents, images, states, scale in (
        (5, 3, 4, 7, 0.7),
        (1, 2, 3, 1, 1.6),
    ):
        weight, x, z = (
            torch.randn(*shape, generator=source, dtype=torch.float64)
            for shape in (
                (pixels, latents),
                (images, pixels),
                (states, images, latents),
            )
        )
        weight.requires_grad_()
        log_joint = -0.5 * ((x - z @ weight.T) / scale).square().sum(-1) - 0.5 * z.square().sum(-1)
        (expected,) = torch.autograd.grad(log_joint.mean(), weight)
        found = my_direction(weight.detach().clone(), scale, x, z)
        assert found.shape == weight.shape, "the direction has the shape of the weight"
        assert torch.allclose(found.detach().double(), expected, rtol=1e-4, atol=1e-5), "not the mean gradient"


HIDDEN = {"3.6": hidden_3_6, "3.8": hidden_3_8, "3.9": hidden_3_9}

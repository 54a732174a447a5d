"""Graded tasks of chapter 2, for assignments: right answers and hidden tests. Nothing of this is in the package."""

from assignments import Variant


def left_at_best_step(long: float, short: float, scale: float) -> float:
    stiff, soft = 1 + long**2 / scale**2, 1 + short**2 / scale**2
    return ((stiff - soft) / (stiff + soft)) ** 10


def left_at_arrival_step(long: float, short: float, scale: float) -> float:
    return (1 - (1 + short**2 / scale**2) / (1 + long**2 / scale**2)) ** 10


def nats_lost(step_size: float, data: float) -> float:
    import math

    model = 2 / step_size
    return 0.5 * (math.log(model / data) + data / model - 1)


def nats_the_other_way(step_size: float, data: float) -> float:
    import math

    model = 2 / step_size
    return 0.5 * (math.log(data / model) + model / data - 1)


VARIANTS = [
    Variant(
        id="2.A",
        title="The best single step",
        points=2,
        text="A linear decoder has two latents. The two columns of its $W$ are perpendicular and have the lengths "
        "`long` and `short`, and $\\sigma$ = `scale`. Predictive coding infers with the one step size that settles the "
        "slower of the two directions as fast as possible. Which share of its distance from the posterior mean does "
        "that direction still have after 10 steps? Assign it to `answer`.",
        numbers={"long": [2.0, 2.4, 2.9, 3.5], "short": [0.6, 0.9, 1.2], "scale": [0.5, 0.8]},
        solution=left_at_best_step,
        wrong=left_at_arrival_step,  # the step that settles the stiff direction at once
    ),
    Variant(
        id="2.B",
        title="The price of a point",
        points=3,
        text="A linear model with $\\sigma = 1$ was trained by predictive coding with steps of `step_size`, from very "
        "long chains, until its weights came to rest at the stability edge. Along one direction the data are Gaussian "
        "with the variance `data`. By how many nats a datum is the model's evidence along this direction lower, on "
        "average, than that of the best model? Assign the number to `answer`.",
        numbers={"step_size": [0.05, 0.08, 0.11, 0.17, 0.22], "data": [2.0, 3.0, 5.0, 7.0]},
        solution=nats_lost,
        wrong=nats_the_other_way,  # the divergence with its two laws exchanged
    ),
]


def hidden_2_6(my_settle):
    """Hierarchies of one, two and four layers of all widths, against autograd."""
    import itertools

    import torch

    source = torch.Generator().manual_seed(6)

    def normal(*shape):
        return torch.randn(*shape, generator=source, dtype=torch.float64)

    for sizes, scales in (((5, 2), (0.7,)), ((3, 4, 2), (0.5, 1.3)), ((6, 3, 5, 2, 1), (0.9, 0.6, 1.0, 1.4))):
        x, start = normal(7, sizes[0]), [normal(7, size) for size in sizes[1:]]
        weights = [normal(below, above) for below, above in itertools.pairwise(sizes)]
        given = my_settle(x, [z.clone() for z in start], list(weights), list(scales), 0.02, 6)
        latents = start
        for _ in range(6):
            latents = [z.detach().requires_grad_() for z in latents]
            energy = 0.5 * latents[-1].square().sum()
            for value, z, weight, scale in zip([x, *latents], latents, weights, scales, strict=False):
                energy = energy + 0.5 * ((value - z.tanh() @ weight.T) / scale).square().sum()
            slopes = torch.autograd.grad(energy, latents)
            latents = [(z - 0.02 * slope).detach() for z, slope in zip(latents, slopes, strict=True)]
        assert [z.shape for z in given] == [z.shape for z in start], "return the latents of all layers"
        for own, right in zip(given, latents, strict=True):
            assert torch.allclose(own.double(), right, rtol=1e-4, atol=1e-4), f"{len(start)} layers settle elsewhere"


def hidden_2_7(my_lesson):
    """Layers of other sizes, against autograd; and sigma finds the size of the errors."""
    import math

    import torch

    source = torch.Generator().manual_seed(7)

    def normal(*shape):
        return torch.randn(*shape, generator=source, dtype=torch.float64)

    for count, observed, units, scale in ((6, 4, 3, 0.7), (1, 2, 5, 1.6)):
        x, z, weight, bias = normal(count, observed), normal(count, units), normal(observed, units), normal(observed)
        new = my_lesson(x, z.clone(), weight.clone(), bias.clone(), scale, 0.01)
        old = [weight.clone(), bias.clone(), torch.tensor(math.log(scale), dtype=torch.float64)]
        old = [value.requires_grad_() for value in old]
        error = (x - z.tanh() @ old[0].T - old[1]) / old[2].exp()
        log_joint = (-0.5 * error.square() - old[2]).sum(-1).mean()
        slopes = torch.autograd.grad(log_joint, old)
        right = [value.detach() + 0.01 * slope for value, slope in zip(old, slopes, strict=True)]
        for name, own, expected in zip(("weight", "bias"), new[:2], right[:2], strict=True):
            assert own.shape == expected.shape, f"the {name} keeps its shape"
            assert torch.allclose(own.double(), expected, rtol=1e-4, atol=1e-4), f"the {name} goes elsewhere"
        assert abs(math.log(float(new[2])) - right[2].item()) < 1e-4, "log sigma goes elsewhere"
    x, scale = 0.3 * normal(2000, 5), 1.0
    for _ in range(300):
        *_, scale = my_lesson(x, torch.zeros(2000, 1).to(x), torch.zeros(5, 1).to(x), torch.zeros(5).to(x), scale, 0.02)
    assert abs(float(scale) - x.square().mean().sqrt().item()) < 0.01, "sigma should end at the size of the errors"


HIDDEN = {"2.6": hidden_2_6, "2.7": hidden_2_7}

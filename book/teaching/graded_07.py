"""Graded tasks of chapter 7, for assignments: answers and hidden tests.

Nothing of this is in the package.
"""

from assignments import Variant


def price(num_steps: int, teaching: int, encoder: float) -> float:
    return ((2 * num_steps + teaching) / 3 + encoder) / (1 + encoder)


def wider(pixels: int, weight: float) -> float:
    return (1 + pixels * weight**2) / (1 + weight**2)


def learned_from_the_last(num_steps: int, pull: float) -> float:
    variance = 1.0  # over the posterior's
    for _ in range(num_steps - 1):
        variance = (1 - pull) ** 2 * variance + 2 * pull
    return 1 / variance


def learned_from_all(num_steps: int, pull: float) -> float:
    variance, total = 1.0, 0.0
    for _ in range(num_steps):
        total, variance = total + variance, (1 - pull) ** 2 * variance + 2 * pull
    return num_steps / total


VARIANTS = [
    Variant(
        id="7.A",
        title="The price of an update",
        points=2,
        text=(
            "A chain has `num_steps` steps, and only the last `teaching` of "
            "its states teach the decoder. In an update of a VAE the encoder "
            "takes `encoder` times as many multiplications as the decoder. How "
            "many times the multiplications of the VAE's update does this "
            "update of LPC (reverse KL) take? Count products of matrices as in "
            "the chapter, and assign the ratio to `answer`."
        ),
        numbers={
            "num_steps": [6, 24, 26, 28],
            "teaching": [1, 3],
            "encoder": [0.4, 0.8, 1.4],
        },
        solution=price,
        wrong=lambda num_steps, teaching, encoder: (num_steps + encoder) / (1 + encoder),  # counts passes
    ),
    Variant(
        id="7.B",
        title="A mean over pixels",
        points=2,
        text=(
            "A decoder with one latent, $z$, paints `weight` $\\cdot z$ in each "
            "of `pixels` pixels, with $\\sigma = 1$. Somebody runs its chains "
            "on the prior's log-density plus the *mean* of the pixels' "
            "log-likelihoods, with small steps. How many times as large as the "
            "posterior's is the variance that these chains settle at? Assign "
            "it to `answer`."
        ),
        numbers={
            "pixels": [4, 9, 20, 49, 100],
            "weight": [0.2, 0.35, 0.6, 1.2],
        },
        solution=wider,
        wrong=lambda pixels, weight: pixels,  # as if the prior were averaged, too
    ),
    Variant(
        id="7.C",
        title="Learning from the last of few",
        points=2,
        text=(
            "A linear decoder with one latent is trained by LPC until it rests, "
            'with fixed sigma, `accumulate="last"` and `num_steps` states; the '
            "chains start at draws from the exact posterior. At the end the "
            "step size times the curvature is `pull`. Assign the model's "
            "variance as a fraction of the data's to `answer`."
        ),
        numbers={
            "num_steps": [2, 4],
            "pull": [0.24, 0.28, 0.4, 0.46, 0.52, 0.64, 0.72, 0.78],
        },
        solution=learned_from_the_last,
        wrong=learned_from_all,
    ),
]


def hidden_7_6(my_fill_in):
    """A bent decoder, other sizes, holes anywhere, against a chain in numpy's manner."""
    import torch

    source = torch.Generator().manual_seed(6)

    def draw(*shape):
        return torch.randn(*shape, generator=source, dtype=torch.float64)

    inner, outer, x, z, noise = draw(3, 5), draw(5, 7), draw(6, 7), draw(6, 3), draw(4, 6, 3)
    missing = torch.rand(6, 7, generator=source) < 0.5
    missing[0], missing[1] = True, False
    holes = x.masked_fill(missing, float("nan"))
    kept = holes.clone()

    def decode(z):
        return (z @ inner).tanh() @ outer

    scale, step_size, state = 0.7, 0.02, z.clone()
    for each in noise:
        hidden = (state @ inner).tanh()
        error = (x - hidden @ outer).masked_fill(missing, 0.0)
        score = ((error @ outer.T) * (1 - hidden**2)) @ inner.T / scale**2 - state
        state = state + step_size * score + (2 * step_size) ** 0.5 * each
    expected = torch.where(missing, decode(state), x)
    found = my_fill_in(decode, scale, holes.clone(), z.clone(), step_size, noise.clone())
    assert torch.equal(holes.isnan(), kept.isnan())
    assert found.shape == x.shape, "a picture has the shape of x"
    assert not found.requires_grad, "return pictures without a graph"
    assert found.isfinite().all(), "pixels that are no number"
    assert torch.allclose(found[1].double(), x[1], atol=1e-5), "a picture that was seen whole stays as it is"
    assert torch.allclose(found.double(), expected, rtol=1e-4, atol=1e-4), "not the posterior's chain"


def hidden_7_7(my_incremental):
    """A weight matrix as theta, several latents, against gradients by hand."""
    import torch

    source = torch.Generator().manual_seed(7)

    def draw(*shape):
        return torch.randn(*shape, generator=source, dtype=torch.float64)

    x, theta, z, noise = draw(5, 4), draw(4, 2), draw(5, 2), draw(6, 5, 2)
    passes = []

    def log_joint(theta, z):
        passes.append(1)
        return -0.5 * (x - z @ theta.T).square().sum(-1) - 0.5 * z.square().sum(-1)

    weight, state = theta.clone(), z.clone()
    for each in noise:
        error = x - state @ weight.T
        score, slope = error @ weight - state, error.T @ state / len(x)
        state = state + 0.05 * score + 0.1**0.5 * each
        weight = weight + 0.3 * slope
    found = my_incremental(log_joint, theta.clone(), z.clone(), 0.05, 0.3, noise.clone())
    assert len(passes) == len(noise), "one pass a state"
    assert not any(each.requires_grad for each in found), "return theta and z without a graph"
    for mine, right, name in zip(found, (weight, state), ("theta", "z"), strict=True):
        assert mine.shape == right.shape, f"{name} has another shape than it had"
        assert torch.allclose(mine.double(), right, rtol=1e-4, atol=1e-4), f"{name} is not where it should be"


HIDDEN = {"7.6": hidden_7_6, "7.7": hidden_7_7}

"""Exercises of chapter 7: right answers in any form, and likely mistakes with a part of their hints."""

import torch

from pcltut.data import load
from pcltut.models import LinearGaussian, mlp_decoder, mlp_encoder
from pcltut.samplers import run, ula


def products(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters() if parameter.ndim == 2)


def costs() -> tuple[int, int]:
    """Multiplications of a pass forward and back through the chapter's decoder and encoder, for one image."""
    generator = torch.Generator().manual_seed(0)
    decoder = mlp_decoder(32, (1, 28, 28), hidden=(256, 256), generator=generator)
    encoder = mlp_encoder((1, 28, 28), 32, hidden=(256, 256), generator=generator)
    return 3 * products(decoder), 3 * products(encoder) - encoder.network[1].weight.numel()


def pixels() -> torch.Tensor:
    return load("fashion-mnist-mini", "train").as_float().flatten(1)


# --- exercise 7.6: fill in, right and wrong ---


def fill_in_by_hand(decode, scale, x, z, step_size, noise):
    """The score by hand, image by image, in single precision."""
    pictures = []
    for image, state, own in zip(x.float(), z.float(), noise.float().unbind(1), strict=True):
        seen = image.isfinite()
        for each in own:
            jacobian = torch.autograd.functional.jacobian(lambda z: decode(z[None])[0], state.double()).float()
            error = (image - decode(state.double()[None])[0].float())[seen]
            state = state + step_size * (error @ jacobian[seen] / scale**2 - state) + (2 * step_size) ** 0.5 * each
        pictures.append(torch.where(seen, image, decode(state.double()[None])[0].float()))
    return torch.stack(pictures)


def fill_in_by_package(decode, scale, x, z, step_size, noise):
    given = iter(noise)

    def target(z):
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            missing = x.isnan()
            log_joint = torch.distributions.Normal(decode(z), scale).log_prob(x.masked_fill(missing, 0.0))
            log_joint = log_joint.masked_fill(missing, 0.0).sum(-1) + torch.distributions.Normal(0, 1).log_prob(z).sum(
                -1
            )
            return log_joint.detach(), torch.autograd.grad(log_joint.sum(), z)[0]

    kernel = ula(target, step_size)._replace(draw=lambda state, generator: next(given))
    end, _ = run(kernel, kernel.init(z), len(noise), generator=torch.Generator(), keep="last")
    return torch.where(x.isnan(), decode(end.z), x).detach()


def faulty_fill_in(
    sign=1,
    gray=False,
    nan=False,
    prior=1.0,
    pixels=torch.Tensor.sum,
    images=torch.Tensor.sum,
    power=2,
    half=0.5,
    spread=lambda gamma: (2 * gamma) ** 0.5,
    drop=0,
    keep=True,
    detach=True,
):
    """A chain on the pixels seen with one thing wrong."""

    def my_fill_in(decode, scale, x, z, step_size, noise):
        seen = ~x.isnan()
        known = x if nan else x.nan_to_num()
        z = z.requires_grad_()
        for each in noise[: len(noise) - drop]:
            error = known - decode(z)
            error = error if gray or nan else torch.where(seen, error, 0.0)
            square = torch.where(seen, error.square(), 0.0) if nan else error.square()
            by_image = [pixels(row if gray or not s.any() else row[s]) for row, s in zip(square, seen, strict=True)]
            likelihood = -half * torch.stack(by_image) / scale**power
            log_joint = images(likelihood - prior * 0.5 * z.square().sum(-1))
            (score,) = torch.autograd.grad(log_joint, z)
            z = z + sign * step_size * score + spread(step_size) * each
        pictures = torch.where(seen & keep, x, decode(z))
        return pictures.detach() if detach else pictures

    return my_fill_in


# --- exercise 7.7: incremental LPC, right and wrong ---


def incremental(log_joint, theta, z, step_size, learning_rate, noise):
    for each in noise:
        theta, z = theta.detach().requires_grad_(), z.detach().requires_grad_()
        log_joint(theta, z).sum().backward()
        score, slope = z.grad, theta.grad / len(z)
        z, theta = z + step_size * score + (2 * step_size) ** 0.5 * each, theta + learning_rate * slope
    return theta.detach(), z.detach()


def incremental_by_vjp(log_joint, theta, z, step_size, learning_rate, noise):
    """In single precision, a list, by a product with the Jacobian."""
    theta, z = theta.float(), z.float()
    for each in noise.float():
        _, (slope, score) = torch.autograd.functional.vjp(log_joint, (theta, z), torch.ones(len(z)))
        theta = theta + learning_rate * slope / z.shape[0]
        z = torch.add(z, score, alpha=step_size) + each * 2**0.5 * step_size**0.5
    return [theta, z]


def faulty_incremental(
    up=1,
    sign=1,
    order="together",
    slopes=torch.Tensor.mean,
    scores=torch.Tensor.sum,
    spread=2,
    detach=True,
    through=False,
):
    """A chain on which theta moves, with one thing wrong."""

    def gradients(log_joint, theta, z):
        slope = torch.autograd.grad(slopes(log_joint(theta, z)), theta, retain_graph=through)[0]
        return slope, torch.autograd.grad(scores(log_joint(theta, z)), z, retain_graph=through)[0]

    def my_incremental(log_joint, theta, z, step_size, learning_rate, noise):
        theta, total = theta.requires_grad_(), 0
        z = z.requires_grad_()
        for each in noise:
            if not through:
                z = z.detach().requires_grad_()
            slope, score = gradients(log_joint, theta, z)
            if order == "theta first":
                theta = (theta + learning_rate * slope).detach().requires_grad_()
                score = gradients(log_joint, theta, z)[1]
            z = z + sign * step_size * score + (spread * step_size) ** 0.5 * each
            if order == "z first":
                slope = gradients(log_joint, theta, z)[0]
            total = total + slope
            if order in ("together", "z first"):
                if through:
                    theta.data += up * learning_rate * slope
                else:
                    theta = theta + up * learning_rate * slope
        if order == "at the end":
            theta = theta + learning_rate * total / len(noise)
        return (theta.detach(), z.detach()) if detach else (theta, z)

    return my_incremental


def through_the_chain(log_joint, theta, z, step_size, learning_rate, noise):
    """Each state depends on theta, one leaf, by the scores before it."""
    path, leaf, states = [], theta.requires_grad_(), z.requires_grad_()
    for each in noise:
        score, slope = torch.autograd.grad(log_joint(leaf, states).sum(), [states, leaf], create_graph=True)
        path.append(slope.detach())
        states = states + step_size * score + (2 * step_size) ** 0.5 * each
        leaf.data += learning_rate * slope.detach() / len(z)
    return leaf.detach(), states.detach()


# --- exercise 7.8 ---


def learned_share() -> float:
    """By the package's covariance of ULA after some steps, at the fixed point of learning w."""
    weight, step_size = 1.0, 0.25  # sigma = 1, so lambda = 2 and gamma lambda = 1/2
    model = LinearGaussian(torch.tensor([[weight]], dtype=torch.float64), scale=1.0)
    start = torch.linalg.inv(model.posterior_precision())
    spreads = [model.ula_covariance_after(steps, step_size, start).item() for steps in range(5)]
    # sum over data and states of (x - w z) z is zero: l w / s = w (w^2 l / s^2 + mean spread)
    variance = 1 + weight**2
    data = sum(spreads) / 5 / (1 / variance - weight**2 / variance**2)
    return variance / data


def right() -> dict[str, list]:
    decoder, encoder = costs()
    ratio = (20 * decoder + encoder) / (decoder + encoder)
    sigma = pixels().var(0, correction=0).mean().sqrt()
    return {
        "7.1": [0.7, 21 / 30, torch.tensor(0.7)],
        "7.2": [ratio, round(ratio, 2), torch.tensor(ratio)],
        "7.3": [sigma, sigma.item(), 0.59],
        "7.4": [100, 100.0, torch.tensor(100)],
        "7.5": [[0.48, 0.17], (0.5, 0.2), torch.tensor([0.45, 0.1])],
        "7.6": [fill_in_by_hand, fill_in_by_package, faulty_fill_in()],
        "7.7": [incremental, incremental_by_vjp],
        "7.8": [learned_share(), torch.tensor(0.8035), 0.804],
    }


def wrong() -> list[tuple[str, object, str]]:
    decoder, encoder = costs()
    forward = (encoder + 784 * 256) / 3
    train = pixels()
    return [
        ("7.1", 0.1, "still need the score"),
        ("7.1", 1, "nine of them skip"),
        ("7.1", 10 / 7, "The inverse"),
        ("7.1", 2 / 3, "a third product"),
        ("7.1", 0.4, "going back to the layer's input"),
        ("7.1", 25 / 30, "after-burn-in"),
        ("7.1", 21, "divide by the 30"),
        ("7.1", 0.5, "Count products"),
        ("7.2", 20, "paid once"),
        ("7.2", 4 * 3.2396, "not proportional"),
        ("7.2", 3.2396, "T = 5"),
        ("7.2", (20 * decoder + 3 * forward) / (decoder + 3 * forward), "no gradient for its input"),
        ("7.2", (20 * decoder * 2 / 3 + encoder) / (decoder * 2 / 3 + encoder), "three in all"),
        ("7.2", (20 * decoder + encoder) / (decoder + encoder) / 20, "divided by T"),
        ("7.2", (20 * decoder + forward) / (decoder + forward), "learns too"),
        ("7.2", 2, "Put 20"),
        ("7.3", train.var(0).mean(), "its root"),
        ("7.3", train.std(), "mean for each pixel"),
        ("7.3", train.square().mean().sqrt(), "measured from zero"),
        ("7.3", train.std(0).mean(), "mean of squares"),
        ("7.3", 5, "says nothing about x"),
        ("7.3", 0.3, "where does training take it"),
        ("7.4", 10, "not its standard deviation"),
        ("7.4", 0.01, "The other way round: the drift"),
        ("7.4", 0.1, "and temperature scales"),
        ("7.4", 1, "compares the two"),
        ("7.4", 200, "the two cancels"),
        ("7.4", 50, "Write the drift"),
        ("7.5", 0.5, "Give two numbers"),
        ("7.5", [0.5, 0.2, 0.1], "Give two numbers"),
        ("7.5", [-0.7, -1.8], "log-scale"),
        ("7.5", [0.17, 0.48], "The other order"),
        ("7.5", [0.48, 0.47], "nearly equal"),
        ("7.5", [0.95, 0.2], "not the chapter's VAE"),
        ("7.6", 0.5, "Give the function itself"),
        ("7.6", lambda decode, scale, x, z, step_size, noise: z, "in the shape of x"),
        ("7.6", faulty_fill_in(nan=True), "put a number in the place"),
        ("7.6", faulty_fill_in(detach=False), "still hang on the graph"),
        ("7.6", faulty_fill_in(gray=True), "count as gray ones"),
        ("7.6", faulty_fill_in(prior=0.0), "it is missing"),
        ("7.6", faulty_fill_in(sign=-1), "go downhill"),
        ("7.6", faulty_fill_in(images=torch.Tensor.mean), "a third for three images"),
        ("7.6", faulty_fill_in(pixels=lambda error: error.sum() / 4), "mean over pixels; the log-density"),
        ("7.6", faulty_fill_in(pixels=torch.Tensor.mean), "mean over the pixels seen"),
        ("7.6", faulty_fill_in(power=1), "not by sigma."),
        ("7.6", faulty_fill_in(power=0), "does not know sigma"),
        ("7.6", faulty_fill_in(half=1.0), "is doubled"),
        ("7.6", faulty_fill_in(drop=1), "not the last"),
        ("7.6", faulty_fill_in(spread=lambda gamma: 0), "moves nothing"),
        ("7.6", faulty_fill_in(spread=lambda gamma: gamma**0.5), "a Langevin step has"),
        ("7.6", faulty_fill_in(spread=lambda gamma: 2 * gamma), "the root of 2 gamma"),
        ("7.6", faulty_fill_in(keep=False), "painted over"),
        ("7.6", faulty_fill_in(half=2.0), "chapter 1's with a sum"),
        ("7.7", 5.1, "Give the function itself"),
        ("7.7", lambda *given: incremental(*given)[::-1], "Return two tensors"),
        ("7.7", faulty_incremental(detach=False), "still hangs on a graph"),
        ("7.7", faulty_incremental(order="theta first"), "after theta had moved"),
        ("7.7", faulty_incremental(order="z first"), "comes after the step"),
        ("7.7", faulty_incremental(order="at the end"), "stays where it was"),
        ("7.7", faulty_incremental(slopes=torch.Tensor.sum), "grows with the batch"),
        ("7.7", faulty_incremental(scores=torch.Tensor.mean), "slows down with the batch"),
        ("7.7", through_the_chain, "flows back through the chain"),
        ("7.7", faulty_incremental(up=-1), "Theta goes downhill"),
        ("7.7", faulty_incremental(sign=-1), "The chain goes downhill"),
        ("7.7", faulty_incremental(spread=0), "moves nothing"),
        ("7.7", faulty_incremental(spread=1), "a Langevin step has"),
        ("7.7", faulty_incremental(), "more than once a state"),
        ("7.7", faulty_incremental(scores=lambda all: 2 * all.sum()), "Per state: one pass"),
        ("7.8", 0.75, "or a long chain"),
        ("7.8", 1.2445, "divided by it"),
        ("7.8", 0.7627, "z_1 to z_5"),
        ("7.8", 0.7941, "Six states"),
        ("7.8", 0.83045, "forgets with A^2"),
        ("7.8", 0.2445, "is the excess"),
        ("7.8", 0.8964, "standard deviations"),
        ("7.8", 1, "for one state"),
        ("7.8", 0.6, "Start at 1"),
    ]

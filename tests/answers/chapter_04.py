"""Exercises of chapter 4: right answers in any form, and likely mistakes with a part of their hints."""

import math
from itertools import pairwise

import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from pcltut.evaluation import bits_per_dimension
from pcltut.models import LinearGaussian

TOY = LinearGaussian(torch.tensor([[2.0, 2.0]], dtype=torch.float64)).requires_grad_(False)
X = torch.tensor([[4.0]], dtype=torch.float64)
PRIOR = MultivariateNormal(torch.zeros(2).double(), torch.eye(2).double())
MEAN, COVARIANCE = TOY.posterior(X)
POSTERIOR = MultivariateNormal(MEAN[0], COVARIANCE)
EVIDENCE = TOY.log_evidence(X).item()
WALKS = torch.tensor([[-103.0, -100.0, -101.0], [-98.0, -96.0, -99.0]]).double()
LOWER, UPPER = WALKS[0].exp().mean().log().item(), -(-WALKS[1]).exp().mean().log().item()


def when_it_grows(mean_square: float, step_size: float, first: int = 0) -> list[int]:
    """How many states must teach until small weights grow: all of them, and the last one alone; exercise 4.6."""
    come = [1 - (1 - step_size) ** t for t in range(1000)]
    means = [sum(come[first : first + T]) / T for T in range(1, 900)]
    return [next(T for T in range(1, 900) if mean_square * c[T - 1] > 1) for c in (means, come)]


def slopes_off(scale: float = 1.0) -> list[float]:
    """What the collected and the total slope lack at w = 2, by autograd on densities; exercise 4.7."""
    w = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    precision = 1 + w**2
    variance = 1 / (precision * (1 - 0.05 * precision / 2))
    x, errors = torch.tensor(1.3, dtype=torch.float64), []
    for law_of in (lambda value: value.detach(), lambda value: value):
        chain = Normal(law_of(x * w / precision), law_of(variance).sqrt())
        gap = kl_divergence(chain, Normal(x * w / precision, precision**-0.5))
        errors.append(-scale * torch.autograd.grad(gap, w, retain_graph=True)[0].item())
    return errors


# --- exercise 4.8: the way back ---


def way_back(z, score, log_joint, log_start, num_steps, step_size, generator):
    log_weight = log_joint(z)
    for t in range(num_steps, 0, -1):
        noise = torch.empty_like(z).normal_(generator=generator)
        old = z + step_size * score(z, t / num_steps) + (2 * step_size) ** 0.5 * noise
        there = z - old - step_size * score(old, t / num_steps)
        log_weight = log_weight + (there**2 / (4 * step_size) - noise**2 / 2).sum(-1)
        z = old
    return log_weight - log_start(z)


def way_back_by_densities(z, score, log_joint, log_start, num_steps, step_size, generator):
    """All states first, and then Gaussian log-densities of all steps, in single precision."""
    states, shares = [z], [t / num_steps for t in range(num_steps, 0, -1)]
    for b in shares:
        mean = states[-1] + step_size * score(states[-1], b)
        states.append(mean + math.sqrt(2 * step_size) * torch.randn(z.shape, generator=generator))
    total = log_joint(z) - log_start(states[-1])
    for late, early, b in zip(states[:-1], states[1:], shares, strict=True):
        for sign, start, end in ((1, late, early), (-1, early, late)):
            step = Normal(start + step_size * score(start, b), math.sqrt(2 * step_size))
            total = total + sign * step.log_prob(end).sum(1)
    return total.float()


def faulty_back(
    order=reversed,
    share=lambda t, num_steps: t / num_steps,
    root=2.0,
    over=4.0,
    sign=1,
    of_old=True,
    shape=lambda z: z.shape,
    total=torch.sum,
    given=None,
):
    """A way back with one fault, or none."""

    def my_way_back(z, score, log_joint, log_start, num_steps, step_size, generator):
        end, log_weight = z, 0
        for t in order(range(1, num_steps + 1)):
            b = share(t, num_steps)
            noise = torch.randn(shape(z), generator=given or generator, dtype=z.dtype)
            old = z + step_size * score(z, b) + (root * step_size) ** 0.5 * noise
            there = z - old - step_size * score(old if of_old else z, b)
            back = old - z - step_size * score(z, b)
            log_weight = log_weight + sign * total(there**2 / (over * step_size) - back**2 / (4 * step_size), dim=-1)
            z = old
        return log_weight + log_joint(end) - log_start(z)

    return my_way_back


def ends_swapped(z, score, log_joint, log_start, *others):
    return way_back(z, score, lambda end: -log_start(end), lambda start: -log_joint(start), *others)


def both_at_the_end(z, score, log_joint, log_start, *others):
    return way_back(z, score, lambda end: log_joint(end) - log_start(end), nothing, *others)


def noise_without_root(z, score, log_joint, log_start, num_steps, step_size, generator):
    log_weight = log_joint(z)
    for t in range(num_steps, 0, -1):
        noise = torch.empty_like(z).normal_(generator=generator)
        old = z + step_size * score(z, t / num_steps) + step_size**0.5 * noise
        there = z - old - step_size * score(old, t / num_steps)
        log_weight = log_weight + (there**2 / (4 * step_size) - noise**2 / 2).sum(-1)
        z = old
    return log_weight - log_start(z)


def way_there(z, score, log_joint, log_start, num_steps, step_size, generator):
    log_weight = -log_start(z)
    for t in range(1, num_steps + 1):
        noise = torch.empty_like(z).normal_(generator=generator)
        new = z + step_size * score(z, t / num_steps) + (2 * step_size) ** 0.5 * noise
        back = z - new - step_size * score(new, t / num_steps)
        log_weight = log_weight + (noise**2 / 2 - back**2 / (4 * step_size)).sum(-1)
        z = new
    return log_weight + log_joint(z)


def nothing(z):
    return torch.zeros(len(z)).to(z)


WRONG_WAYS = [
    (faulty_back(given=torch.Generator().manual_seed(0)), "Twice the same seed"),
    (faulty_back(shape=lambda z: z[:1].shape), "share their noise"),
    (faulty_back(share=lambda t, num_steps: 1.0), "follow the posterior"),
    (faulty_back(share=lambda t, num_steps: (t - 1) / num_steps), "bridges has b = 0"),
    (faulty_back(order=iter), "wrong order"),
    (way_there, "as a way there"),
    (faulty_back(sign=-1), "upside down"),
    (lambda *given: -way_back(*given), "That is log 1/w"),
    (faulty_back(of_old=False), "starts at z_{t-1}"),
    (lambda z, s, joint, start, *others: way_back(z, s, joint, nothing, *others), "Divide by q(z_0)"),
    (lambda z, s, joint, start, *others: way_back(z, s, nothing, start, *others), "p(x, z_T) is missing"),
    (ends_swapped, "joint density belongs to z_T"),
    (both_at_the_end, "joint density belongs to z_T"),
    (noise_without_root, "variance gamma, half"),
    (faulty_back(root=1.0), "variance gamma, half"),
    (faulty_back(over=2.0), "Both squares"),
    (faulty_back(total=torch.mean), "sum over the latents"),
    (faulty_back(order=lambda steps: steps[:0:-1]), "From t = T down"),
    (lambda *given: way_back(*given).mean(), "log-weight for each path"),
]


# --- exercise 4.9: annealed importance sampling ---


def ais(z, log_start, log_joint, betas, step_size, generator):
    log_weight = torch.zeros_like(z[:, 0])
    for before, b in pairwise(betas):
        log_weight = log_weight + (b - before) * (log_joint(z) - log_start(z))
        new = z + step_size * torch.empty_like(z).normal_(generator=generator)
        gain = b * (log_joint(new) - log_joint(z)) + (1 - b) * (log_start(new) - log_start(z))
        coin = torch.rand(len(z), generator=generator, dtype=z.dtype)
        z = torch.where((coin < gain.exp())[:, None], new, z)
    return log_weight


def ais_without_last_move(z, log_start, log_joint, betas, step_size, generator):
    """Logarithms of coins, densities that are kept, and no move after the last weight."""
    base, joint = log_start(z), log_joint(z)
    total = (betas[1] - betas[0]) * (joint - base)
    for b, after in pairwise(betas[1:]):
        new = z + step_size * torch.randn(z.shape, generator=generator)
        base_new, joint_new = log_start(new), log_joint(new)
        gain = (1 - b) * (base_new - base) + b * (joint_new - joint)
        taken = torch.rand(len(z), generator=generator).log() <= gain
        z, base, joint = (
            new * taken[:, None] + z * ~taken[:, None],
            base_new.where(taken, base),
            joint_new.where(taken, joint),
        )
        total = total + (after - b) * (joint - base)
    return total


def faulty_ais(
    first="weight",
    increment=lambda before, b, betas: b - before,
    tested=lambda before, b: b,
    accept=lambda coin, gain: coin < gain.exp(),
    coins=len,
    shape=lambda z: z.shape,
    sign=1,
    start_in_test=1,
    given=None,
):
    """Annealed importance sampling with one fault, or none."""

    def my_ais(z, log_start, log_joint, betas, step_size, generator):
        log_weight = 0
        for before, b in pairwise(betas):
            share = increment(before, b, betas)
            if first == "weight":
                log_weight = log_weight + share * (log_joint(z) - log_start(z))
            new = z + step_size * torch.randn(shape(z), generator=given or generator, dtype=z.dtype)
            c = tested(before, b)
            gain = c * (log_joint(new) - log_joint(z)) + start_in_test * (1 - c) * (log_start(new) - log_start(z))
            taken = accept(torch.rand(coins(z), generator=given or generator, dtype=z.dtype), gain)
            z = torch.where(taken.expand(len(z))[:, None], new, z)
            if first == "move":
                log_weight = log_weight + share * (log_joint(z) - log_start(z))
        return sign * log_weight

    return my_ais


def joint_for_weight(z, log_start, log_joint, betas, step_size, generator):
    """Weights with log_joint alone, moves by the right test."""
    log_weight = 0
    for before, b in pairwise(betas):
        log_weight = log_weight + (b - before) * log_joint(z)
        new = z + step_size * torch.randn(z.shape, generator=generator, dtype=z.dtype)
        gain = b * (log_joint(new) - log_joint(z)) + (1 - b) * (log_start(new) - log_start(z))
        z = torch.where((torch.rand(len(z), generator=generator) < gain.exp())[:, None], new, z)
    return log_weight


WRONG_WALKS = [
    (faulty_ais(given=torch.Generator().manual_seed(0)), "Twice the same seed"),
    (faulty_ais(shape=lambda z: z[:1].shape), "All walks get the same noise"),
    (faulty_ais(accept=lambda coin, gain: coin < gain), "No move is ever taken"),
    (faulty_ais(first="move", tested=lambda before, b: before), "you move first"),
    (faulty_ais(tested=lambda before, b: before), "yours follows b_{t-1}"),
    (faulty_ais(accept=lambda coin, gain: gain == gain), "Moves are taken"),
    (faulty_ais(accept=lambda coin, gain: coin < (-gain).exp()), "Moves are taken"),
    (faulty_ais(coins=lambda z: 1), "share one coin"),
    (faulty_ais(tested=lambda before, b: 1.0), "posterior from the first step"),
    (faulty_ais(first="move"), "weigh a state after its move"),
    (joint_for_weight, "subtract log_start"),
    (faulty_ais(start_in_test=0), "knows log_joint alone"),
    (faulty_ais(increment=lambda before, b, betas: b), "what is new in it"),
    (faulty_ais(increment=lambda before, b, betas: 1 / (len(betas) - 1)), "not evenly spaced"),
    (faulty_ais(sign=-1), "That is log 1/w"),
    (faulty_ais(increment=lambda before, b, betas: 1e-3 * (b - before)), "In each step first"),
    (lambda *given: ais(*given).mean(), "log-weight for each walk"),
]


def path_loss() -> float:
    start = MultivariateNormal(MEAN[0], torch.eye(2).double())
    return kl_divergence(start, POSTERIOR).item()


def right() -> dict[str, list]:
    start = EVIDENCE - kl_divergence(PRIOR, POSTERIOR).item()
    bits = bits_per_dimension(torch.tensor([-199.0]) + 784 * math.log(2 / 255), (1, 28, 28))
    return {
        "4.1": [start, -12.92, torch.tensor(start)],
        "4.2": [math.exp(-5), 0.0067, 1 / 148, 1 / 150, torch.tensor([0.00674])],
        "4.3": [[LOWER, UPPER], (-100.75, -98.25), torch.tensor([LOWER, UPPER])],
        "4.4": [kl_divergence(POSTERIOR, PRIOR), 1.444],
        "4.5": [bits, 7.36],
        "4.6": [when_it_grows(4, 0.02), (32, 16), torch.tensor([32, 16])],
        "4.7": [slopes_off(), (-0.0571, -0.00816), torch.tensor([-2 / 35, -0.4 / 49])],
        "4.8": [way_back, way_back_by_densities, faulty_back()],
        "4.9": [ais, ais_without_last_move, faulty_ais()],
        "4.10": [path_loss(), 2.901, torch.tensor(4 - math.log(3))],
    }


def wrong() -> list[tuple[str, object, str]]:
    return [
        ("4.1", EVIDENCE, "forgotten that it did"),
        ("4.1", TOY.log_likelihood(X, torch.zeros(1, 2).double()), "spread of the start"),
        ("4.1", EVIDENCE - kl_divergence(PRIOR, POSTERIOR) - PRIOR.entropy(), "adds the entropy"),
        ("4.1", -0.5 * math.log(2 * math.pi) - 0.5 * (16 + 4), "4 + 4, not 2 + 2"),
        ("4.1", -12.0, "constant"),
        ("4.1", 3, "only the start counts"),
        ("4.2", 1 - math.exp(-5), "how sure"),
        ("4.2", math.exp(5), "at most 1"),
        ("4.2", -5, "logarithm"),
        ("4.2", 0, "do err high"),
        ("4.2", math.exp(-180), "do err high"),
        ("4.2", 0.2, "c = e^5"),
        ("4.2", 0.5, "Use Markov"),
        ("4.3", WALKS.mean(1), "averaged logarithms"),
        ("4.3", [LOWER, WALKS[1].exp().mean().log()], "average 1/w and not w"),
        ("4.3", [WALKS[0].mean(), UPPER], "upper one is right"),
        ("4.3", [LOWER, WALKS[1].mean()], "lower one is right"),
        ("4.3", [WALKS[0].logsumexp(0), -(-WALKS[1]).logsumexp(0)], "forgot to divide"),
        ("4.3", [UPPER, LOWER], "lower bound first"),
        ("4.3", [-100, -99], "picks the lucky"),
        ("4.3", [-1, -2], "Average what is unbiased"),
        ("4.3", LOWER, "2 numbers"),
        ("4.4", kl_divergence(PRIOR, POSTERIOR), "KL(prior || posterior)"),
        ("4.4", -kl_divergence(POSTERIOR, PRIOR), "excess is positive"),
        ("4.4", 0, "law of the start"),
        ("4.4", 0.5 * (COVARIANCE.trace() - 2 - COVARIANCE.logdet()), "left out the posterior's mean"),
        ("4.4", 0.5 * (COVARIANCE.trace() + MEAN.square().sum() - 2), "log-determinants"),
        ("4.4", 0.5 * (COVARIANCE.trace() + MEAN.square().sum() - 2 + COVARIANCE.logdet()), "other sign"),
        ("4.4", 77, "what is left is a divergence"),
        ("4.5", 199 / 784 / math.log(2), "converts a density"),
        ("4.5", 199 / 784 + math.log(255 / 2), "nats; divide"),
        ("4.5", (199 / 784 + math.log(255)) / math.log(2), "not 1/255"),
        ("4.5", (199 / 784 + math.log(128)) / math.log(2), "255 gaps"),
        ("4.5", (-199 / 784 + math.log(255 / 2)) / math.log(2), "low log-density"),
        ("4.5", (199 / 784 - math.log(255 / 2)) / math.log(2), "below one"),
        ("4.5", (199 + 784 * math.log(255 / 2)) / math.log(2), "divide by 784 pixels"),
        ("4.5", (199 + math.log(255 / 2)) / 784 / math.log(2), "for each pixel"),
        ("4.5", 8, "change to base 2"),
        ("4.6", [16, 32], "all states first"),
        ("4.6", [31, 15], "Count the states"),
        ("4.6", [when_it_grows(4, 0.02, first=1)[0], 15], "averaged over z_1"),
        ("4.6", [32, 15], "taken T - 1 steps"),
        ("4.6", [27, 14], "a share of what is left"),
        ("4.6", when_it_grows(2, 0.02), "used its root"),
        ("4.6", when_it_grows(4, 0.04), "size 0.04"),
        ("4.6", [6, 4], "become positive"),
        ("4.7", slopes_off(scale=-1), "subtract the slope"),
        ("4.7", slopes_off()[::-1], "error first"),
        ("4.7", [slopes_off()[0], 0], "small, not zero"),
        ("4.7", [-2 / 35, 0.00816], "gap is subtracted"),
        ("4.7", [slopes_off()[0], slopes_off()[1] - slopes_off()[0]], "cut path alone"),
        ("4.7", [-2 * 8 / 35, 0.3], "how much too wide"),
        ("4.7", [-1 / 35, -0.4 / 49], "Multiply by w = 2"),
        ("4.7", [1, 2], "mean of (x - w z) z"),
        *[("4.8", code, hint) for code, hint in WRONG_WAYS],
        *[("4.9", code, hint) for code, hint in WRONG_WALKS],
        ("4.10", kl_divergence(POSTERIOR, MultivariateNormal(MEAN[0], torch.eye(2).double())), "law of the start"),
        ("4.10", kl_divergence(PRIOR, POSTERIOR), "prior as the start"),
        ("4.10", 0, "too wide along"),
        ("4.10", 2 * path_loss(), "factor 1/2"),
        ("4.10", 4 + math.log(3), "sign of the log-determinant"),
        ("4.10", 4, "left out the log-determinant"),
        ("4.10", -path_loss(), "falls short by a divergence"),
        ("4.10", 7, "precisions 1 and 9"),
    ]

"""What an update is made of, against chains replayed by hand: states, averages, losses, counts, memory."""

import itertools

import pytest
import torch
from oracles import close, normal, seeded

from pcltut.models import DiscretizedGaussian, Gaussian, GenerativeModel, LinearGaussian, mlp_decoder, mlp_encoder
from pcltut.samplers import ConstantPreconditioner, RMSPreconditioner
from pcltut.training import LPC, VAE

BATCH, EVENT = 12, (1, 3, 3)


def networks(dtype: torch.dtype = torch.float64, likelihood=Gaussian):
    decoder = mlp_decoder(3, EVENT, hidden=(10,), generator=seeded(1))
    encoder = mlp_encoder(EVENT, 3, hidden=(10,), generator=seeded(2))
    return GenerativeModel(decoder, likelihood(0.4), 3).to(dtype), encoder.to(dtype)


def images(batch: int = BATCH, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return (torch.randint(0, 256, (batch, *EVENT), generator=seeded(3)) * 2 / 255 - 1).to(dtype)


def replay(model, x, start, noises, step_size, *, temperature=1.0, scale_of=None):
    """The states z_0 .. z_{T-1} of a chain, one for each noise, by a plain loop. `scale_of(step, score)` gives M."""
    states, z = [], start.detach()
    for step, noise in enumerate(noises):
        states.append(z)
        z = z.clone().requires_grad_()
        score = torch.autograd.grad(model.log_joint(x, z).sum(), z)[0]
        scale = torch.ones_like(z) if scale_of is None else scale_of(step, score)
        z = (z + step_size * scale * score + (2 * step_size * temperature * scale).sqrt() * noise).detach()
    return states


def mean_descent(model, x, states) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Gradient of minus the log-joint's mean over images and states, and that mean."""
    value = torch.stack([model.log_joint(x, z) for z in states]).mean()
    gradients = torch.autograd.grad(-value, list(model.parameters()))
    return list(gradients), value.detach()


def rms_scale(decay: float, eps: float, share: str):
    """The running preconditioner as a plain function of the step and the score before it."""
    moment = 0.0

    def scale_of(step, score):
        nonlocal moment
        square = score**2 if share == "chain" else (score**2).mean(0)
        moment = decay * moment + (1 - decay) * square
        return (1 / (eps + (moment / (1 - decay ** (step + 1))).sqrt())).expand_as(score)

    return scale_of


def start_and_noises(encoder, x, num_steps: int, seed: int, temperature: float = 1.0):
    """What an update draws: first the start's noise, then one noise a step."""
    generator = seeded(seed)
    start_noise, *noises = (torch.randn(len(x), 3, generator=generator, dtype=x.dtype) for _ in range(num_steps + 1))
    if encoder is None:
        return start_noise, noises
    q = encoder(x)
    return q.mean + q.log_scale.exp() * start_noise, noises


@pytest.mark.parametrize("warm_start", ["reverse", "prior"])
@pytest.mark.parametrize("temperature", [1.0, 0.3, 0.0])
@pytest.mark.parametrize(
    ("preconditioner", "scale_of"),
    [
        (None, lambda: None),
        (ConstantPreconditioner(torch.tensor([0.5, 1.0, 2.0]).double()), lambda: lambda step, score: CONSTANT),
        (RMSPreconditioner(0.8, 0.1), lambda: rms_scale(0.8, 0.1, "chain")),
        (RMSPreconditioner(0.8, 0.1, share="batch"), lambda: rms_scale(0.8, 0.1, "batch")),
    ],
    ids=["plain", "constant", "chain", "batch"],
)
def test_decoder_gradient_is_the_mean_over_the_replayed_states(preconditioner, scale_of, temperature, warm_start):
    """Also: nothing reaches the decoder through the chain, through the encoder, or from the encoder's loss."""
    (model, encoder), x = networks(), images()
    encoder = encoder if warm_start == "reverse" else None
    start, noises = start_and_noises(encoder, x, 6, seed=4)
    algorithm = LPC(6, 0.02, warm_start=warm_start, preconditioner=preconditioner, temperature=temperature)
    actual = algorithm.gradients(model, encoder, x, generator=seeded(4))
    states = replay(model, x, start, noises, 0.02, temperature=temperature, scale_of=scale_of())
    expected, log_joint = mean_descent(model, x, states)
    for a, e in zip(actual.model, expected, strict=True):
        close(a, e)
    close(actual.log_joint, log_joint)


CONSTANT = torch.tensor([0.5, 1.0, 2.0]).double().expand(BATCH, 3)


@pytest.mark.parametrize(("accumulate", "first"), [("all", 0), ("after-burn-in", 3), ("last", 5)])
def test_states_that_teach_the_decoder(accumulate, first):
    (model, encoder), x = networks(), images()
    start, noises = start_and_noises(encoder, x, 6, seed=5)
    actual = LPC(6, 0.02, accumulate=accumulate).gradients(model, encoder, x, generator=seeded(5))
    states = replay(model, x, start, noises, 0.02)
    expected, log_joint = mean_descent(model, x, states[first:])
    for a, e in zip(actual.model, expected, strict=True):
        close(a, e)
    close(actual.log_joint, log_joint)
    assert actual.decoder_evaluations == 6


def elbo_by_hand(model, encoder, x, noise):
    q = encoder(x)
    entropy = torch.distributions.Normal(q.mean, q.scale).entropy().sum(-1)
    return (model.log_joint(x, q.mean + q.log_scale.exp() * noise) + entropy).mean()


@pytest.mark.parametrize("num_steps", [1, 2, 6])
@pytest.mark.parametrize("accumulate", ["all", "last"])
def test_encoder_gradient_is_that_of_the_elbo_at_the_chains_start(num_steps, accumulate):
    """However long the chain: the encoder learns from z_0 alone, at the decoder that the chain ran on."""
    (model, encoder), x = networks(), images()
    noise = torch.randn(BATCH, 3, generator=seeded(6), dtype=torch.float64)
    actual = LPC(num_steps, 0.02, accumulate=accumulate).gradients(model, encoder, x, generator=seeded(6))
    bound = elbo_by_hand(model, encoder, x, noise)
    for a, e in zip(actual.encoder, torch.autograd.grad(-bound, list(encoder.parameters())), strict=True):
        close(a, e)
    close(actual.loss, -bound)


def test_without_an_encoder_the_loss_is_minus_the_log_joint():
    (model, _), x = networks(), images()
    actual = LPC(4, 0.02, warm_start="prior").gradients(model, None, x, generator=seeded(7))
    assert len(actual.encoder) == 0
    close(actual.loss, -actual.log_joint)


@pytest.mark.parametrize("likelihood", [Gaussian, DiscretizedGaussian])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [64, 12])
def test_one_step_is_the_vaes_update_to_the_last_bit(batch, dtype, likelihood):
    """Against minus the ELBO, sent backward by hand; its mean over 64 images divides without rounding."""
    (model, encoder), x = networks(dtype, likelihood), images(batch, dtype)
    lpc = LPC(num_steps=1, step_size=0.1).gradients(model, encoder, x, generator=seeded(8))
    vae = VAE().gradients(model, encoder, x, generator=seeded(8))
    q = encoder(x)
    z = q.mean + q.log_scale.exp() * torch.randn(batch, 3, generator=seeded(8), dtype=dtype)
    loss = -(model.log_joint(x, z) + q.entropy()).mean()
    loss.backward()
    for ours, theirs, module in ((lpc.model, vae.model, model), (lpc.encoder, vae.encoder, encoder)):
        for a, b, parameter in zip(ours, theirs, module.parameters(), strict=True):
            assert torch.equal(a, b)
            if batch == 64:
                assert torch.equal(a, parameter.grad)
            else:
                close(a, parameter.grad, 1e-5 if dtype == torch.float32 else 1e-12)
    assert lpc.decoder_evaluations == vae.decoder_evaluations == 1
    close(lpc.loss, loss, 1e-5)
    close(vae.loss, loss, 1e-5)


def test_vae_averages_over_its_samples():
    (model, encoder), x = networks(), images()
    actual = VAE(num_samples=5).gradients(model, encoder, x, generator=seeded(9))
    noise = torch.randn(5, BATCH, 3, generator=seeded(9), dtype=torch.float64)
    bound = torch.stack([elbo_by_hand(model, encoder, x, part) for part in noise]).mean()
    parameters = [*model.parameters(), *encoder.parameters()]
    expected = torch.autograd.grad(-bound, parameters)
    for a, e in zip(itertools.chain(actual.model, actual.encoder), expected, strict=True):
        close(a, e)
    close(actual.loss, -bound)


@pytest.mark.parametrize("algorithm", [LPC(5, 0.02), LPC(5, 0.02, warm_start="prior"), VAE()])
def test_an_update_changes_nothing_itself(algorithm):
    (model, encoder), x = networks(), images()
    before = [p.clone() for p in itertools.chain(model.parameters(), encoder.parameters())]
    algorithm.gradients(model, encoder if algorithm.uses_encoder else None, x, generator=seeded(10))
    for old, parameter in zip(before, itertools.chain(model.parameters(), encoder.parameters()), strict=True):
        assert torch.equal(old, parameter) and parameter.grad is None


@pytest.mark.parametrize("num_steps", [1, 3, 8])
@pytest.mark.parametrize("warm_start", ["reverse", "prior"])
@pytest.mark.parametrize("accumulate", ["all", "last", "after-burn-in"])
def test_decoder_runs_once_a_step_and_the_encoder_once(num_steps, warm_start, accumulate):
    (model, encoder), x = networks(), images()
    calls = {"decoder": 0, "encoder": 0}
    for name, module in (("decoder", model.decoder), ("encoder", encoder)):
        module.register_forward_hook(lambda *_, name=name: calls.update({name: calls[name] + 1}))
    algorithm = LPC(num_steps, 0.02, warm_start=warm_start, accumulate=accumulate)
    gradients = algorithm.gradients(model, encoder if warm_start == "reverse" else None, x, generator=seeded(11))
    assert calls == {"decoder": num_steps, "encoder": int(warm_start == "reverse")}
    assert gradients.decoder_evaluations == num_steps


class Live:
    """Counts the tensors that autograd keeps for a backward pass, and their bytes at the worst moment."""

    def __init__(self):
        self.bytes = self.peak = 0

    def pack(self, tensor):
        self.bytes += tensor.nbytes
        self.peak = max(self.peak, self.bytes)
        return Kept(self, tensor)


class Kept:
    def __init__(self, live: Live, tensor: torch.Tensor):
        self.live, self.tensor = live, tensor

    def __del__(self):
        self.live.bytes -= self.tensor.nbytes


@pytest.mark.parametrize("warm_start", ["reverse", "prior"])
def test_memory_does_not_grow_with_the_chain(warm_start):
    (model, encoder), x = networks(), images(256)
    peaks = []
    for num_steps in (2, 40):
        live = Live()
        with torch.autograd.graph.saved_tensors_hooks(live.pack, lambda kept: kept.tensor):
            LPC(num_steps, 1e-3, warm_start=warm_start).gradients(
                model, encoder if warm_start == "reverse" else None, x, generator=seeded(12)
            )
        peaks.append(live.peak)
    assert peaks[0] > 256 * 10 * 8  # it does see the activations
    assert peaks[1] == peaks[0]


def test_a_chains_gradient_does_not_depend_on_the_other_images():
    """Twice the same batch gives the same mean gradient: scores are summed, decoder gradients averaged over images."""
    model, x = LinearGaussian(normal(4, 2, seed=13), scale=0.6), normal(5, 4, seed=14)
    algorithm = LPC.predictive_coding(7, 0.05)

    class SameStart(LinearGaussian):
        def sample_prior(self, num, *, generator):
            return normal(5, 2, seed=15).repeat(num // 5, 1)

    doubled = SameStart(model.weight, model.bias, 0.6)
    once, twice = (algorithm.gradients(doubled, None, data, generator=seeded(16)).model for data in (x, x.repeat(2, 1)))
    for a, b in zip(once, twice, strict=True):
        close(a, b)


def test_parameters_that_share_one_gradient_tensor_are_summed_apart():
    """Autograd gives `a + b` one tensor for both: adding to it in place would count each later state twice."""

    class TwoBiases(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = mlp_decoder(3, EVENT, hidden=(), generator=seeded(20)).double()
            self.a, self.b = (torch.nn.Parameter(normal(*EVENT, seed=seed)) for seed in (21, 22))

        def forward(self, z):
            return self.network(z) + (self.a + self.b)

    model = GenerativeModel(TwoBiases(), Gaussian(0.4).double(), 3)
    x, num_steps = images(), 4
    z = model.sample_prior(1, generator=seeded(0)).requires_grad_()
    shared = torch.autograd.grad(model.log_joint(x[:1], z).sum(), (model.decoder.a, model.decoder.b))
    assert shared[0].data_ptr() == shared[1].data_ptr(), "the test no longer meets its case"
    start, noises = start_and_noises(None, x, num_steps, seed=6)
    actual = LPC(num_steps, 0.02, warm_start="prior").gradients(model, None, x, generator=seeded(6))
    expected, _ = mean_descent(model, x, replay(model, x, start, noises, 0.02))
    for a, e in zip(actual.model, expected, strict=True):
        close(a, e)

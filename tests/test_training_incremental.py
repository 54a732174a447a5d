"""Incremental LPC: theta moves at every state, phi once, each by gradients of the moment that the docstring names."""

import math

import pytest
import torch
from oracles import close, normal, seeded

from pcltut.models import Gaussian, GenerativeModel, LinearGaussian, mlp_decoder, mlp_encoder
from pcltut.samplers import RMSPreconditioner
from pcltut.training import LPC, VAE, TrainingState, fit, train_until

EVENT, BATCH = (1, 3, 3), 12
X = (torch.randint(0, 256, (2 * BATCH, *EVENT), generator=seeded(1)) * 2 / 255 - 1).double()


def begin(algorithm, *, dtype=torch.float64, **settings) -> TrainingState:
    decoder = mlp_decoder(3, EVENT, hidden=(10,), generator=seeded(2))
    encoder = mlp_encoder(EVENT, 3, hidden=(10,), generator=seeded(3)).to(dtype) if algorithm.uses_encoder else None
    model = GenerativeModel(decoder, Gaussian(0.4), 3).to(dtype)
    settings = {"batch_size": BATCH, "learning_rate": 0.01, "encoder_learning_rate": 0.003} | settings
    return TrainingState.init(algorithm, model, X.to(dtype), generator=seeded(4), encoder=encoder, **settings)


def weights(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([value.detach().flatten() for value in module.parameters()])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_step_trains_as_the_vae_to_the_last_bit(dtype):
    ours, theirs = begin(LPC(1, 0.3, incremental=True), dtype=dtype), begin(VAE(), dtype=dtype)
    train_until(ours, 6), train_until(theirs, 6)
    assert torch.equal(weights(ours.model), weights(theirs.model))
    assert torch.equal(weights(ours.encoder), weights(theirs.encoder))
    assert torch.equal(ours.history.decoder_evaluations, theirs.history.decoder_evaluations)
    close(ours.history.loss, theirs.history.loss, 1e-5)


def draw(generator: torch.Generator) -> torch.Tensor:
    return torch.randn(BATCH, 3, generator=generator, dtype=torch.float64)


def by_hand(num_batches: int, num_steps: int, step_size: float, accumulate_from: int = 0):
    """The same training written out: the score of z_t at theta_t moves z, the gradient of the same pass moves theta."""
    run = begin(VAE())  # for its networks alone
    model, encoder = run.model, run.encoder
    adam, encoder_adam = (
        torch.optim.Adam(network.parameters(), lr=rate) for network, rate in ((model, 0.01), (encoder, 0.003))
    )
    generator, noise = seeded(4), torch.Generator()
    for batch in range(num_batches):
        if batch % 2 == 0:
            order = torch.randperm(2 * BATCH, generator=generator)
        x = X[order[BATCH * (batch % 2) :][:BATCH]]
        noise.manual_seed(torch.randint(2**62, (), generator=generator).item())
        q = encoder(x)
        z_0 = q.mean + q.log_scale.exp() * draw(noise)
        z = z_0.detach()
        for t in range(num_steps):
            z = z.requires_grad_()
            score, *theta = torch.autograd.grad(model.log_joint(x, z).sum(), (z, *model.parameters()))
            if t == 0:
                bound = (z_0 * score).sum() + q.entropy().sum()
                phi = torch.autograd.grad(-bound / BATCH, list(encoder.parameters()))
            z = (z + step_size * score + (2 * step_size) ** 0.5 * draw(noise)).detach()
            if t >= accumulate_from:
                for parameter, gradient in zip(model.parameters(), theta, strict=True):
                    parameter.grad = -gradient / BATCH
                adam.step()
        for parameter, gradient in zip(encoder.parameters(), phi, strict=True):
            parameter.grad = gradient
        encoder_adam.step()
    return model, encoder


@pytest.mark.parametrize(("accumulate", "first"), [("all", 0), ("last", 3)])
def test_updates_follow_the_training_written_by_hand(accumulate, first):
    run = begin(LPC(4, 0.02, incremental=True, accumulate=accumulate))
    train_until(run, 4)
    model, encoder = by_hand(4, 4, 0.02, first)
    close(weights(run.model), weights(model), 1e-8)
    close(weights(run.encoder), weights(encoder), 1e-8)
    assert run.history.decoder_evaluations.tolist() == [4, 8, 12, 16]


@pytest.mark.parametrize(
    "algorithm",
    [
        LPC(3, 0.02, incremental=True),
        LPC(3, 0.1, warm_start="jeffreys", preconditioner=RMSPreconditioner(share="batch"), incremental=True),
        LPC(3, 0.02, warm_start="persistent", incremental=True),
    ],
    ids=["reverse", "jeffreys", "persistent"],
)
def test_a_resumed_run_ends_with_the_same_bits(algorithm, tmp_path):
    path = tmp_path / "run.safetensors"
    whole, stopped, resumed = (begin(algorithm) for _ in range(3))
    train_until(whole, 7)
    train_until(stopped, 3, checkpoint=path)
    assert resumed.resume(path)
    train_until(resumed, 7)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, rtol=0, atol=0, equal_nan=True, msg=name)


def test_a_batchwise_run_may_not_go_on_as_an_incremental_one(tmp_path):
    path = tmp_path / "run.safetensors"
    train_until(begin(LPC(3, 0.02)), 3, checkpoint=path)
    with pytest.raises(ValueError, match="incremental"):
        begin(LPC(3, 0.02, incremental=True)).resume(path)


@pytest.mark.parametrize("kernel", [{"kernel": "mala"}, {"kernel": "hmc", "num_leapfrog": 2}])
def test_kernels_that_keep_scores_of_old_parameters_are_refused(kernel):
    with pytest.raises(ValueError, match=r"^got incremental=True with kernel=.*, expected 'ula'; "):
        LPC(3, 0.1, incremental=True, **kernel)


def test_one_pass_a_state_and_one_of_the_encoder_a_batch():
    run, calls = begin(LPC(5, 0.02, incremental=True)), {"decoder": 0, "encoder": 0}
    run.model.decoder.register_forward_hook(lambda *_: calls.update(decoder=calls["decoder"] + 1))
    run.encoder.register_forward_hook(lambda *_: calls.update(encoder=calls["encoder"] + 1))
    train_until(run, 2)
    margins = 40  # the stability margin's products in the first iteration
    assert calls["encoder"] == 2 and 10 <= calls["decoder"] <= 10 + margins
    slots = run.optimizers[0].state[run.model.decoder[0].weight], run.optimizers[1].state[run.encoder.network[1].weight]
    assert [int(slot["step"]) for slot in slots] == [10, 2]


def test_a_schedule_counts_batches():
    asked = []
    run = begin(LPC(4, 0.02, incremental=True), learning_rate=lambda iteration: asked.append(iteration) or 0.01)
    train_until(run, 3)
    assert sorted(set(asked)) == [0, 1, 2] and asked.count(1) == 4


@pytest.mark.slow
def test_at_a_vanishing_rate_training_ends_at_the_closed_form():
    """w^2 + sigma^2 = l / (1 + gamma l / (2 sigma^2)), as for updates of whole batches: the states are the same law's.

    Persistent chains converge while theta moves slowly, so their states have the stationary law of ULA.
    """
    eigenvalue, step_size, num_images = 4.0, 0.5, 4000
    x = normal(num_images, 1, seed=5)
    x = (x - x.mean()) / x.std(correction=0) * eigenvalue**0.5
    model = LinearGaussian(torch.tensor([[0.6]], dtype=torch.float64), scale=1.0)
    algorithm = LPC(4, step_size, warm_start="persistent", incremental=True)
    fit(
        algorithm,
        model,
        x,
        generator=seeded(6),
        num_epochs=300,
        batch_size=num_images,
        learning_rate=lambda iteration: 0.01 * (0.5 + 0.5 * math.cos(math.pi * iteration / 300)) + 1e-5,
    )
    exact = eigenvalue / (1 + step_size * eigenvalue / 2) - 1
    assert model.weight.item() ** 2 == pytest.approx(exact, rel=0.01)
    assert abs(model.weight.item() ** 2 - (eigenvalue - 1)) > 0.5  # maximum likelihood is another place

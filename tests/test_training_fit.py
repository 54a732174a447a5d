"""The training loop against one written by hand, its batches and seeds, its history, its errors."""

import copy
import math

import pytest
import torch
from oracles import close, linear_weight, normal, seeded

from pcltut.data import Images
from pcltut.models import Gaussian, GenerativeModel, LinearGaussian, mlp_decoder, mlp_encoder
from pcltut.samplers import ChainDiverged, RMSPreconditioner
from pcltut.training import IWAE, LPC, VAE, fit

EVENT, NUM_IMAGES = (1, 3, 3), 50
X = (torch.randint(0, 256, (NUM_IMAGES, *EVENT), generator=seeded(1)) * 2 / 255 - 1).double()


def networks(dtype: torch.dtype = torch.float64):
    decoder = mlp_decoder(3, EVENT, hidden=(10,), generator=seeded(2))
    encoder = mlp_encoder(EVENT, 3, hidden=(10,), generator=seeded(3))
    return GenerativeModel(decoder, Gaussian(0.4), 3).to(dtype), encoder.to(dtype)


def weights(*modules: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for module in modules for p in module.parameters()])


class Recording:
    """An algorithm that notes the batch and the generator that each iteration was given."""

    def __init__(self, algorithm):
        self.algorithm, self.batches, self.states = algorithm, [], []

    def __getattr__(self, name):
        return getattr(self.algorithm, name)

    def updates(self, model, encoder, x, *, generator, start=None):
        self.batches.append(x.clone())
        self.states.append(generator.get_state())
        return self.algorithm.updates(model, encoder, x, generator=generator, start=start)

    def iterations(self):
        """Batch, a generator as it was, and the start noise that it draws first."""
        for x, state in zip(self.batches, self.states, strict=True):
            first, again = (torch.Generator().set_state(state) for _ in range(2))
            yield x, first, torch.randn(len(x), 3, generator=again, dtype=x.dtype)


def train(algorithm, *, seed: int = 4, dtype=torch.float64, data=None, **settings):
    """Networks after training, and the history. 50 images in batches of 16: the last batch has two."""
    model, encoder = networks(dtype)
    encoder = encoder if algorithm.uses_encoder else None
    settings = {"num_epochs": 3, "batch_size": 16, "learning_rate": 0.01} | settings
    data = X.to(dtype) if data is None else data
    history = fit(algorithm, model, data, generator=seeded(seed), encoder=encoder, **settings)
    return model, encoder, history


def minus_elbo(model, encoder, x, noise):
    q = encoder(x)
    entropy = torch.distributions.Normal(q.mean, q.scale).entropy().sum(-1)
    return -(model.log_joint(x, q.mean + q.scale * noise) + entropy).mean()


def hand_written(recording, decoder_gradient, *, decoder_first: bool = False):
    """Adam on both networks: gradients at the same parameters, or (wrongly) the encoder's after the decoder's step."""
    model, encoder = networks()
    optimizers = [torch.optim.Adam(module.parameters(), lr=0.01) for module in (model, encoder)]
    for x, generator, noise in recording.iterations():
        for parameter, gradient in zip(
            model.parameters(), decoder_gradient(model, encoder, x, generator, noise), strict=True
        ):
            parameter.grad = gradient
        if decoder_first:
            optimizers[0].step()
        gradients = torch.autograd.grad(minus_elbo(model, encoder, x, noise), list(encoder.parameters()))
        for parameter, gradient in zip(encoder.parameters(), gradients, strict=True):
            parameter.grad = gradient
        if not decoder_first:
            optimizers[0].step()
        optimizers[1].step()
    return model, encoder


@pytest.mark.parametrize("algorithm", [LPC(1, 0.02), LPC(4, 0.02), LPC(4, 0.02, accumulate="last"), VAE()])
def test_fit_takes_both_gradients_at_the_same_parameters(algorithm):
    def decoder_gradient(model, encoder, x, generator, noise):
        if algorithm in (LPC(1, 0.02), VAE()):  # written out here; longer chains have their own tests
            return torch.autograd.grad(minus_elbo(model, encoder, x, noise), list(model.parameters()))
        return algorithm.gradients(model, encoder, x, generator=generator).model

    recording = Recording(algorithm)
    model, encoder, _ = train(recording)
    right = hand_written(recording, decoder_gradient)
    wrong = hand_written(recording, decoder_gradient, decoder_first=True)
    close(weights(model), weights(right[0]))
    close(weights(encoder), weights(right[1]))
    assert (weights(encoder) - weights(wrong[1])).abs().max() > 1e-4  # double-dipping would show


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_lpc_of_one_step_trains_as_the_vae_to_the_last_bit(dtype):
    lpc, lpc_encoder, lpc_history = train(LPC(num_steps=1, step_size=0.3), dtype=dtype)
    vae, vae_encoder, vae_history = train(VAE(), dtype=dtype)
    assert torch.equal(weights(lpc, lpc_encoder), weights(vae, vae_encoder))
    assert torch.equal(lpc_history.decoder_evaluations, vae_history.decoder_evaluations)
    close(lpc_history.loss, vae_history.loss, 1e-5)


def test_all_algorithms_see_the_same_batches_and_start_noise():
    algorithms = [
        LPC(1, 0.02),
        LPC(5, 0.02, preconditioner=RMSPreconditioner(), accumulate="last"),
        LPC(3, 0.01, warm_start="prior"),
        LPC.predictive_coding(2, 0.01),
        VAE(),
        VAE(num_samples=3),
    ]
    recordings = [Recording(algorithm) for algorithm in algorithms]
    for recording in recordings:
        train(recording)
    for other in recordings[1:]:
        for ours, theirs in zip(recordings[0].iterations(), other.iterations(), strict=True):
            assert torch.equal(ours[0], theirs[0]) and torch.equal(ours[2], theirs[2])
    starts = torch.cat([noise for _, _, noise in recordings[0].iterations()])
    assert len(starts.unique(dim=0)) == len(starts)  # a noise of its own for each iteration


def test_an_epoch_is_a_new_order_of_all_images():
    recording = Recording(VAE())
    train(recording)
    assert [len(x) for x in recording.batches] == 3 * [16, 16, 16, 2]
    epochs = [torch.cat(recording.batches[start : start + 4]).flatten(1) for start in (0, 4, 8)]
    for epoch in epochs:
        assert sorted(epoch.tolist()) == sorted(X.flatten(1).tolist())
    assert not torch.equal(epochs[0], epochs[1]) and not torch.equal(epochs[1], epochs[2])


def test_same_seed_same_weights_other_seed_other_weights():
    first, again, other = (weights(*train(LPC(3, 0.02), seed=seed)[:2]) for seed in (4, 4, 5))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_images_are_trained_as_floats_in_minus_one_to_one():
    pixels = torch.randint(0, 256, (NUM_IMAGES, *EVENT), generator=seeded(1), dtype=torch.uint8)
    images = Images(pixels, torch.zeros(NUM_IMAGES, dtype=torch.int64), "made here", "train")
    from_images = train(VAE(), dtype=torch.float32, data=images)
    from_floats = train(VAE(), dtype=torch.float32, data=2 * pixels.float() / 255 - 1)
    assert torch.equal(weights(*from_images[:2]), weights(*from_floats[:2]))


def test_history_has_one_entry_for_each_iteration():
    recording = Recording(LPC(4, 0.02))
    _, _, history = train(recording)
    assert len(history) == 12
    for name in ("iteration", "epoch", "loss", "log_joint", "scale", "decoder_evaluations", "stability_margin"):
        assert getattr(history, name).shape == (12,)
    assert history.iteration.tolist() == list(range(12))
    assert history.epoch.tolist() == 4 * [0] + 4 * [1] + 4 * [2]
    assert history.decoder_evaluations.tolist() == [4 * (i + 1) for i in range(12)]
    assert history.scale[0].item() == pytest.approx(0.4, rel=1e-6)
    assert history.scale[-1] != history.scale[0]
    x, _, noise = next(recording.iterations())
    fresh, encoder = networks()
    close(history.loss[0], minus_elbo(fresh, encoder, x, noise), 1e-9)
    assert math.isfinite(history.stability_margin[0].item())
    summary = history.summary()
    assert f"{history.loss[-1].item():.1f}" in summary and "48" in summary


def test_margin_in_the_history_is_two_over_step_and_curvature():
    model = LinearGaussian(linear_weight(), scale=0.7)
    largest = torch.linalg.eigvalsh(model.posterior_precision()).max().item()
    algorithm = LPC(3, 0.05, warm_start="prior")
    history = fit(algorithm, model, normal(40, 5, seed=6), generator=seeded(7), num_epochs=1, batch_size=20)
    assert history.stability_margin[0].item() == pytest.approx(2 / (0.05 * largest), rel=1e-2)


@pytest.mark.parametrize("algorithm", [LPC(100, 5.0), LPC(100, 5.0, warm_start="prior")])
def test_divergence_stops_the_run_with_the_margin_and_the_remedy(algorithm):
    with pytest.raises(ChainDiverged, match=r"(?s)margin.*lower step_size") as error:
        train(algorithm, dtype=torch.float32)  # 4^100 is beyond its numbers
    margins = [float(word) for word in str(error.value).split() if _is_number(word)]
    assert any(0 < margin < 1 for margin in margins)


def _is_number(word: str) -> bool:
    return word.replace(".", "", 1).replace("e-", "", 1).isdigit()


def test_weights_before_a_divergence_are_finite():
    model, encoder = networks(torch.float32)
    with pytest.raises(ChainDiverged):
        fit(LPC(100, 5.0), model, X.float(), generator=seeded(4), encoder=encoder, num_epochs=1, batch_size=16)
    assert weights(model, encoder).isfinite().all()


@pytest.mark.parametrize("algorithm", [VAE(), IWAE(2)], ids=repr)
def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_weights(algorithm):
    model, encoder = networks(torch.float32)
    model.likelihood.log_scale.data.fill_(-60.0)  # sigma^2 is below what a float32 can hold
    with pytest.raises(FloatingPointError, match=r"iteration \d+ of .*AE.*; lower learning_rate"):
        fit(algorithm, model, X.float(), generator=seeded(4), encoder=encoder, num_epochs=1, batch_size=16)
    assert weights(model, encoder).isfinite().all()


def test_learning_rates_may_be_functions_of_the_iteration():
    asked = []

    def rate(iteration: int) -> float:
        asked.append(iteration)
        return 0.01 if iteration < 5 else 0.0

    model, encoder, _ = train(VAE(), learning_rate=rate, encoder_learning_rate=0.003)
    assert sorted(set(asked)) == list(range(12))
    still = train(VAE(), learning_rate=rate, encoder_learning_rate=0.003, num_epochs=4)
    assert torch.equal(weights(model), weights(still[0]))  # no decoder step after the fifth
    assert not torch.equal(weights(encoder), weights(still[1]))
    frozen = train(VAE(), learning_rate=0.01, encoder_learning_rate=0.0)
    assert torch.equal(weights(frozen[1]), weights(networks()[1]))
    same = train(VAE(), learning_rate=0.01, encoder_learning_rate=None)
    assert torch.equal(weights(*same[:2]), weights(*train(VAE(), encoder_learning_rate=0.01)[:2]))


@pytest.mark.parametrize("algorithm", [VAE(), IWAE(3), LPC(2, 0.01, warm_start="persistent")], ids=repr)
def test_a_run_may_stop_within_an_epoch_and_go_on(algorithm, tmp_path):
    """Epochs of 5 steps: stops after 3, 7 and 15 steps on one checkpoint equal 3 epochs in one go, bit for bit."""
    whole = train(algorithm, batch_size=10, num_epochs=3)
    for num_iterations in (3, 7, 15):
        path = tmp_path / "checkpoint.safetensors"
        model, encoder, history = train(
            algorithm, batch_size=10, num_epochs=None, num_iterations=num_iterations, checkpoint=path
        )
        assert len(history) == num_iterations
    for network, expected in ((model, whole[0]), (encoder, whole[1])):
        assert network is expected is None or torch.equal(weights(network), weights(expected))
    assert torch.equal(history.loss, whole[2].loss)


def test_a_scale_that_is_not_learned_stays():
    model = GenerativeModel(networks()[0].decoder, Gaussian(0.3, learn_scale=False), 3).double()
    history = fit(LPC(2, 0.01, warm_start="prior"), model, X, generator=seeded(4), num_epochs=1, batch_size=16)
    assert (history.scale == history.scale[0]).all()


def test_progress_is_quiet_unless_asked(capsys):
    train(VAE(), num_epochs=1)
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err == ""
    train(LPC(2, 0.01), num_epochs=4, progress=True)
    assert "loss" in capsys.readouterr().err


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize(
    "call",
    [
        lambda model, encoder: fit(VAE(), model, X, generator=seeded(1), num_epochs=1),
        lambda model, encoder: fit(LPC(2, 0.1, "prior"), model, X, generator=seeded(1), num_epochs=1, encoder=encoder),
        lambda model, encoder: fit(VAE(), model, X, generator=seeded(1), num_epochs=0, encoder=encoder),
        lambda model, encoder: fit(VAE(), model, X, generator=seeded(1), encoder=encoder),
        lambda model, encoder: fit(
            VAE(), model, X, generator=seeded(1), num_epochs=1, num_iterations=1, encoder=encoder
        ),
        lambda model, encoder: fit(VAE(), model, X, generator=seeded(1), num_iterations=0, encoder=encoder),
        lambda model, encoder: IWAE(0),
        lambda model, encoder: fit(VAE(), model, X, generator=seeded(1), num_epochs=1, encoder=encoder, batch_size=0),
        lambda model, encoder: fit(VAE(), model, X[:0], generator=seeded(1), num_epochs=1, encoder=encoder),
        lambda model, encoder: fit(VAE(), model, X[:, :, 1:], generator=seeded(1), num_epochs=1, encoder=encoder),
        lambda model, encoder: LPC(0, 0.1),
        lambda model, encoder: LPC(2, -0.1),
        lambda model, encoder: LPC(2, 0.1, temperature=-1.0),
        lambda model, encoder: LPC(2, 0.1, warm_start="encoder"),
        lambda model, encoder: LPC(2, 0.1, accumulate="first"),
        lambda model, encoder: VAE(num_samples=0),
    ],
)
def test_wrong_arguments_say_got_expected_and_remedy(call):
    with pytest.raises(ValueError, match=r"(?s)^got .*expected .*[;(] ?"):
        call(*networks())


def test_algorithms_print_and_keep_their_hyperparameters():
    text = repr(LPC(10, 1e-3, preconditioner=RMSPreconditioner(0.9), accumulate="after-burn-in"))
    for part in ("num_steps=10", "step_size=0.001", "RMSPreconditioner", "0.9", "after-burn-in", "temperature=1.0"):
        assert part in text
    classic = LPC.predictive_coding(20, 0.1)
    expected = LPC(20, 0.1, warm_start="prior", temperature=0.0, accumulate="last")
    assert classic == expected == copy.copy(classic)
    with pytest.raises(AttributeError):
        classic.num_steps = 3

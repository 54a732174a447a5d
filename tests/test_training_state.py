"""A training run as a state: left and entered anywhere, and what strangers' hands did to a run that goes on."""

import copy
import dataclasses
import math
import pickle
import threading

import numpy as np
import pytest
import torch
from oracles import normal, seeded
from torch import nn

from pcltut.data import Images
from pcltut.models import (
    Gaussian,
    GenerativeModel,
    LinearGaussian,
    conv_decoder,
    conv_encoder,
    mlp_decoder,
    mlp_encoder,
)
from pcltut.samplers import ConstantPreconditioner, RMSPreconditioner
from pcltut.training import (
    IWAE,
    LPC,
    VAE,
    Algorithm,
    CheckpointError,
    Gradients,
    TrainingState,
    VarianceScaledStep,
    fit,
    load_checkpoint,
    train_until,
)

EVENT, NUM_IMAGES = (1, 3, 3), 50
X = (torch.randint(0, 256, (NUM_IMAGES, *EVENT), generator=seeded(1)) * 2 / 255 - 1).float()
ALGORITHMS = [
    VAE(),
    IWAE(2),
    LPC(3, 0.02, warm_start="jeffreys", preconditioner=RMSPreconditioner(0.9, share="batch")),
    LPC(2, 0.02, warm_start="persistent"),
    LPC(2, 0.02, kernel="mala"),
]


def networks(hidden: tuple[int, ...] = (10,)):
    decoder = mlp_decoder(3, EVENT, hidden=hidden, generator=seeded(2))
    encoder = mlp_encoder(EVENT, 3, hidden=hidden, generator=seeded(3))
    return GenerativeModel(decoder, Gaussian(0.4), 3), encoder


def begin(algorithm, *, model=None, encoder=None, data=X, seed: int = 4, **settings) -> TrainingState:
    """A run at its beginning: 50 images in batches of 16."""
    fresh = networks()
    model = fresh[0] if model is None else model
    encoder = (fresh[1] if encoder is None else encoder) if algorithm.uses_encoder else None
    settings = {"batch_size": 16, "learning_rate": 0.01} | settings
    return TrainingState.init(algorithm, model, data, generator=seeded(seed), encoder=encoder, **settings)


def weights(state: TrainingState) -> torch.Tensor:
    modules = [module for module in (state.model, state.encoder) if module is not None]
    return torch.cat([value.detach().flatten() for module in modules for value in module.parameters()])


def assert_same(first: TrainingState, second: TrainingState) -> None:
    """Every tensor of two runs agrees in every bit."""
    ours, theirs = first.state_dict(), second.state_dict()
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], rtol=0, atol=0, equal_nan=True, msg=name)


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=repr)
def test_a_run_is_left_and_entered_at_any_iteration(algorithm):
    whole, parts = begin(algorithm), begin(algorithm)
    train_until(whole, 9)
    for iteration in (1, 4, 4, 9):
        train_until(parts, iteration)
    assert_same(parts, whole)
    assert len(parts.history) == 9


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=repr)
def test_a_state_dict_takes_a_fresh_run_to_the_same_place(algorithm):
    run, other = begin(algorithm), begin(algorithm, seed=99)
    train_until(run, 6)
    saved = copy.deepcopy(run.state_dict())
    train_until(run, 11)
    other.load_state_dict(saved)
    train_until(other, 11)
    assert_same(other, run)


class TwoSteps(Algorithm):
    """An algorithm whose decoder moves twice a batch, at the parameters of the moment; the encoder moves once."""

    def updates(self, model, encoder, x, *, generator, start=None):
        seen = self.seen = []
        for last in (False, True):
            gradients = VAE().gradients(model, encoder, x, generator=generator)
            seen.append(model.decoder[-1].bias.detach().clone())
            yield gradients if last else gradients._replace(encoder=())


def test_a_step_may_take_several_optimizer_steps():
    algorithm = TwoSteps()
    run = begin(algorithm, learning_rate=0.01)
    train_until(run, 3)
    assert not torch.equal(*algorithm.seen)  # the second gradient is taken after the decoder has moved
    assert run.history.decoder_evaluations.tolist() == [2, 4, 6]
    slots = run.optimizers[0].state[run.model.decoder[0].weight], run.optimizers[1].state[run.encoder.network[1].weight]
    assert [int(slot["step"]) for slot in slots] == [6, 3]


# What strangers ran into: each test is named after the kind of fault.


def test_state_matched_by_position_is_matched_by_name(tmp_path):
    path = tmp_path / "run.safetensors"
    model, encoder = networks(hidden=(10, 10, 10))
    run = begin(VAE(), model=model, encoder=encoder)
    train_until(run, 6, checkpoint=path)
    saved = run.state_dict()
    model.decoder[2].requires_grad_(False)  # decoder[4] has its shape: by position it would get its moments
    other = begin(VAE(), model=model, encoder=encoder)
    with pytest.raises(CheckpointError, match=r"trained parameters .*decoder\.2\.weight"):
        other.resume(path)
    with pytest.raises(CheckpointError, match=r"got moments of .*decoder\.2\.weight.*, expected"):
        other.load_state_dict(saved)


def test_state_matched_by_position_two_layers_of_one_shape_in_another_order():
    """Moments belong to names, in whatever order a file lists them."""
    model, encoder = networks(hidden=(10, 10, 10))
    run = begin(VAE(), model=model, encoder=encoder)
    train_until(run, 6)
    saved = {name: value.clone() for name, value in run.state_dict().items()}
    other = begin(VAE(), model=networks(hidden=(10, 10, 10))[0], encoder=networks(hidden=(10, 10, 10))[1])
    names = {"decoder.2.": "decoder.4.", "decoder.4.": "decoder.2."}
    order = [next((name.replace(a, b) for a, b in names.items() if a in name), name) for name in saved]
    other.load_state_dict({name: saved[name] for name in order})
    train_until(run, 9), train_until(other, 9)
    assert_same(run, other)


@pytest.mark.parametrize("algorithm", [VAE(), LPC(2, 1e-3)], ids=repr)
def test_moments_restored_in_another_memory_layout_keep_their_bits(algorithm, tmp_path):
    path, x = tmp_path / "run.safetensors", normal(20, 1, 28, 28, seed=5, dtype=torch.float32).clamp(-1, 1)

    def conv_run() -> TrainingState:
        decoder, encoder = (
            make(*sizes, hidden=8, channels=channels, generator=seeded(6)).to(memory_format=torch.channels_last)
            for make, sizes, channels in (
                (conv_decoder, (4, (1, 28, 28)), (8, 8)),
                (conv_encoder, ((1, 28, 28), 4), (8, 8)),
            )
        )
        model = GenerativeModel(decoder, Gaussian(0.4), 4)
        return begin(algorithm, model=model, encoder=encoder, data=x, batch_size=10)

    whole, stopped, resumed = conv_run(), conv_run(), conv_run()
    train_until(whole, 6)
    train_until(stopped, 3, checkpoint=path)
    assert resumed.resume(path)
    train_until(resumed, 6)
    assert_same(resumed, whole)
    for parameter, slots in resumed.optimizers[0].state.items():
        assert slots["exp_avg"].stride() == parameter.stride()


class Tied(nn.Module):
    """A decoder with one weight in two places."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(9, 9, device="meta"), nn.Linear(9, 9, device="meta")
        for layer in (self.first, self.second):
            layer.bias = nn.Parameter(torch.zeros(9))
        self.first.weight = self.second.weight = nn.Parameter(0.1 * normal(9, 9, seed=7, dtype=torch.float32))

    def forward(self, z):
        z = torch.nn.functional.pad(z, (0, 6))
        return self.second(torch.tanh(self.first(z))).unflatten(-1, EVENT)


def test_shared_storage_is_saved_and_restored(tmp_path):
    path = tmp_path / "run.safetensors"
    whole, stopped, resumed = (begin(VAE(), model=GenerativeModel(Tied(), Gaussian(0.4), 3)) for _ in range(3))
    train_until(whole, 6)
    train_until(stopped, 3, checkpoint=path)
    assert resumed.resume(path)
    train_until(resumed, 6)
    assert_same(resumed, whole)
    assert resumed.model.decoder.first.weight is resumed.model.decoder.second.weight


OTHER_RUNS = {
    "another learning rate": {"learning_rate": 0.02},
    "another encoder's learning rate": {"encoder_learning_rate": 0.02},
    "another schedule": {"learning_rate": lambda iteration: 0.01 / (1 + iteration)},
    "another batch size": {"batch_size": 8},
    "other data of equal number": {"data": X.flip(0)},
}


@pytest.mark.parametrize("name", OTHER_RUNS)
def test_identity_another_run_is_refused(name, tmp_path):
    path = tmp_path / "run.safetensors"
    train_until(begin(VAE()), 5, checkpoint=path)
    with pytest.raises(CheckpointError, match=r"(?s)^got a checkpoint .*, expected .*; go on with the same settings"):
        begin(VAE(), **OTHER_RUNS[name]).resume(path)


@pytest.mark.usefixtures("no_shape_checks")
def test_identity_is_by_value_and_not_by_repr(tmp_path):
    path, M = tmp_path / "run.safetensors", torch.ones(3)
    first = LPC(np.int64(2), np.float64(1e-2), preconditioner=ConstantPreconditioner(M), temperature=1)
    train_until(begin(first), 3, checkpoint=path)
    assert begin(LPC(2, 1e-2, preconditioner=ConstantPreconditioner(M.clone()))).resume(path)
    nearly = M + torch.tensor([0, 0, 1e-6])  # prints alike
    for other in (LPC(2, 1e-2), LPC(2, 1e-2, preconditioner=ConstantPreconditioner(nearly)), VAE()):
        with pytest.raises(CheckpointError, match="algorithm"):
            begin(other).resume(path)


def test_identity_a_schedule_that_was_the_same_so_far_goes_on(tmp_path):
    path = tmp_path / "run.safetensors"
    train_until(begin(VAE(), learning_rate=lambda iteration: 0.01), 5, checkpoint=path)
    assert begin(VAE(), learning_rate=0.01).resume(path)


def test_process_global_state_training_works_from_threads():
    """Four threads at once, as in a study with several jobs: each ends as it does alone."""
    algorithms = [
        LPC(2, 0.01, warm_start="prior"),
        LPC(3, 0.01),
        VAE(),
        LPC(2, 0.1, preconditioner=RMSPreconditioner()),
    ]
    alone = [begin(algorithm) for algorithm in algorithms]
    for run in alone:
        train_until(run, 60)
    together, errors = [begin(algorithm) for algorithm in algorithms], []

    def train(run: TrainingState) -> None:
        try:
            train_until(run, 60)
        except Exception as error:  # shown by the assertion below
            errors.append(error)

    threads = [threading.Thread(target=train, args=(run,)) for run in together]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    for first, second in zip(together, alone, strict=True):
        assert_same(first, second)


@pytest.mark.parametrize("algorithm", [VAE(), IWAE(2), LPC(2, 0.02), LPC(2, 0.02, warm_start="jeffreys")], ids=repr)
def test_edge_cases_of_fit_a_frozen_encoder_stays(algorithm):
    encoder = networks()[1].requires_grad_(False)
    before = [value.clone() for value in encoder.parameters()]
    run = begin(algorithm, encoder=encoder)
    train_until(run, 3)
    assert all(torch.equal(old, new) for old, new in zip(before, encoder.parameters(), strict=True))
    assert not torch.equal(weights(run), weights(begin(algorithm)))


def images() -> Images:
    pixels = torch.randint(0, 256, (NUM_IMAGES, *EVENT), generator=seeded(1), dtype=torch.uint8)
    return Images(pixels, torch.zeros(NUM_IMAGES, dtype=torch.int64), "made", "train")


def test_edge_cases_of_fit_default_dtype_float64():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        run = begin(LPC(2, 0.02), data=images())
        train_until(run, 3)
        assert weights(run).dtype == torch.float64 and weights(run).isfinite().all()
        with pytest.raises(ValueError, match=r"got data of torch.float32, expected torch.float64.*; use x.to"):
            begin(LPC(2, 0.02), data=X)
    finally:
        torch.set_default_dtype(before)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=repr)
def test_edge_cases_of_fit_inside_no_grad(mode, algorithm):
    plain, inside = begin(algorithm), begin(algorithm)
    train_until(plain, 3)
    with mode():
        train_until(inside, 3)
    assert_same(inside, plain)


def test_edge_cases_of_fit_networks_built_inside_inference_mode():
    with torch.inference_mode(), pytest.raises(ValueError, match="build the networks outside"):
        begin(VAE())


class Poisoned(Algorithm):
    """The VAE until one call of `gradients`, which has one NaN that no loss shows yet."""

    def __init__(self, at: int):
        self.at, self.calls = at, 0

    def gradients(self, model, encoder, x, *, generator, start=None) -> Gradients:
        gradients = VAE().gradients(model, encoder, x, generator=generator)
        self.calls += 1
        if self.calls == self.at:
            gradients.model[0].view(-1)[0] = math.nan
        return gradients


@pytest.mark.parametrize("at", [4, 6])
def test_edge_cases_of_fit_weights_that_are_not_finite_are_never_saved(at, tmp_path):
    """The last update of a run, or one before a checkpoint, leaves the numbers: the last good file stays."""
    path = tmp_path / "run.safetensors"
    with pytest.raises(FloatingPointError, match="lower learning_rate"):
        train_until(begin(Poisoned(at)), 6, checkpoint=path, checkpoint_every=2)
    tensors, _ = load_checkpoint(path)
    assert int(tensors["iteration"]) == at - 2
    assert all(value.isfinite().all() for name, value in tensors.items() if name.startswith("model"))


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize(
    "call",
    [
        lambda: LPC(3, "1e-3"),
        lambda: LPC(3.0, 1e-3),
        lambda: LPC("3", 1e-3),
        lambda: LPC(True, 1e-3),
        lambda: LPC(3, None),
        lambda: LPC(3, 1e-3, temperature="1"),
        lambda: LPC(3, 1e-3, preconditioner="batch"),
        lambda: LPC(3, 1e-3, kernel="hmc", num_leapfrog=1.5),
        lambda: VAE(1.0),
        lambda: IWAE("8"),
        lambda: VarianceScaledStep("1e-3", 0.4),
        lambda: RMSPreconditioner("0.9"),
        lambda: RMSPreconditioner(freeze_after=2.5),
        lambda: begin(VAE(), batch_size=16.0),
        lambda: begin(VAE(), learning_rate="0.01"),
        lambda: train_until(begin(VAE()), 3, checkpoint_every=0),
        lambda: fit(VAE(), networks()[0], X, encoder=networks()[1], generator=seeded(1), num_epochs=1.5),
    ],
)
def test_values_that_cannot_be_handled_are_named_in_one_line(call):
    with pytest.raises(ValueError, match=r"^got .*, expected .*; .+$") as error:
        call()
    assert "\n" not in str(error.value)


SETTINGS = [
    LPC(3, 1e-3, preconditioner=ConstantPreconditioner(torch.tensor([1.0, 2.0]))),
    LPC(3, 0.1, preconditioner=RMSPreconditioner(0.9, share="batch")),
    LPC(3, VarianceScaledStep(1e-3, 0.4)),
    LPC.hoffman2017(2, 0.1, num_leapfrog=3),
    VAE(2),
    IWAE(4),
]


@pytest.mark.parametrize("algorithm", SETTINGS, ids=repr)
def test_values_that_cannot_be_handled_settings_are_pickled_and_compared(algorithm):
    again = pickle.loads(pickle.dumps(algorithm))
    assert again == algorithm == copy.deepcopy(algorithm) and hash(again) == hash(algorithm)
    assert dataclasses.replace(algorithm) == algorithm
    assert sum(other == algorithm for other in SETTINGS) == 1


def test_a_step_size_may_follow_the_model():
    """sigma halves: the step is a quarter, so the chain moves as one with a step four times smaller."""
    model = LinearGaussian(normal(4, 2, seed=8), scale=0.3, learn_scale=True)
    x = normal(6, 4, seed=9)
    follows, plain = LPC(3, VarianceScaledStep(0.04, 0.6), warm_start="prior"), LPC(3, 0.01, warm_start="prior")
    ours, theirs = (algorithm.gradients(model, None, x, generator=seeded(10)) for algorithm in (follows, plain))
    torch.testing.assert_close(ours.chain.z, theirs.chain.z, rtol=1e-6, atol=1e-7)
    margins = [algorithm.stability_margin(model, x, ours.chain) for algorithm in (follows, plain)]
    assert margins[0] == pytest.approx(margins[1], rel=1e-6)

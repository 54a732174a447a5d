"""What strangers' hands did to training runs; each test is named after the kind of fault."""

import copy
import dataclasses
import functools
import math
import pickle
import threading

import numpy as np
import pytest
import torch
from oracles import normal, seeded
from torch import nn
from training_runs import ALGORITHMS, EVENT, X, assert_same, begin, images, networks, weights

from pcltut.models import (
    Gaussian,
    GenerativeModel,
    LinearGaussian,
    conv_decoder,
    conv_encoder,
    mlp_encoder,
)
from pcltut.samplers import ChainDiverged, ConstantPreconditioner, RMSPreconditioner
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
    load_weights,
    train_until,
)


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


class Counting(LPC):
    """An algorithm of one's own that adds to `gradients`."""

    def gradients(self, *arguments, **keywords):
        calls.append(1)
        return super().gradients(*arguments, **keywords)


calls: list[int] = []


def test_an_algorithm_that_overrides_gradients_is_asked():
    calls.clear()
    train_until(begin(Counting(2, 0.02)), 3)
    assert len(calls) == 3


def test_state_matched_by_position_going_back_to_the_beginning_forgets_the_moments():
    run, fresh = begin(VAE()), begin(VAE())
    at_first = run.state_dict()
    train_until(run, 5)
    run.load_state_dict(at_first)
    train_until(run, 5), train_until(fresh, 5)
    assert_same(run, fresh)


def test_a_state_dict_is_a_copy():
    run, other = begin(VAE()), begin(VAE())
    train_until(run, 3)
    saved = run.state_dict()
    train_until(run, 6)
    other.load_state_dict(saved)
    train_until(other, 6)
    assert_same(run, other)


def test_a_state_dict_that_is_not_whole_is_named():
    saved = begin(VAE()).state_dict()
    del saved["history.loss"]
    with pytest.raises(CheckpointError, match=r"^got no history.loss, expected .*; "):
        begin(VAE()).load_state_dict(saved)


@pytest.mark.parametrize("algorithm", [VAE(), LPC(2, 0.02, warm_start="persistent")], ids=repr)
def test_edge_cases_of_fit_resumed_inside_inference_mode(algorithm, tmp_path):
    path, whole, resumed = tmp_path / "run.safetensors", begin(algorithm), begin(algorithm)
    train_until(begin(algorithm), 3, checkpoint=path)
    with torch.inference_mode():
        assert resumed.resume(path)
        train_until(resumed, 6)
    train_until(whole, 6)
    assert_same(resumed, whole)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=repr)
def test_edge_cases_of_fit_gradients_inside_no_grad(mode, algorithm):
    model, encoder = networks()
    encoder = encoder if algorithm.uses_encoder else None
    plain = algorithm.gradients(model, encoder, X, generator=seeded(1))
    with mode():
        inside = algorithm.gradients(model, encoder, X, generator=seeded(1))
    assert all(torch.equal(a, b) for a, b in zip(plain.model, inside.model, strict=True))


@pytest.mark.parametrize("step_size", [1.6, 5.0, 50.0])
@pytest.mark.parametrize("accumulate", ["all", "last"])
def test_diverged_chains_that_are_restarted_teach_nothing(step_size, accumulate):
    """A position overflows long after the log-joint does: what such a chain says must not reach the decoder."""
    algorithm = LPC(100, step_size, warm_start="prior", on_divergence="restart", accumulate=accumulate)
    run = begin(algorithm)
    try:
        train_until(run, 3)
    except (ChainDiverged, ValueError) as error:  # no step without a lost chain, or weights that such chains taught
        assert "lower step_size" in str(error) or "check the data, the weights" in str(error)
    else:
        assert run.history.restarts[-1] > 0
        assert run.history.log_joint.isfinite().all() and weights(run).isfinite().all()


def test_diverged_chains_are_counted_in_the_history():
    """One image far outside: its chain is lost again and again, and the others teach."""

    class Cliff(LinearGaussian):
        def log_joint(self, x, z):
            return super().log_joint(x, z) + torch.where(z[..., 0] > 1.5, torch.inf, 0.0)

    model = Cliff(normal(4, 2, seed=8), scale=0.9, learn_scale=True)
    algorithm = LPC(4, 0.05, warm_start="prior", on_divergence="restart")
    run = begin(algorithm, model=model, data=normal(40, 4, seed=9), batch_size=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cliff, "sample_prior", lambda self, num, *, generator: torch.zeros(num, 2).double())
        train_until(run, 12)
    assert run.history.restarts[-1] > 0 and run.history.log_joint.isfinite().all()
    raising = begin(dataclasses.replace(algorithm, on_divergence="raise"), model=model, data=normal(40, 4, seed=9))
    assert raising.history.restarts.numel() == 0


FUNCTIONS = {
    "lambda": (lambda c: lambda model: c),
    "partial": (lambda c: functools.partial(scaled, factor=c)),
    "default": (lambda c: lambda model, factor=c: factor),
}


def scaled(model, factor):
    return factor


@pytest.mark.parametrize("make", FUNCTIONS.values(), ids=FUNCTIONS)
def test_identity_functions_are_what_they_compute(make, tmp_path):
    path = tmp_path / "run.safetensors"
    train_until(begin(LPC(2, make(0.01))), 3, checkpoint=path)
    assert begin(LPC(2, make(0.01))).resume(path)
    with pytest.raises(CheckpointError, match="algorithm"):
        begin(LPC(2, make(0.02))).resume(path)


class Setting(Algorithm):
    """An algorithm with a setting of any kind."""

    def __init__(self, setting):
        self.setting = setting

    def gradients(self, model, encoder, x, *, generator, start=None):
        return VAE().gradients(model, encoder, x, generator=generator)


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.arange(3.0),
        lambda: {1, 2},
        lambda: torch.float32,
        lambda: b"x",
        lambda: 1j,
        lambda: np.bool_(True),
        lambda: {1: 2, "a": None},
        lambda: torch.device("cpu"),
        lambda: VarianceScaledStep(0.1, 1.0),
    ],
)
def test_identity_settings_of_any_kind_are_compared(make, tmp_path):
    path = tmp_path / "run.safetensors"
    train_until(begin(Setting(make())), 2, checkpoint=path)
    assert begin(Setting(make())).resume(path)
    with pytest.raises(CheckpointError, match="algorithm"):
        begin(Setting("another")).resume(path)


def test_identity_what_cannot_be_compared_is_said_before_the_work(tmp_path):
    with pytest.raises(ValueError, match=r"^got a setting of type Generator, .*, expected .*; "):
        begin(Setting(seeded(1))).resume(tmp_path / "run.safetensors")


def test_identity_a_schedule_that_differed_in_the_middle_is_another_run(tmp_path):
    path = tmp_path / "run.safetensors"
    rate = {True: 0.5, False: 0.01}
    run = begin(VAE(), learning_rate=lambda iteration: rate[10 <= iteration < 13] / 50)
    train_until(run, 20, checkpoint=path)
    with pytest.raises(CheckpointError, match="learning_rate"):
        begin(VAE(), learning_rate=0.01 / 50).resume(path)


def test_identity_another_type_of_weights_is_another_run(tmp_path):
    path = tmp_path / "run.safetensors"
    train_until(begin(VAE(), data=images()), 3, checkpoint=path)
    model, encoder = (network.double() for network in networks())
    before = [value.clone() for value in model.parameters()]
    with pytest.raises(CheckpointError, match=r"trained parameters .*float32"):
        begin(VAE(), model=model, encoder=encoder, data=images()).resume(path)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_a_refused_load_changes_no_weight(tmp_path):
    path = tmp_path / "run.safetensors"
    train_until(begin(VAE()), 3, checkpoint=path)
    model, encoder = networks()[0], networks(hidden=(12,))[1]
    before = [value.clone() for network in (model, encoder) for value in network.parameters()]
    with pytest.raises(CheckpointError, match=r"do not fit this encoder"):
        load_weights(path, model, encoder)
    after = [value for network in (model, encoder) for value in network.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize(
    "change",
    [
        lambda run: run.model.decoder[0].requires_grad_(False),
        lambda run: run.encoder.requires_grad_(False),
    ],
)
def test_state_matched_by_position_changes_of_what_is_trained_are_refused(change):
    run = begin(VAE())
    train_until(run, 2)
    change(run)
    with pytest.raises(ValueError, match="begin a new TrainingState after changing requires_grad"):
        run.step()


@pytest.mark.parametrize("algorithm", [VAE(), LPC(2, 0.02), LPC(2, 0.02, kernel="mala")], ids=repr)
def test_an_interrupt_before_a_move_leaves_the_run_as_it_was(algorithm):
    whole, interrupted = begin(algorithm), begin(algorithm)
    train_until(whole, 9)
    for at in (4, 6):  # the beginning of an epoch, and its middle
        train_until(interrupted, at)
        hook = interrupted.model.decoder.register_forward_hook(lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            interrupted.step()
        hook.remove()
    train_until(interrupted, 9)
    assert_same(interrupted, whole)


def test_an_interrupt_between_two_moves_ends_the_run():
    run = begin(VAE())
    train_until(run, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run.optimizers[1], "step", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run.step()
    with pytest.raises(ValueError, match=r"interrupted between two moves.*resume it from its checkpoint"):
        run.step()


def test_a_learning_rate_too_large_is_blamed_and_no_step_size():
    with pytest.raises(FloatingPointError, match="lower learning_rate"):
        train_until(begin(LPC(3, 0.02), learning_rate=1e30), 5)


ENCODERS = {
    "other latents": lambda: mlp_encoder(EVENT, 5, generator=seeded(1)),
    "float64": lambda: networks()[1].double(),
    "another event": lambda: mlp_encoder((1, 4, 4), 3, generator=seeded(1)),
    "no law": lambda: nn.Flatten(),
}


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize("make", ENCODERS.values(), ids=ENCODERS)
def test_data_of_the_wrong_kind_an_encoder_that_does_not_fit_is_named(make):
    with pytest.raises(ValueError, match=r"^got an encoder that .*, expected .*; build"):
        begin(VAE(), encoder=make())


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize(
    "call",
    [
        lambda: begin(VAE),
        lambda: TrainingState.init("vae", *networks()[:1], X, generator=seeded(1)),
        lambda: TrainingState.init(VAE(), *networks()[:1], X, generator=0, encoder=networks()[1]),
        lambda: train_until(begin(VAE()), "3"),
        lambda: train_until(begin(VAE()), -3),
        lambda: LPC(2, 0.1, incremental="no"),
        lambda: ConstantPreconditioner([1.0, 2.0]),
        lambda: ConstantPreconditioner(torch.tensor([1, 2])),
        lambda: ConstantPreconditioner(torch.tensor([1.0, math.inf])),
    ],
)
def test_values_that_cannot_be_handled_by_a_run_are_named_in_one_line(call):
    with pytest.raises((ValueError, AttributeError), match=r"^got .*, expected .*; .+$"):
        call()


def test_paths_a_checkpoint_that_cannot_be_written_is_named_before_the_work(tmp_path):
    run = begin(VAE())
    with pytest.raises(ValueError, match=r"^got .*, expected a file; choose another path"):
        train_until(run, 3, checkpoint=tmp_path)
    assert run.iteration == 0

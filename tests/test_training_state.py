"""A training run as a state: left and entered anywhere."""

import copy

import pytest
import torch
from oracles import normal, seeded
from training_runs import ALGORITHMS, assert_same, begin

from pcltut.models import (
    LinearGaussian,
)
from pcltut.training import (
    LPC,
    VAE,
    Algorithm,
    VarianceScaledStep,
    train_until,
)


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


def test_a_step_size_may_follow_the_model():
    """sigma halves: the step is a quarter, so the chain moves as one with a step four times smaller."""
    model = LinearGaussian(normal(4, 2, seed=8), scale=0.3, learn_scale=True)
    x = normal(6, 4, seed=9)
    follows, plain = LPC(3, VarianceScaledStep(0.04, 0.6), warm_start="prior"), LPC(3, 0.01, warm_start="prior")
    ours, theirs = (algorithm.gradients(model, None, x, generator=seeded(10)) for algorithm in (follows, plain))
    torch.testing.assert_close(ours.chain.z, theirs.chain.z, rtol=1e-6, atol=1e-7)
    margins = [algorithm.stability_margin(model, x, ours.chain) for algorithm in (follows, plain)]
    assert margins[0] == pytest.approx(margins[1], rel=1e-6)

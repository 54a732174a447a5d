"""Pictures of finished runs: whose they are, and what lies nearest to them."""

import dataclasses
from pathlib import Path

import pytest
import torch
from oracles import seeded
from tiny_experiment import TINY

from pcltut import data
from pcltut.experiments import EvaluationBudget, Plan, ResultError, finish, run_experiment
from pcltut.experiments.pictures import NUM_PICTURES, load_pictures, sample_pictures, save_pictures
from pcltut.experiments.single import restore, weights_file
from pcltut.files import load_tensors

SETTING = dataclasses.replace(TINY.setting, test=EvaluationBudget(0, num_samples=0, num_latents=150))
PICTURED = dataclasses.replace(TINY, setting=SETTING, seeds=(1,), budgets=(2,), curve=(2,))


def test_pictures_of_finished_runs_are_their_decoders_means(tmp_path: Path):
    """The same draws for each method, and beside each sample the training image that is nearest to it."""
    plan = Plan(PICTURED, tmp_path)
    run_experiment(plan)
    path = tmp_path / "pictures.npz"
    save_pictures(path, plan)
    weights_file(plan.path("seed", "vae", 1)).rename(tmp_path / "kept")
    save_pictures(path, plan)  # without the weights of a method its pictures stay
    (tmp_path / "kept").rename(weights_file(plan.path("seed", "vae", 1)))
    found = load_pictures(path)
    assert set(found) == set(PICTURED.keys)
    train = data.load("fashion-mnist-mini", "train").as_float()[:200]
    for key in PICTURED.keys:
        state = plan.final()[key, 1].build()
        restore(state, load_tensors(weights_file(plan.path("seed", key, 1)))[0])
        z = state.model.sample_prior(NUM_PICTURES, generator=seeded(0))
        with torch.no_grad():
            assert torch.allclose(found[key]["prior"], state.model.decode(z).clamp(-1, 1), atol=1 / 127)
        assert set(found[key]) == {"prior", "prior-nearest", "fitted", "fitted-nearest"}
        distances = (train - found[key]["fitted"][:1]).flatten(1).norm(dim=1)
        own = (found[key]["fitted-nearest"][0] - found[key]["fitted"][0]).norm()
        assert own == pytest.approx(distances.min().item(), rel=1e-2)


def test_pictures_need_the_weights_of_the_same_run(tmp_path: Path):
    plan = Plan(PICTURED, tmp_path)
    with pytest.raises(ResultError, match="finish that run first"):
        sample_pictures(plan, "vae", 1)
    finish(plan.final()["vae", 1], plan.path("seed", "vae", 1))
    other = dataclasses.replace(PICTURED, budgets=(1,), curve=(1,))
    with pytest.raises(ResultError, match="other settings"):
        sample_pictures(Plan(other, tmp_path), "vae", 1)

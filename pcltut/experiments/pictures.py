"""Samples of finished runs as pictures: the same draws for every method, and the training images nearest to them."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pcltut.experiments.plan import Plan
from pcltut.experiments.results import ResultError
from pcltut.experiments.samples import fitted_prior
from pcltut.experiments.single import restore, weights_file
from pcltut.experiments.sources import decoded, load
from pcltut.files import atomic_path, load_tensors

NUM_PICTURES = 10  # a method and sampler


def sample_pictures(plan: Plan, key: str, seed: int, num: int = NUM_PICTURES) -> dict[str, Tensor]:
    """Decoder means of one run's model, `[num, channels, height, width]`, in [-1, 1], by name.

    "prior": at draws of its prior, for N(0, I) the same for every method. "fitted": at draws of the density fitted to
    the training images' refined latents. "prior-nearest" and "fitted-nearest": to each the training image at the least
    distance in pixels.

    Raises:
        ResultError: the run's weights are not there.
    """
    run = plan.final()[key, seed]
    path = weights_file(plan.path("seed", key, seed))
    if not path.exists():
        raise ResultError(f"got no weights of {key}, seed {seed}, at {path}; finish that run first")
    tensors, texts = load_tensors(path)
    if json.loads(texts["run"]) != run.to_json():
        raise ResultError(f"got weights of a run with other settings at {path}; repeat that run")
    state = run.build(device=plan.device, root=plan.root)
    restore(state, tensors)
    images = load(run.setting.data, "train", plan.device, plan.root)[: run.setting.num_train]
    generator = torch.Generator(plan.device).manual_seed(0)
    samples = {"prior": decoded(state.model, state.model.sample_prior(num, generator=generator))}
    latents = images[: run.setting.test.num_latents]
    under_it = fitted_prior(state.model, state.encoder, latents, generator=generator) if len(latents) else None
    if under_it is not None:
        samples["fitted"] = decoded(under_it, under_it.sample_prior(num, generator=generator))
    return samples | {f"{name}-nearest": nearest(x, images.as_float()) for name, x in samples.items()}


def nearest(x: Tensor, images: Tensor) -> Tensor:
    """For each of x the one of the images at the least distance in pixels."""
    return images[torch.cdist(x.flatten(1), images.flatten(1)).argmin(1)]


def save_pictures(path: str | os.PathLike, plan: Plan) -> None:
    """Write the pictures of each method's first seed into one file, as bytes.

    A method without weights in the plan's folder keeps those that the file holds, or has none.
    """
    seed, path = plan.experiment.seeds[0], Path(path)
    arrays: dict[str, np.ndarray] = {}
    if path.exists():
        with np.load(path) as found:
            arrays.update(found)
    for key in plan.experiment.keys:
        if not weights_file(plan.path("seed", key, seed)).exists():
            continue
        for name, x in sample_pictures(plan, key, seed).items():
            arrays[f"{key}/{name}"] = ((x.clamp(-1, 1) + 1) * 127.5).round().byte().cpu().numpy()
    with atomic_path(path) as partial:
        np.savez_compressed(partial, **arrays)


def load_pictures(path: str | os.PathLike) -> Mapping[str, Mapping[str, Tensor]]:
    """Pictures by method and name, in [-1, 1], from the file that `save_pictures` wrote."""
    found: dict[str, dict[str, Any]] = {}
    with np.load(Path(path)) as arrays:
        for full_name in arrays.files:
            key, name = full_name.split("/")
            found.setdefault(key, {})[name] = torch.as_tensor(arrays[full_name]).float() / 127.5 - 1
    return found

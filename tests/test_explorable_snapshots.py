"""The chain on the map of chapter 7, run in node: decoders, chains and log-joints are pcltut's, and the words true."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from explorable_noise import normals
from in_node import in_node
from torch import Tensor

from pcltut.explorables.snapshots import (
    IMAGES,
    METHODS,
    UPDATES,
    Snapshots,
    chosen_images,
    snapshot_guess,
    snapshot_model,
)
from pcltut.samplers import ula, value_and_score_of

LAST = len(UPDATES) - 1
NAMES = "const trained = new js.Trained(given.packed);"


def page(body: str, folder: Path, **given: object):
    """What `body` returns, which also sees what the page holds as `trained`."""
    return in_node("snapshots", NAMES + body, folder, packed=Snapshots().packed, **given)


@cache
def centers() -> Tensor:
    axis = torch.arange(-5, 6, dtype=torch.float64)
    return torch.cartesian_prod(axis.flip(0), axis).flip(1)


def heights(method: str, snapshot: int, image: int, z: Tensor) -> Tensor:
    """log p(x, z) of each row of `z` for one image."""
    return snapshot_model(method, snapshot).double().log_joint(chosen_images()[image].double(), z)


def first_state(method: str, snapshot: int, start: str, image: int, draw: Tensor) -> Tensor:
    """Where the chain of one image starts, from two standard normal numbers."""
    guess = snapshot_guess(method, snapshot)
    return draw if start == "prior" else guess.mean[image].double() + guess.scale[image].double() * draw


def chain(method: str, snapshot: int, start: str, image: int, *, steps: int, step_size: float, seed: int = 0):
    """States and log-joints of pcltut's ULA on the page's noise."""
    draw, *noise = torch.from_numpy(normals(seed, steps + 1, 2))
    model, x = snapshot_model(method, snapshot).double(), chosen_images()[image].double()
    kernel = ula(value_and_score_of(lambda z: model.log_joint(x, z)), step_size)
    states = [kernel.init(first_state(method, snapshot, start, image, draw)[None])]
    for each in noise:
        states.append(kernel.step(states[-1], each[None])[0])
    z = torch.cat([state.z for state in states])
    return z, model.log_joint(x, z)


@pytest.mark.parametrize(("method", "snapshot"), [("LPC", 0), ("LPC", LAST), ("VAE", 3)])
def test_map_and_sigma_are_those_of_the_model(tmp_path: Path, method: str, snapshot: int):
    body = """
    const [map, sigma] = [trained.map(given.method, given.snapshot), trained.sigma(given.method, given.snapshot)];
    const heights = js.CENTERS.map((z, i) => js.logJoint(map[i], z, sigma, trained.image(2)));
    return { centers: js.CENTERS, map: map.map((picture) => [...picture]), sigma, heights };
    """
    got = page(body, tmp_path, method=method, snapshot=snapshot)
    model = snapshot_model(method, snapshot).double()
    assert torch.equal(torch.tensor(got["centers"], dtype=torch.float64), centers())
    np.testing.assert_allclose(got["map"], model.decode(centers()).flatten(1), rtol=1e-5, atol=1e-5)
    assert got["sigma"] == pytest.approx(model.likelihood.scale.item(), rel=1e-5)
    np.testing.assert_allclose(got["heights"], heights(method, snapshot, 2, centers()), rtol=1e-5)


@pytest.mark.parametrize(
    ("method", "snapshot", "start", "image", "steps", "step_size"),
    [("LPC", LAST, "prior", 0, 20, 0.001), ("VAE", LAST, "encoder", 3, 50, 0.0005), ("LPC", 0, "prior", 1, 30, 0.05)],
)
def test_the_chain_is_that_of_ula(tmp_path, method, snapshot, start, image, steps, step_size):
    body = """
    const noise = new js.Noise(given.seed), draw = noise.normals(2);
    const guess = trained.guess(given.method, given.snapshot, given.image);
    const z = given.start === "prior" ? [...draw] : guess.mean.map((m, k) => m + guess.scale[k] * draw[k]);
    const decoder = trained.decoder(given.method, given.snapshot), image = trained.image(given.image);
    const sigma = trained.sigma(given.method, given.snapshot);
    const path = js.walk(decoder, sigma, image, z, given.steps, given.step_size, noise);
    return { z: path.map((state) => state.z), values: path.map((state) => state.value),
      error: js.meanSquare(decoder.decode(path[given.steps].z), image) };
    """
    setting = {"method": method, "snapshot": snapshot, "start": start, "image": image}
    setting |= {"steps": steps, "step_size": step_size, "seed": 3}
    got = page(body, tmp_path, **setting)
    zs, values = chain(**setting)
    np.testing.assert_allclose(got["z"], zs, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(got["values"], values, rtol=1e-5)
    x, painted = chosen_images()[image], snapshot_model(method, snapshot).double().decode(zs[-1])
    assert got["error"] == pytest.approx((painted - x).square().mean().item(), rel=1e-5)


def test_a_lost_chain_ends_where_it_left(tmp_path: Path):
    body = """
    const path = js.walk(trained.decoder("LPC", 6), trained.sigma("LPC", 6), trained.image(0), [0, 0], 100, 0.1,
      new js.Noise(0));
    return path.map(({ z }) => Math.hypot(...z));
    """
    radii = page(body, tmp_path)
    assert len(radii) < 101 and max(radii[:-1]) < 30 < radii[-1]


def test_both_methods_start_from_the_same_weights_and_learn():
    for image in range(len(IMAGES)):
        ends = [heights(method, 0, image, centers()) for method in METHODS]
        assert torch.equal(*ends)
    for method in METHODS:
        best = torch.tensor(
            [[heights(method, s, i, centers()).max() for i in range(len(IMAGES))] for s in range(len(UPDATES))]
        )
        assert (best[-1] > best[0] + 200).all()
        sigmas = [snapshot_model(method, s).likelihood.scale.item() for s in range(len(UPDATES))]
        assert sigmas == sorted(sigmas, reverse=True)


def best_of_the_map(method: str, snapshot: int, image: int) -> float:
    return heights(method, snapshot, image, centers()).max().item()


def test_the_chapter_tells_what_the_page_shows():
    """The coat's chain from the prior, as it stands when the page opens: it arrives early in training and not late."""
    setting = {"start": "prior", "image": 0, "steps": Snapshots().steps}
    ends = {s: chain("LPC", s, step_size=Snapshots().step_size, **setting)[1][-1].item() for s in (2, LAST)}
    assert ends[2] > best_of_the_map("LPC", 2, 0)
    assert ends[LAST] < best_of_the_map("LPC", LAST, 0) - 500
    longer = chain("LPC", LAST, step_size=Snapshots().step_size, **setting | {"steps": 100})[1][-1].item()
    assert longer == pytest.approx(ends[LAST], abs=10)  # caught
    _, values = chain("LPC", LAST, "encoder", 0, steps=30, step_size=0.001)
    assert (values > best_of_the_map("LPC", LAST, 0)).all()
    calm, wild = (chain("LPC", s, step_size=0.01, **setting)[0].norm(dim=-1).max() for s in (2, 4))
    assert calm < 3 and wild > 5.5  # off the map
    for method in METHODS:  # three of four images lie where 14 % of the prior's draws are
        assert (snapshot_guess(method, LAST).mean.norm(dim=1) > 2).sum() == 3

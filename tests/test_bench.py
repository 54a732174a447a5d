"""The bench's statistics on clocks that we set, its JAX twin against the package, and a run of a few seconds."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pcltut.bench import GROUPS, Ratio, Row, as_text, compare, is_red
from pcltut.bench.problems import Problem
from pcltut.bench.training import ROWS, two_passes
from pcltut.training import LPC


class Clock:
    """Time that passes only when work is done; `slow` is what another program does to all of it in some turns."""

    def __init__(self) -> None:
        self.now, self.slow = 0.0, 1.0

    def __call__(self) -> float:
        return self.now

    def work(self, seconds: float):
        def run() -> None:
            self.now += seconds * self.slow

        return run


def test_works_take_turns_and_their_order_turns_round() -> None:
    clock, order = Clock(), []

    def named(name: str, seconds: float):
        work = clock.work(seconds)
        return lambda: (order.append(name), work())

    found = compare({"a": named("a", 0.1), "b": named("b", 0.3)}, 4, clock=clock)
    assert order == ["a", "a", "b", "b", *"ab", *"ba", *"ab", *"ba"]
    assert found == {"a": pytest.approx([0.1] * 4), "b": pytest.approx([0.3] * 4)}


def test_short_work_is_repeated_within_a_turn() -> None:
    clock, calls = Clock(), []
    work = clock.work(0.001)
    found = compare({"short": lambda: (calls.append(1), work())}, 3, clock=clock)
    assert len(calls) == 2 + 3 * 20 and found["short"] == pytest.approx([0.001] * 3)


def test_pairs_see_the_same_machine() -> None:
    """Half the turns are three times as slow for both: the ratios do not notice."""
    clock = Clock()
    slowing = iter([1.0, 1.0, 1.0, 1.0, 3.0, 3.0, 1.0, 1.0, 3.0, 3.0])

    def work(seconds: float):
        def run() -> None:
            clock.slow = next(slowing)
            clock.work(seconds)()

        return run

    found = compare({"a": work(0.2), "b": work(0.1)}, 3, clock=clock)
    ratio = Ratio.of([a / b for a, b in zip(found["a"], found["b"], strict=True)])
    assert ratio.median == pytest.approx(2.0) and ratio.low == pytest.approx(2.0)


@pytest.mark.parametrize("count", [9, 15, 41])
def test_the_interval_covers_the_median(count: int) -> None:
    """Of a skewed law, in at least 95 % of 2,000 samples (less 4.5 standard errors of that share)."""
    rng = np.random.default_rng(0)
    samples = rng.lognormal(0.0, 0.5, (2000, count))  # its median is 1
    covered = np.mean([ratio.low <= 1.0 <= ratio.high for ratio in map(Ratio.of, samples.tolist())])
    assert covered > 0.95 - 4.5 * (0.95 * 0.05 / 2000) ** 0.5


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [
        (Ratio(1.04, 1.0, 1.2), "ok"),
        (Ratio(1.07, 1.03, 1.2), "within the spread"),
        (Ratio(1.2, 1.1, 1.3), "missed"),
        (None, ""),
    ],
)
def test_red_is_only_what_is_beyond_the_spread(ratio: Ratio | None, verdict: str) -> None:
    row = Row("a", "step", 1, ratio, goal=1.05, note="" if ratio else "not installed")
    assert row.verdict == verdict and is_red([row]) == (verdict == "missed")
    assert verdict in as_text([row], GROUPS) and ("not installed" in as_text([row], GROUPS)) == (ratio is None)


@pytest.mark.parametrize(("network", "event"), [("mlp", (3, 8, 8)), ("conv", (1, 28, 28))])
def test_the_step_in_jax_computes_the_same(network: str, event: tuple[int, ...], no_shape_checks) -> None:
    """Both networks' gradients on the same weights and noise, to float32 rounding."""
    jax_step = pytest.importorskip("pcltut.bench.jax_step")
    pytest.importorskip("optax")
    problem, num_steps, step_size = Problem("", network, event, 6, latent_dim=4), 3, 1e-3
    seed = torch.Generator().manual_seed(5)
    ours = LPC(num_steps, step_size).gradients(problem.model, problem.encoder, problem.x, generator=seed)
    again = torch.Generator().manual_seed(5)
    noise = [torch.randn(6, 4, generator=again) for _ in range(num_steps + 1)]
    draws = jax_step.Draws(jax_step.array(noise[0]), jax_step.array(torch.stack(noise[1:])))
    training = jax_step.JaxTraining(problem, num_steps, step_size)
    (layers, log_scale), encoder = training.gradients(training.weights, draws)
    found = [np.asarray(part) for own in (*layers, *encoder) for part in own]
    kinds = [module for module in problem.model.decoder if list(module.parameters())]
    kinds += [module for module in problem.encoder.network if list(module.parameters())]
    expected = [gradient.numpy() for gradient in (*ours.model[:-1], *ours.encoder)]
    assert len(found) == len(expected) == 2 * len(kinds)
    for index, (theirs, mine) in enumerate(zip(found, expected, strict=True)):
        module = kinds[index // 2]
        if mine.ndim == 2:
            mine = mine.T
        elif isinstance(module, torch.nn.Conv2d) and mine.ndim == 4:
            mine = mine.transpose(2, 3, 1, 0)
        elif mine.ndim == 4:
            mine = mine[:, :, ::-1, ::-1].transpose(2, 3, 0, 1)
        np.testing.assert_allclose(theirs, mine, rtol=2e-3, atol=2e-5 * np.abs(mine).max())
    np.testing.assert_allclose(np.asarray(log_scale), ours.model[-1].numpy(), rtol=1e-4)


def test_the_plain_way_gives_the_same_gradients(no_shape_checks) -> None:
    """On the same noise: what is slower must not be something else."""
    problem = Problem("", "mlp", (1, 8, 8), 4, latent_dim=3)
    seed = torch.Generator().manual_seed(5)
    ours = ROWS["plain"].gradients(problem.model, problem.encoder, problem.x, generator=seed)
    problem.generator = torch.Generator().manual_seed(5)
    problem.noise = torch.randn(4, 3, generator=problem.generator)
    theta, phi = two_passes(problem)
    for mine, theirs in zip((*ours.model, *ours.encoder), (*(-each for each in theta), *phi), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5 * theirs.abs().max().item())


@pytest.mark.slow
def test_a_short_run_writes_every_row(tmp_path: Path) -> None:
    """One turn of a quick group, and valid JSON with its origin."""
    out = tmp_path / "bench.json"
    command = [
        sys.executable,
        "-m",
        "pcltut",
        "bench",
        "--only",
        "g",
        "--rounds",
        "1",
        "--out",
        str(out),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(out.read_text())
    assert len(result["rows"]) == 4 and result["provenance"]["commit"]
    assert "(g) Measuring a model" in done.stdout


def test_an_unknown_group_is_said_in_one_line(capfd) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pcltut", "bench", "--only", "z"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and done.stderr.startswith("error: got only='z', expected one of")

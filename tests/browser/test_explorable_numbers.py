"""The live numbers of each explorable on its page, at two settings: pcltut's, from closed forms or the same noise."""

import json
import re
from collections.abc import Callable

import numpy as np
import pytest
import test_explorable_first_there as race
import test_explorable_landscape as garment_plane
import test_explorable_neighbors as neighborhood
import test_explorable_path_weights as there_and_back
import test_explorable_settling as toy
import test_explorable_snapshots as training
import test_explorable_stretched as valley
import torch
from explorable_noise import normals, uniforms
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence

from pcltut.evaluation import density_coverage
from pcltut.experiments import load_results, summarize, verdict
from pcltut.explorables.garment import garment, garment_model
from pcltut.models import GaussianMixture, LinearGaussian
from pcltut.samplers import ula, value_and_score_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PAUSE = """for (const button of arguments[0].querySelectorAll("button"))
  if (button.textContent === "Pause") button.click();"""
PRESS = """[...arguments[0].querySelectorAll("button")].find((b) => b.textContent === arguments[1]).click();"""
SET = """const control = arguments[0].querySelector(`[data-trait=${arguments[1]}]`);
control.value = arguments[2];
control.dispatchEvent(new Event(control.tagName === "SELECT" ? "change" : "input"));"""
KEYS = """const canvas = [...arguments[0].querySelectorAll("canvas")].find((c) => c.tabIndex === 0 && c.offsetParent);
for (let i = 0; i < arguments[2]; i++) canvas.dispatchEvent(new KeyboardEvent("keydown", {key: arguments[1]}));"""
ADVANCE = "arguments[0].dispatchEvent(new CustomEvent('advance', {detail: arguments[1]}));"
STATES = """return [...document.querySelectorAll("script[type='application/vnd.jupyter.widget-state+json']")]
  .flatMap((script) => Object.values(JSON.parse(script.textContent).state)).map((model) => model.state);"""


class Page:
    """One explorable on its page, as a reader meets it, with its motion paused."""

    def __init__(self, browser, chapter: str, which: int = 0) -> None:
        self.browser = browser
        browser.open(f"book/{chapter}.html")
        told = "document.querySelectorAll('.pcltut-explorable')[arguments[0]]?.dataset.values"
        assert browser.wait_for(told, which, seconds=30), f"{chapter} has no explorable {which}"
        self.figure = browser.script_value(f"return document.querySelectorAll('.pcltut-explorable')[{which}]")
        self.sentences: set[str] = set()
        self.call(PAUSE)

    def call(self, script: str, *arguments: object) -> object:
        return self.browser.script_value(script, self.figure, *arguments)

    def set(self, trait: str, position: float | str) -> None:
        """Moves a slider, a logarithmic one to an exponent of 10, or chooses an option."""
        self.call(SET, trait, str(position))

    def press(self, words: str) -> None:
        self.call(PRESS, words)

    def keys(self, key: str, times: int) -> None:
        """Presses a key in the first drawing that takes any."""
        self.call(KEYS, key, times)

    def walk(self, steps: int) -> None:
        """Starts again, from the same seed, and takes some steps."""
        self.press("Start again")
        self.call(ADVANCE, steps)

    @property
    def values(self) -> dict:
        return json.loads(self.call("return arguments[0].dataset.values"))

    def trait(self, name: str) -> list:
        """What the widget holds from Python."""
        return next(state[name] for state in self.browser.script_value(STATES) if name in state)

    def shows(self, **expected: object) -> None:
        """The numbers behind the sentence are the expected ones, and the sentence is kept."""
        assert_equal(self.values, expected)
        self.browser.wait_for("false", seconds=1.1)  # the sentence follows at most once a second
        self.sentences.add(self.call("return arguments[0].querySelector('.sentence').textContent"))

    def has_said(self, count: int) -> None:
        """That many findings, that differ by more than their numbers."""
        assert len({re.sub(r"[\d.,\u2212-]+", "#", sentence) for sentence in self.sentences}) == count, self.sentences


def assert_equal(shown: object, expected: object, name: str = "") -> None:
    """Numbers to a relative 1e-5, names exactly; of a group, those that are expected."""
    if isinstance(expected, dict):
        shown = dict(shown)  # of pairs, where it is a list
        for key, value in expected.items():
            assert_equal(shown[key], value, f"{name} {key}")
    elif isinstance(expected, str):
        assert shown == expected, name
    else:
        np.testing.assert_allclose(shown, expected, rtol=1e-5, atol=1e-9, err_msg=name)


@pytest.fixture
def open_page(browser) -> Callable[..., Page]:
    return lambda chapter, which=0: Page(browser, chapter, which)


# --- Chapters 1 to 3: energies, settling, the crowd. ---


def at_the_handle(rows: int, z: list[float]) -> dict:
    """Errors at z, and the smallest area of the page's grid that holds 95 % of the posterior."""
    energies = garment_plane.energy(garment_plane.plane(71), rows)
    prior = sum(value**2 for value in z) / 2
    energy = garment_plane.energy(torch.tensor([z], dtype=torch.float64), rows).item()
    area = garment_plane.area_of_95_percent(energies, 0.1**2)
    return {"z": z, "energy": energy, "prior": prior, "pixels": energy - prior, "area": area}


def test_landscape(open_page):
    page = open_page("01_generative_models")
    page.shows(**at_the_handle(4, [-1.5, 0.4]))
    page.set("rows", 7)
    page.keys("ArrowRight", 12)
    page.keys("ArrowDown", 3)
    page.shows(**at_the_handle(7, [-0.3, 0.1]))
    page.has_said(2)


WEIGHT, IMAGE, START = [[2, 0], [0, 0.5], [1, 0.5]], [0.6, 0.3, 0.5], [-1.5, 1.6]  # chapter 2's toy


def settling(step_size: float, start: list[float]) -> dict:
    """Where 60 steps lead, and the steps until a hundredth of the distance is left."""
    model = LinearGaussian(torch.tensor(WEIGHT, dtype=torch.float64), scale=0.5).requires_grad_(False)
    x, z = (torch.tensor([row], dtype=torch.float64) for row in (IMAGE, start))
    state, trace = toy.settled(model, x, z, step_size, 400)
    distances = (torch.cat([trace.z, state.z[None]])[:, 0] - model.posterior(x)[0]).norm(dim=1)
    steps = (distances <= distances[0] / 100).nonzero()[0].item()
    factors = 1 - step_size * torch.linalg.eigvalsh(model.posterior_precision()).flip(0)
    return {"factors": factors, "steps": steps, "distance": distances[60], "last": trace.z[60, 0]}


def learned(step_size: float, variance: float, updates: int) -> dict:
    """The weight after some updates, and the variance that the two rules give the model."""
    point = spread = 0.5
    for _ in range(updates):
        point += toy.RATE * toy.force_of_points(point, step_size, variance)
        spread += toy.RATE * toy.force_of_evidence(spread, variance)
    variances = {"variance": point**2 + toy.SCALE**2, "exact": spread**2 + toy.SCALE**2}
    factor = 1 - step_size * toy.scalar(point).posterior_precision().item()
    return {"update": updates, "weight": point, "factor": factor, "edge": 2 * toy.SCALE**2 / step_size, **variances}


def test_settling(open_page):
    page = open_page("02_predictive_coding")
    page.shows(**settling(0.088, START))
    page.set("step_size", 0.05)
    page.keys("ArrowRight", 10)
    page.shows(**settling(0.05, [START[0] + 1, START[1]]))
    page.set("step_size", 0.088)
    page.set("view", "learn")
    page.keys("ArrowLeft", 60)  # to four tenths of learning, on its logarithmic axis
    page.shows(**learned(0.088, 3.0, round(30000**0.4)))
    page.has_said(3)


def crowd(steps: int, step_size: float, temperature: float) -> dict:
    """Where pcltut's ULA leads the marked walker, on the page's noise."""
    noise = normals(0, steps + 1, 100, 2)
    model, seen = garment_model(4).double(), garment()[..., :4, :].double()
    kernel = ula(value_and_score_of(lambda z: model.log_joint(seen, z)), step_size, temperature=temperature)
    state = kernel.init(torch.tensor(noise[0])[:, None])
    for each in noise[1:]:
        state, _ = kernel.step(state, torch.tensor(each)[:, None])
    return {"time": steps, "first": state.z[0, 0]}


def test_crowd(open_page):
    page = open_page("03_langevin")
    page.walk(20)
    page.shows(**crowd(20, 0.01, 1.0))
    page.set("step_size", -1.7)
    page.set("temperature", 2)
    page.walk(50)
    page.shows(**crowd(50, 0.0199526, 2.0))
    page.has_said(2)


# --- Chapters 4 to 6: bounds of paths, four starts, a stretched posterior. ---


def bounds(setting: dict, monkeypatch: pytest.MonkeyPatch) -> dict:
    """Both bounds on the page's 400 paths each way, and the evidence between them."""
    noise = torch.tensor(normals(0, setting["numSteps"] + 1, 800)).T
    there = there_and_back.weights_there(setting, noise[:400], monkeypatch)
    back = there_and_back.weights_of(setting, there_and_back.path_back(setting, noise[400:]))
    evidence = there_and_back.MODEL.log_evidence(there_and_back.x_of(setting))
    return {"lower": there.mean(), "upper": back.mean(), "evidence": evidence.item()}


def test_path_weights(open_page, monkeypatch):
    page = open_page("04_elbo")
    setting = {"x": 4.0, "stepSize": 0.05, "numSteps": 16, "annealed": True}
    page.shows(**bounds(setting, monkeypatch))
    page.set("schedule", "plain")
    page.keys("ArrowDown", 6)
    page.shows(**bounds(setting | {"x": 2.5, "annealed": False}, monkeypatch))
    page.has_said(2)


def gaps(correlation: float, steps: int, step_size: float = 0.002) -> dict:
    """How far each start's chain is from the posterior after some steps, and how far ULA is in the end."""
    model = race.model_with_correlation(correlation)
    ula_law = MultivariateNormal(race.MEAN, model.ula_stationary_covariance(step_size))
    posterior = MultivariateNormal(race.MEAN, precision_matrix=model.posterior_precision())
    starts = race.starts(model)
    each = {name: race.distances(model, start, step_size, steps)[-1] for name, start in starts.items()}
    told = {name: {"distance": each[name], "variance": starts[name][1]} for name in starts}
    return {"end": kl_divergence(ula_law, posterior).item(), "leader": min(each, key=each.get), **told}


def test_first_there(open_page):
    page = open_page("05_warm_starts")
    page.shows(**gaps(0.9, 10))
    page.set("correlation", 0.6)
    page.set("steps", 1)
    page.shows(**gaps(0.6, 1))
    page.has_said(2)


def stretched(preconditioner: str, ratio: float, step_size: float, steps: int) -> dict:
    """The crowd's covariance over its recent steps, and where its first walker is."""
    draws = torch.tensor(normals(0, steps + 1, 300, 2))
    model, x = valley.stretched_model(ratio), torch.zeros(1, 1, dtype=torch.float64)
    scale = valley.rms("batch", 0.9) if preconditioner == "batch" else None
    kernel = ula(value_and_score_of(lambda z: model.log_joint(x, z)), step_size, preconditioner=scale)
    states = [kernel.init(torch.tensor([-2, 0.5]) + 0.15 * draws[0][:, None])]
    for noise in draws[1:]:
        states.append(kernel.step(states[-1], noise[:, None])[0])
    covariance = 0.0
    for t, state in enumerate(states):
        covariance = covariance + max(3 / (t + 3), 1 / 600) * (state.z[:, 0].T.cov() - covariance)
    shown = {"time": steps, "first": states[-1].z[0, 0], "covariance": covariance}
    return shown | {"soft": covariance[0, 0], "stiff": ratio * covariance[1, 1]}


def closed_form(ratio: float, step_size: float) -> dict:
    """Without M: converged ULA's variances over the true ones."""
    model = valley.stretched_model(ratio)
    true = model.posterior(torch.zeros(1, 1, dtype=torch.float64))[1]
    return {"predicted": (model.ula_stationary_covariance(step_size) / true).diagonal()}


def test_stretched(open_page):
    page = open_page("06_preconditioning")
    page.walk(40)
    page.shows(**stretched("none", 100.0, 0.01, 40), **closed_form(100.0, 0.01))
    page.set("preconditioner", "batch")
    page.set("step_size", -1)
    page.keys("ArrowUp", 2)
    page.walk(60)
    page.shows(**stretched("batch", 64.0, 0.1, 60))  # each key widens by 1.25
    page.has_said(2)


# --- Chapters 7 to 9: snapshots, neighbors, holes, verdicts. ---


def walk_on_the_map(method: str, snapshot: int, start: str, image: int, steps: int) -> dict:
    """The chain's ends, their log-joints and pictures' errors, and the best log-joint on the map."""
    z, values = training.chain(method, snapshot, start, image, steps=steps, step_size=0.001)
    model, ends = training.snapshot_model(method, snapshot).double(), z[[0, -1]]
    errors = (model.decode(ends) - training.chosen_images()[image].double()).square().flatten(1).mean(1)
    return {
        **dict(zip(("start", "end"), ends, strict=True)),
        **dict(zip(("startError", "endError"), errors, strict=True)),
        **dict(zip(("startValue", "endValue"), values[[0, -1]], strict=True)),
        "top": training.best_of_the_map(method, snapshot, image),
        "sigma": model.likelihood.scale.item(),
    }


def test_snapshots(open_page):
    page = open_page("07_lpc_on_images")
    page.shows(**walk_on_the_map("LPC", 6, "prior", 0, 30))
    for trait, choice in {"method": "VAE", "snapshot": 3, "start": "encoder", "image": 3, "steps": 20}.items():
        page.set(trait, choice)
    page.shows(**walk_on_the_map("VAE", 3, "encoder", 3, 20))
    page.has_said(2)


def points_of_two_crowds(seed: int, count: int) -> np.ndarray:
    """The first draws of the page's real law: five uniform numbers a point, for its crowd and its two coordinates."""
    chance, *pairs = uniforms(seed, 5 * count).reshape(count, 5).T
    which = np.array(neighborhood.LAW)[(chance > 0.5).astype(int)]
    draws = [np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v) for u, v in (pairs[:2], pairs[2:])]
    return which[:, :2] + which[:, 2:] * np.stack(draws, 1)


def counted(real: np.ndarray, fake: object, k: int) -> dict:
    measures = dict(zip(neighborhood.MEASURES, neighborhood.by_pcltut(real, fake, k), strict=True))
    perfect = neighborhood.perfect_coverage(len(real), len(fake), k)
    return measures | {"real": real, "fake": fake, "perfectCoverage": perfect}


def test_neighbors(open_page):
    page = open_page("08_evaluation")
    points = points_of_two_crowds(25, 40 + 12 + 12)
    page.shows(**counted(points[:40], points[40:52], 3))
    page.set("num_neighbors", 5)
    page.press("Draw from the real law")
    page.shows(**counted(points[:40], points[52:], 5))
    page.press("Huddle")
    page.shows(**counted(points[:40], page.values["fake"], 5))
    page.has_said(2)


def in_holes(latents: Tensor, density: GaussianMixture, stretch: float) -> dict:
    """How many of the prior's 200 draws are in holes of the density, and what share of the images they reach."""
    draws, edge = stretch * torch.tensor(normals(0, 200, 2)), density.log_prob(latents).quantile(0.05)
    return {
        "edge": edge,
        "holes": (density.log_prob(draws) < edge).double().mean(),
        "reached": density_coverage(latents, draws, num_neighbors=5)[1],
        "perfect": neighborhood.perfect_coverage(len(latents), 200, 5),
        "draws": draws[:10],
    }


def test_holes(open_page):
    page = open_page("08_evaluation", 1)
    latents, parts = (torch.tensor(page.trait(name), dtype=torch.float64) for name in ("latents", "density"))
    lower = torch.zeros(len(parts), 2, 2, dtype=torch.float64)
    lower[:, [0, 1, 1], [0, 0, 1]] = parts[:, 3:]
    density = GaussianMixture(parts[:, 0], parts[:, 1:3], lower)
    page.shows(**in_holes(latents, density, 1.0))
    page.set("stretch", 2.5)
    page.shows(**in_holes(latents, density, 2.5))
    page.has_said(2)


def verdicts(metric: str) -> dict:
    results = load_results("headline")
    means = {key: summarize(results, key, "end", metric) for key in results["methods"]}
    others = [key for key, mean in means.items() if mean.count and key != results["baseline"]]
    signs = "".join(verdict(results, key, "end", (metric,)) for key in others)
    rows = {results["methods"][key]["name"]: mean.mean for key, mean in means.items() if mean.count}
    return {"rows": rows, "ahead": signs.count("+"), "behind": signs.count("-")}


def test_verdicts(open_page):
    page = open_page("09_lpc_and_vae")
    page.shows(**verdicts("coverage_fitted"))
    page.set("measure", "log_evidence")
    page.shows(**verdicts("log_evidence"))
    page.has_said(2)

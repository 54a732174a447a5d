"""Each explorable on its page, without a kernel or a network: it moves, it says so, and its numbers are pcltut's."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from explorable_noise import normals

from pcltut.explorables.garment import garment, garment_model
from pcltut.samplers import ula, value_and_score_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
CHAPTERS = sorted((Path(__file__).resolve().parents[2] / "book").glob("[0-9][0-9]_*.ipynb"))
PAGES = [path for path in CHAPTERS if "from pcltut.explorables." in path.read_text(encoding="utf-8")]
SETTINGS = [("light", 1280), ("dark", 1280), ("light", 390)]

PAUSE = """for (const button of document.querySelectorAll(".pcltut-explorable button"))
  if (button.textContent === "Pause") button.click();"""
CONTROLS = """return [...document.querySelectorAll(".pcltut-explorable [data-trait]")]
  .filter((control) => control.offsetParent);"""
LOOKS = """const figure = document.querySelector(".pcltut-explorable");
window.drawings = [...figure.querySelectorAll("canvas")].map((canvas) => canvas.toDataURL());
return {sentence: figure.querySelector(".sentence").textContent, values: figure.dataset.values};"""
REDRAWN = """[...document.querySelectorAll(".pcltut-explorable canvas")]
  .some((canvas, i) => canvas.toDataURL() !== window.drawings[i])"""
CHANGED = """(() => { const figure = document.querySelector(".pcltut-explorable");
  return figure.dataset.values !== arguments[0]
    || figure.querySelector(".sentence").textContent !== arguments[1]; })()"""
MOVE = """const control = arguments[0];
if (control.tagName === "SELECT") control.selectedIndex = (control.selectedIndex + 1) % control.options.length;
else {
  const [low, high, now] = ["min", "max", "value"].map((name) => Number(control[name]));
  control.value = now < (low + high) / 2 ? high : low;
}
control.dispatchEvent(new Event("input", {bubbles: true}));
control.dispatchEvent(new Event("change", {bubbles: true}));"""
# Those that walk start again, from the same seed, and take ten steps: what then differs is the control's doing.
WALK_AGAIN = """const figure = document.querySelector(".pcltut-explorable");
for (const button of figure.querySelectorAll("button")) if (button.textContent === "Start again") button.click();
figure.dispatchEvent(new CustomEvent("advance", {detail: 10}));"""


def shown(browser) -> dict:
    return browser.script_value(LOOKS)


@pytest.fixture(params=PAGES, ids=lambda path: path.stem)
def page(request: pytest.FixtureRequest) -> str:
    return f"book/{request.param.stem}.html"


@pytest.mark.parametrize(("mode", "width"), SETTINGS)
def test_each_control_changes_drawing_and_words(browser, page: str, mode: str, width: int):
    browser.open(page, mode=mode, width=width)
    browser.script_value("document.querySelector('.pcltut-explorable').scrollIntoView({block: 'center'})")
    assert browser.wait_for("document.querySelector('.pcltut-explorable .sentence').textContent.length > 20")
    browser.script_value(PAUSE)
    controls = browser.script_value(CONTROLS)
    assert controls
    sentences = set()
    for control in controls:
        name = browser.script_value("return arguments[0].dataset.trait", control)
        browser.script_value(WALK_AGAIN)
        browser.wait_for("false", seconds=1.1)  # the sentence follows at most once a second
        before = shown(browser)
        sentences.add(before["sentence"])
        browser.script_value(MOVE, control)
        browser.script_value(WALK_AGAIN)
        assert browser.wait_for(CHANGED, before["values"], before["sentence"]), f"{page}: {name} changes no word"
        assert browser.wait_for(REDRAWN), f"{page}: {name} changes no drawing"
    browser.wait_for("false", seconds=1.1)  # the sentence follows at most once a second
    sentences.add(shown(browser)["sentence"])
    without_numbers = {re.sub(r"[\d.,\u2212-]+", "#", sentence) for sentence in sentences}
    assert len(without_numbers) > 1, f"{page}: the sentence changes its numbers only"


def test_drawings_have_words_and_keys(browser, page: str):
    browser.open(page)
    for role, label, focusable in browser.script_value(
        "return [...document.querySelectorAll('.pcltut-explorable canvas')]"
        ".map((c) => [c.getAttribute('role'), c.getAttribute('aria-label') ?? '', c.tabIndex === 0])"
    ):
        assert len(label.split()) >= 8, label
        assert (role == "application") == focusable, "what can be dragged takes the arrow keys"
    caption = browser.script_value("return document.querySelector('.pcltut-explorable figcaption').textContent")
    assert len(caption.split()) >= 12


def crowd_after(steps: int, values: dict, step_size: float = 0.01, temperature: float = 1.0) -> None:
    """The marked walker of chapter 3 stands where pcltut's ULA leads it on the same noise."""
    noise = normals(0, steps + 1, 100, 2)
    model, seen = garment_model(4).double(), garment()[..., :4, :].double()
    kernel = ula(value_and_score_of(lambda z: model.log_joint(seen, z)), step_size, temperature=temperature)
    state = kernel.init(torch.tensor(noise[0])[:, None])
    for each in noise[1:]:
        state, _ = kernel.step(state, torch.tensor(each)[:, None])
    np.testing.assert_allclose(values["first"], state.z[0, 0], rtol=1e-5, atol=1e-5)


# 0.0199526 is 10^-1.7: the slider moves the exponent in steps of 0.02.
ADVANCED: list[tuple[int, dict]] = [(20, {}), (50, {"step_size": 0.0199526, "temperature": 2.0})]


@pytest.mark.parametrize(("steps", "traits"), ADVANCED)
def test_the_crowd_is_that_of_ula(browser, steps: int, traits: dict):
    browser.open("book/03_langevin.html")
    browser.script_value(PAUSE)
    for name, value in traits.items():
        control = browser.script_value(f"return document.querySelector('[data-trait={name}]')")
        value = np.log10(value) if name == "step_size" else value
        browser.script_value("arguments[0].value = arguments[1];"
                             "arguments[0].dispatchEvent(new Event('input'))", control, float(value))  # fmt: skip
    press(browser, "Start again")
    advance = "new CustomEvent('advance', {detail: arguments[0]})"
    browser.script_value(f"document.querySelector('.pcltut-explorable').dispatchEvent({advance})", steps)
    values = json.loads(shown(browser)["values"])
    assert values["time"] == steps
    crowd_after(steps, values, **traits)


def press(browser, words: str) -> None:
    browser.script_value(
        "for (const button of document.querySelectorAll('.pcltut-explorable button'))"
        "  if (button.textContent === arguments[0]) button.click();",
        words,
    )

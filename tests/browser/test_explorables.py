"""Each explorable on its page, without a kernel or a network: it moves, and it says so."""

import re
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
CHAPTERS = sorted((Path(__file__).resolve().parents[2] / "book").glob("[0-9][0-9]_*.ipynb"))
PAGES = [path for path in CHAPTERS if "from pcltut.explorables." in path.read_text(encoding="utf-8")]
SETTINGS = [("light", 1280), ("dark", 390)]

PAUSE = """for (const button of document.querySelectorAll(".pcltut-explorable button"))
  if (button.textContent === "Pause") button.click();"""
CONTROLS = """return [...document.querySelectorAll(".pcltut-explorable [data-trait]")]
  .filter((control) => control.offsetParent);"""
WHICH = """const figures = [...document.querySelectorAll(".pcltut-explorable")];
return [arguments[0].dataset.trait, arguments[0].value, figures.indexOf(arguments[0].closest(".pcltut-explorable"))];"""
CAPTIONS = """return [...document.querySelectorAll(".pcltut-explorable figcaption")].map((c) => c.textContent);"""
# Of the explorable that a control belongs to: a page may hold several.
LOOKS = """const figure = arguments[0].closest(".pcltut-explorable");
window.drawings = [...figure.querySelectorAll("canvas")].map((canvas) => canvas.toDataURL());
return {sentence: figure.querySelector(".sentence").textContent, values: figure.dataset.values};"""
REDRAWN = """[...arguments[0].closest(".pcltut-explorable").querySelectorAll("canvas")]
  .some((canvas, i) => canvas.toDataURL() !== window.drawings[i])"""
CHANGED = """(() => { const figure = arguments[0].closest(".pcltut-explorable");
  return figure.dataset.values !== arguments[1]
    || figure.querySelector(".sentence").textContent !== arguments[2]; })()"""
MOVE = """const control = arguments[0];
if (control.tagName === "SELECT") control.selectedIndex = (control.selectedIndex + 1) % control.options.length;
else {
  const [low, high, now] = ["min", "max", "value"].map((name) => Number(control[name]));
  control.value = now < (low + high) / 2 ? high : low;
}
control.dispatchEvent(new Event("input", {bubbles: true}));
control.dispatchEvent(new Event("change", {bubbles: true}));"""
PUT_BACK = """arguments[0].value = arguments[1];
for (const kind of ["input", "change"]) arguments[0].dispatchEvent(new Event(kind, {bubbles: true}));"""
# Those that walk start again, from the same seed, and take ten steps: what then differs is the control's doing.
WALK_AGAIN = """const figure = arguments[0].closest(".pcltut-explorable");
for (const button of figure.querySelectorAll("button")) if (button.textContent === "Start again") button.click();
figure.dispatchEvent(new CustomEvent("advance", {detail: 10}));"""


def shown(browser, control) -> dict:
    browser.wait_for("false", seconds=1.1)  # the sentence follows at most once a second
    return browser.script_value(LOOKS, control)


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
    sentences: dict[int, set[str]] = {}  # by explorable
    for control in controls:
        name, value, figure = browser.script_value(WHICH, control)
        browser.script_value(WALK_AGAIN, control)
        before = shown(browser, control)
        browser.script_value(MOVE, control)
        browser.script_value(WALK_AGAIN, control)
        changed = browser.wait_for(CHANGED, control, before["values"], before["sentence"])
        assert changed, f"{page}: {name} changes no word"
        assert browser.wait_for(REDRAWN, control), f"{page}: {name} changes no drawing"
        after = shown(browser, control)
        sentences.setdefault(figure, set()).update({before["sentence"], after["sentence"]})
        browser.script_value(PUT_BACK, control, value)
    for figure, told in sentences.items():
        without_numbers = {re.sub(r"[\d.,\u2212-]+", "#", sentence) for sentence in told}
        assert len(without_numbers) > 1, f"{page}, explorable {figure}: the sentence changes its numbers only"


def test_drawings_have_words_and_keys(browser, page: str):
    browser.open(page)
    for role, label, focusable in browser.script_value(
        "return [...document.querySelectorAll('.pcltut-explorable canvas')]"
        ".map((c) => [c.getAttribute('role'), c.getAttribute('aria-label') ?? '', c.tabIndex === 0])"
    ):
        assert len(label.split()) >= 8, label
        assert (role == "application") == focusable, "what can be dragged takes the arrow keys"
    for caption in browser.script_value(CAPTIONS):
        assert len(caption.split()) >= 12, caption

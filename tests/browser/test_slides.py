"""The decks in a browser, from the file system and without a network: every slide fits, the explorables live."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "book" / "_tools"))

import slides  # noqa: E402
from book_build import fetch_page_scripts  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
NUMBERS = [path.name[:2] for path in sorted((ROOT / "book").glob("[0-9][0-9]_*.ipynb"))]
OVERFULL = """return Reveal.getSlides().map((slide, number) => {
  Reveal.slide(number);
  return [number + 1, slide.querySelector("h1, h2").textContent, slide.scrollHeight, slide.scrollWidth];
}).filter(([number, title, height, width]) => height > 720 || width > 1280);"""
SHOW = "Reveal.slide(Reveal.getSlides().findIndex((slide) => slide.querySelector('.pcltut-explorable')));"
MOVE = """const input = document.querySelector(".present .pcltut-explorable :is(input[type=range], select)");
window.told = input.closest(".pcltut-explorable").dataset.values;
if (input.options) input.selectedIndex = (input.selectedIndex + 1) % input.length;
else input.value = Number(input.value) < (Number(input.min) + Number(input.max)) / 2 ? input.max : input.min;
for (const kind of ["input", "change"]) input.dispatchEvent(new Event(kind, {bubbles: true}));"""


@pytest.fixture(scope="module")
def decks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    fetch_page_scripts()
    return {path.name[:2]: path for path in slides.write(tmp_path_factory.mktemp("slides"))}


@pytest.fixture
def opened(browser, decks: dict[str, Path], request: pytest.FixtureRequest):
    """The browser with a deck open, and everything on it loaded."""
    path = decks[request.param]
    deck = type(browser)(browser.driver, path.parent.as_uri())
    deck.open(path.name)
    assert deck.wait_for("window.Reveal && Reveal.isReady()")
    return deck


@pytest.mark.parametrize("opened", NUMBERS, indirect=True)
def test_every_slide_fits_nothing_is_missing_and_the_explorable_lives(opened):
    assert opened.script_value(OVERFULL) == []
    assert opened.errors() == []
    assert [address for address in opened.requests() if address.startswith("http")] == []
    opened.script_value(SHOW)
    assert opened.wait_for("document.querySelector('.present .pcltut-explorable .sentence').textContent.length > 20")
    opened.script_value(MOVE)
    changed = "document.querySelector('.present .pcltut-explorable').dataset.values !== window.told"
    assert opened.wait_for(changed)

"""Every page in a browser without a network: light, dark and on a phone; each slider moved by keyboard."""

import re
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

pytestmark = pytest.mark.timeout(900)
PHONE = 390
# sphinx-thebe and the theme both add the same inline script; nothing else may complain.
ALLOWED = "Identifier 'THEBE_JS_URL' has already been declared"

SHOWN_FRAMES = """
return [...arguments[0].querySelectorAll(".pcltut-frame")].filter((frame) => frame.offsetParent)
  .map((frame) => [frame.src.length, frame.alt, frame.naturalWidth].join("|")).join("\\n");
"""
CONTRASTS = """
function parse(color) {
  const [r, g, b, a = 1] = color.match(/[\\d.]+/g).map(Number);
  return [r, g, b, a];
}
function luminance([r, g, b]) {
  const [R, G, B] = [r, g, b].map((c) => ((c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * R + 0.7152 * G + 0.0722 * B;
}
function background(element) {
  for (let e = element; e; e = e.parentElement) {
    const color = parse(getComputedStyle(e).backgroundColor);
    if (color[3] > 0.99) return color;
  }
  return [255, 255, 255, 1];
}
return [...document.querySelectorAll(arguments[0])]
  .filter((e) => e.offsetParent && e.textContent.trim()).map((e) => {
  const [a, b] = [luminance(parse(getComputedStyle(e).color)), luminance(background(e))];
  return [e.textContent.trim().slice(0, 40), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
});
"""
# Unbalanced braces stay text, errors become boxes, unknown commands turn red.
UNREAD_MATHEMATICS = """
return [...document.querySelectorAll(".bd-article .math")]
  .filter((e) => !e.querySelector("mjx-container") || e.querySelector("mjx-merror, mjx-mtext[style*='red']"))
  .map((e) => e.textContent.trim().slice(0, 80));
"""
CUT_EQUATIONS = """
return [...document.querySelectorAll(".bd-article div.math mjx-container")]
  .filter((e) => e.scrollWidth > e.clientWidth + 1)
  .map((e) => e.closest(".math").textContent.trim().slice(0, 60) + ` by ${e.scrollWidth - e.clientWidth} px`);
"""
READABLE = (
    ".widget-label, .widget-readout, .bd-article p, .bd-article li, .bd-article figcaption .caption-text, "
    ".bd-article h1, .bd-article h2, .bd-article td, .admonition-title, .cell_output pre, .bd-links a"
)
TOO_WIDE = """
const width = arguments[0];
function scrolls(e) {
  for (let p = e.parentElement; p && p !== document.body; p = p.parentElement)
    if (["auto", "scroll", "hidden"].includes(getComputedStyle(p).overflowX)) return true;
  return false;
}
return [...document.querySelectorAll("main *")].filter((e) => e.offsetParent)
  .filter((e) => e.getBoundingClientRect().right > width + 1 && !scrolls(e))
  .slice(0, 5).map((e) => e.tagName + "." + e.className + ": " + e.textContent.trim().slice(0, 60));
"""


@pytest.fixture(scope="module")
def pages(html: Path) -> list[str]:
    found = sorted(path.relative_to(html).as_posix() for path in (html / "book").rglob("*.html"))
    assert found
    return [*found, "search.html", "genindex.html"]


def check_console_and_network(browser, page: str) -> None:
    errors = browser.errors()
    others = [message for message in errors if ALLOWED not in message]
    assert not others, f"{page}: " + "\n".join(others)
    assert len(errors) <= 1, f"{page}: {errors}"
    outside = [
        url
        for url in browser.requests()
        if re.match(r"(?:https?|wss?):", url) and not url.startswith(f"{browser.site}/")
    ]
    assert not outside, f"{page} asks other hosts: {outside}"


def move_sliders(browser, page: str) -> int:
    """Moves each slider of the page with the arrow keys; returns how many there are."""
    driver = browser.driver
    boxes = driver.find_elements(By.CSS_SELECTOR, ".pcltut-slider")
    moved = 0
    for box in boxes:
        for slider in box.find_elements(By.CSS_SELECTOR, ".widget-slider"):
            handle = slider.find_element(By.CSS_SELECTOR, ".noUi-handle")
            label = slider.find_element(By.CSS_SELECTOR, ".widget-label").text
            readout = slider.find_element(By.CSS_SELECTOR, ".widget-readout")
            assert handle.get_attribute("role") == "slider"
            assert label and handle.get_attribute("aria-label") == label, f"{page}: a slider's handle has no name"
            last = float(handle.get_attribute("aria-valuenow")) == float(handle.get_attribute("aria-valuemax"))
            before, before_text = driver.execute_script(SHOWN_FRAMES, box), readout.text
            assert before.count("\n") == 0 and before, f"{page}, {label}: one picture is shown at a time: {before}"
            driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", handle)
            handle.send_keys(Keys.ARROW_LEFT if last else Keys.ARROW_RIGHT)
            WebDriverWait(driver, 10).until(
                lambda _, box=box, before=before: driver.execute_script(SHOWN_FRAMES, box) != before,
                f"{page}: the slider {label!r} was moved and the picture stays",
            )
            after = driver.execute_script(SHOWN_FRAMES, box)
            assert after.count("\n") == 0 and not after.endswith("|0"), f"{page}, {label}: {after}"
            assert readout.text != before_text, f"{page}: the readout of {label!r} stays at {before_text}"
            assert handle.get_attribute("aria-valuetext") == readout.text
            moved += 1
    return moved


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_pages_work_without_a_network(browser, pages: list[str], mode: str):
    moved = {}
    for page in pages:
        browser.open(page, mode=mode)
        assert browser.script_value("return document.documentElement.dataset.theme") == mode
        broken = browser.script_value(
            "return [...document.images].filter((i) => i.offsetParent && i.complete && !i.naturalWidth)"
            ".map((image) => image.src)"
        )
        assert not broken, f"{page}: {broken}"
        wrong = browser.script_value(UNREAD_MATHEMATICS)
        assert not wrong, f"{page}: mathematics that MathJax cannot read: {wrong}"
        moved[page] = move_sliders(browser, page)
        faint = [entry for entry in browser.script_value(CONTRASTS, READABLE) if entry[1] < 4.5]
        assert not faint, f"{page}, {mode}: text with a contrast below 4.5: {faint[:5]}"
        check_console_and_network(browser, page)
    chapters = {page: number for page, number in moved.items() if re.match(r"book/\d\d_", page)}
    assert all(chapters.values()), f"chapters without a slider: {chapters}"


def test_equations_fit_into_the_column_of_a_laptop(browser, pages: list[str]):
    for page in pages:
        if re.match(r"book/(?:\d\d_|notation|index)", page):
            browser.open(page, width=1280)
            cut = browser.script_value(CUT_EQUATIONS)
            assert not cut, f"{page}: break these equations into lines with `aligned`, they are too wide: {cut}"


def test_nothing_is_wider_than_a_phone(browser, pages: list[str]):
    for page in pages:
        browser.open(page, width=PHONE)
        width = browser.script_value("return Math.max(innerWidth, document.documentElement.scrollWidth)")
        culprits = browser.script_value(TOO_WIDE, PHONE)
        assert width == PHONE and not culprits, f"{page} is {width} px wide: {culprits}"
        move_sliders(browser, page)
        check_console_and_network(browser, page)


def test_a_page_opened_as_a_file_works_too(browser, html: Path, pages: list[str]):
    with_slider = [page for page in pages if "pcltut-slider" in (html / page).read_text(encoding="utf-8")]
    for page in with_slider[:1]:
        site, browser.site = browser.site, html.as_uri()
        try:
            browser.open(page)
            assert move_sliders(browser, page) > 0
            assert all(ALLOWED in message for message in browser.errors())
        finally:
            browser.site = site


def test_solutions_are_folded_and_open_on_a_click(browser, html: Path, pages: list[str]):
    chapters = [page for page in pages if 'class="solution dropdown' in (html / page).read_text(encoding="utf-8")]
    for page in chapters:
        browser.open(page)
        for solution in browser.driver.find_elements(By.CSS_SELECTOR, ".solution.dropdown"):
            content = solution.find_element(By.CSS_SELECTOR, "section")
            assert not content.is_displayed(), f"{page}: a solution is open from the start"
            button = solution.find_element(By.CSS_SELECTOR, "button.toggle-button")
            browser.driver.execute_script("arguments[0].click()", button)
            WebDriverWait(browser.driver, 5).until(lambda _, content=content: content.is_displayed())


def test_the_search_finds_a_word_of_the_book(browser):
    browser.open("search.html?q=Langevin")
    results = WebDriverWait(browser.driver, 20).until(
        lambda driver: driver.find_elements(By.CSS_SELECTOR, "#search-results li a")
    )
    assert results
    check_console_and_network(browser, "search.html")

"""Every page in a browser without a network: light, dark and on a phone."""

import base64
import re
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
PHONE = 390
# sphinx-thebe and the theme both add the same inline script; nothing else may complain.
ALLOWED = "Identifier 'THEBE_JS_URL' has already been declared"

BROKEN_IMAGES = """
return [...document.images].filter((i) => i.offsetParent && i.complete && !i.naturalWidth).map((image) => image.src);
"""
# Opened by a click on its button, one by one; returns the solutions that were open before and those that stay shut.
OPEN_SOLUTIONS = """
const done = arguments[arguments.length - 1], open = [], shut = [];
const shows = (e) => e.getClientRects().length > 0 && getComputedStyle(e).visibility === "visible";
(async function () {
  for (const solution of document.querySelectorAll(".solution.dropdown")) {
    const content = solution.querySelector("section"), start = performance.now();
    if (shows(content)) open.push(content.textContent.trim().slice(0, 60));
    solution.querySelector("button.toggle-button").click();
    while (!shows(content) && performance.now() - start < 5000) await new Promise((go) => setTimeout(go, 10));
    if (!shows(content)) shut.push(content.textContent.trim().slice(0, 60));
  }
  done([document.querySelectorAll(".solution.dropdown").length, open, shut]);
})();
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


def check_solutions(browser, page: str) -> int:
    """Solutions are folded and open on a click; returns how many there are."""
    number, opened, shut = browser.driver.execute_async_script(OPEN_SOLUTIONS)
    assert not opened, f"{page}: solutions are open from the start: {opened}"
    assert not shut, f"{page}: solutions do not open: {shut}"
    return number


def check_looks(browser, page: str, mode: str) -> None:
    """What holds in either color mode."""
    assert browser.script_value("return document.documentElement.dataset.theme") == mode
    broken = browser.script_value(BROKEN_IMAGES)
    assert not broken, f"{page}: {broken}"
    faint = [entry for entry in browser.script_value(CONTRASTS, READABLE) if entry[1] < 4.5]
    assert not faint, f"{page}, {mode}: text with a contrast below 4.5: {faint[:5]}"


def check_page(browser, page: str) -> int:
    """A page on a laptop; returns the number of its solutions."""
    wrong = browser.script_value(UNREAD_MATHEMATICS)
    assert not wrong, f"{page}: mathematics that MathJax cannot read: {wrong}"
    if re.match(r"book/(?:\d\d_|notation|index)", page):
        cut = browser.script_value(CUT_EQUATIONS)
        assert not cut, f"{page}: break these equations into lines with `aligned`, they are too wide: {cut}"
    solutions = check_solutions(browser, page)
    check_console_and_network(browser, page)
    return solutions


def test_pages_work_without_a_network(browser, html: Path, pages: list[str]):
    """Pictures, mathematics, equations within a laptop's column, contrast, folded solutions, no complaint."""
    for page in pages:
        browser.open(page)
        check_looks(browser, page, "light")
        solutions = check_page(browser, page)
        explorables = browser.script_value("return document.querySelectorAll('.pcltut-explorable').length")
        assert explorables or not re.match(r"book/\d\d_", page), f"{page} has nothing to explore"
        assert solutions == (html / page).read_text(encoding="utf-8").count('class="solution dropdown'), page


def test_nothing_is_wider_than_a_phone_and_dark_pages_are_readable(browser, pages: list[str]):
    for page in pages:
        browser.open(page, mode="dark", width=PHONE)
        check_looks(browser, page, "dark")
        width = browser.script_value("return Math.max(innerWidth, document.documentElement.scrollWidth)")
        culprits = browser.script_value(TOO_WIDE, PHONE)
        assert width == PHONE and not culprits, f"{page} is {width} px wide: {culprits}"
        check_console_and_network(browser, page)


def test_a_page_opened_as_a_file_works_too(browser, html: Path, pages: list[str]):
    texts = {page: (html / page).read_text(encoding="utf-8") for page in pages}
    site, browser.site = browser.site, html.as_uri()
    try:
        browser.open(next(page for page, text in texts.items() if "pcltut.explorables." in text))
        assert browser.wait_for("document.querySelector('.pcltut-explorable .sentence')?.textContent")
        assert all(ALLOWED in message for message in browser.errors())
    finally:
        browser.site = site


def test_the_cheat_sheet_is_one_printed_page(browser):
    browser.open("book/cheatsheet.html")
    a4 = {"paperWidth": 8.27, "paperHeight": 11.69}
    pdf = base64.b64decode(browser.driver.execute_cdp_cmd("Page.printToPDF", a4)["data"])
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf)) == 1


def test_the_search_finds_a_word_of_the_book(browser):
    browser.open("search.html?q=Langevin")
    assert browser.wait_for("document.querySelector('#search-results li a')", seconds=20)
    check_console_and_network(browser, "search.html")

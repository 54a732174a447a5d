"""axe-core on every page: WCAG 2.2, levels A and AA, in light and in dark."""

from pathlib import Path

import pytest
from selenium_axe_python import Axe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# MathJax writes its own accessible text, and the entries of the reference are all of one mould: of each section the
# first three are enough. Thousands of boxes more would take axe minutes.
CONTEXT = {"include": [["html"]], "exclude": [["mjx-container"], ["section > dl.py:nth-of-type(n+4)"]]}
# At once: axe must not meet a color half-way from one mode to the other.
TO_DARK = """document.head.insertAdjacentHTML("beforeend", "<style>* { transition: none !important; }</style>");
document.documentElement.dataset.theme = "dark";"""
DARK = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every((part) => Number(part) < 60)"


def violations(browser, **run_only: object) -> list[str]:
    axe = Axe(browser.driver)
    axe.inject()
    found = axe.run(context=CONTEXT, options={"runOnly": run_only, "resultTypes": ["violations"]})
    return [
        f"{violation['id']}: {node['html'][:120]} ({' '.join(node['failureSummary'].split())[:200]})"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


@pytest.fixture(scope="module")
def pages(html: Path) -> list[str]:
    return [*(f"book/{path.name}" for path in sorted((html / "book").glob("*.html"))), "search.html", "genindex.html"]


def test_no_page_has_a_barrier(browser, pages: list[str]):
    """Everything in light, and in dark the contrast: all else is the same there."""
    found = {}
    for page in pages:
        browser.open(page)
        found[page] = violations(browser, type="tag", values=LEVELS)
        browser.script_value(TO_DARK)
        assert browser.wait_for(DARK)
        found[page] += violations(browser, type="rule", values=["color-contrast"])
    assert not {page: barriers for page, barriers in found.items() if barriers}

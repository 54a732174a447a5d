"""A headless browser without any network but the built book's own pages."""

import functools
import http.server
import json
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from book_build import built_book

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
)
QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)
MODE = "localStorage.setItem('mode', '{0}'); localStorage.setItem('theme', '{0}');"


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *args: object) -> None:
        pass


class Browser:
    """A driver, and what the tests ask of it: open a page in a color mode and at a width, and listen."""

    def __init__(self, driver, site: str) -> None:
        self.driver, self.site = driver, site
        self.script: str | None = None

    def open(self, page: str, *, mode: str = "light", width: int = 1280) -> None:
        """Shows a page and waits until its mathematics and its explorables stand."""
        driver = self.driver
        if self.script:
            driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": self.script})
        added = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": MODE.format(mode)})
        self.script = added["identifier"]
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        for log in ("browser", "performance"):
            driver.get_log(log)
        driver.get(f"{self.site}/{page}")
        driver.execute_async_script(
            """
            const done = arguments[arguments.length - 1], start = performance.now();
            const views = document.querySelectorAll("script[type='application/vnd.jupyter.widget-view+json']").length;
            function ready() {
              const widgets = document.querySelectorAll(".pcltut-explorable");
              const frames = [...document.images];
              const math = document.querySelectorAll(".math").length;
              return (!views || (widgets.length === views
                  && document.querySelector(".pcltut-explorable canvas")))
                && (!math || document.querySelector("mjx-container"))
                && frames.every((frame) => frame.complete || frame.loading === "lazy" || !frame.offsetParent);
            }
            (async function wait() {
              while (!ready() && performance.now() - start < 20000) await new Promise((go) => setTimeout(go, 10));
              await window.MathJax?.startup?.promise;
              requestAnimationFrame(() => requestAnimationFrame(done));  // drawn once
            })();
            """
        )

    def errors(self) -> list[str]:
        """What the page has complained about in the console since it was opened."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def requests(self) -> list[str]:
        """Every address that the page has asked for since it was opened."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]

    def wait_for(self, condition: str, *arguments: object, seconds: float = 10) -> bool:
        """Whether a condition of JavaScript comes true in time; asked every 10 ms, in the page itself."""
        return self.driver.execute_async_script(
            "const [seconds, ...given] = arguments, done = given.pop(), start = performance.now();"
            f"const holds = () => (function () {{ return {condition}; }})(...given);"
            "(function look() { if (holds()) done(true);"
            "  else if (performance.now() - start > 1000 * seconds) done(false);"
            "  else setTimeout(look, 10); })();",
            seconds,
            *arguments,
        )

    def script_value(self, script: str, *arguments: object) -> object:
        return self.driver.execute_script(script, *arguments)


@pytest.fixture(scope="session")
def html() -> Path:
    return built_book()


@pytest.fixture(scope="session")
def site(html: Path) -> Iterator[str]:
    """The address of a server of the built pages."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(html)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def browser(site: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    from selenium import webdriver

    binary = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    driver = shutil.which("chromedriver", path=os.environ.get("CHROMEWEBDRIVER")) or shutil.which("chromedriver")
    if not (binary and driver):
        reason = "no Chromium or Chrome with its chromedriver: install them to test the pages in a browser"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in (*QUIET, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(argument)
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    session = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    session.set_script_timeout(100)
    session.set_page_load_timeout(60)
    yield Browser(session, site)
    session.quit()

"""A real browser, as the tests drive it: wide or like a phone, light or dark."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium isn't installed")

from selenium.common.exceptions import StaleElementReferenceException  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

from tests.servers import free_port  # noqa: E402

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1440,1000",
)
#: How long a page, or a script in it, may take, in seconds.
PATIENCE = 120

#: Fields and buttons that a screen reader has no name for.
NAMELESS = """
return Array.from(document.querySelectorAll("#content input:not([type=hidden]), #content select,"
    + "#content button, #content textarea, #content svg[role=img], #content a"))
  .filter((one) => !(one.labels && one.labels.length) && !one.getAttribute("aria-label")
    && !one.textContent.trim() && !one.value && !one.title)
  .map((one) => one.outerHTML.slice(0, 200));
"""
#: Texts whose contrast with what is behind them is below 4.5 to 1, as WCAG 2 asks.
FAINT = """
function channels(color) {
  const found = color.match(/[\\d.]+/g).map(Number);
  return found.length > 3 ? found : [...found, 1];
}
function luminance([red, green, blue]) {
  const linear = [red, green, blue].map((one) => {
    const part = one / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}
function behind(element) {
  for (let one = element; one; one = one.parentElement) {
    const color = channels(getComputedStyle(one).backgroundColor);
    if (color[3] === 1) return color;
  }
  return [255, 255, 255, 1];
}
const faint = [];
const texts = document.createTreeWalker(document.querySelector("#content"), NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const element = texts.currentNode.parentElement;
  if (!texts.currentNode.textContent.trim() || !element.checkVisibility()
      || element.closest("svg, option, :disabled, .visually-hidden")) continue;
  const [one, other] = [luminance(channels(getComputedStyle(element).color)),
    luminance(behind(element))].sort((a, b) => b - a);
  const contrast = (one + 0.05) / (other + 0.05);
  if (contrast < 4.5) {
    faint.push(contrast.toFixed(2) + " " + texts.currentNode.textContent.trim().slice(0, 60));
  }
}
return faint;
"""


@cache
def _axe() -> str:
    """The script of axe-core, from the package that brings it for the tests."""
    package = find_spec("axe_core_python")
    if package is None or package.origin is None:
        pytest.skip("axe-core-python isn't installed")
    return Path(package.origin).with_name("axe.min.js").read_text()


class Browser:
    def __init__(self, driver: Any, url: str):
        self.driver = driver
        self.url = url

    def wait(self, condition: Callable[[Any], Any], what: str) -> Any:
        """The first true value. What the condition looks at may be replaced meanwhile,
        and is then looked for again.
        """
        text = f"not within {PATIENCE} s: {what}"
        passing = [StaleElementReferenceException]
        wait = WebDriverWait(self.driver, PATIENCE, ignored_exceptions=passing)
        return wait.until(condition, text)

    def open(self, path: str) -> None:
        self.driver.get(self.url + path)

    def _seen(self, css: str) -> Any:
        """The first such element that is to be seen, or None."""
        found = self.driver.find_elements(By.CSS_SELECTOR, css)
        return next((one for one in found if one.is_displayed()), None)

    def find(self, css: str) -> Any:
        """The first such element that is to be seen."""
        return self.wait(lambda _: self._seen(css), css)

    def is_seen(self, css: str) -> bool:
        return self._seen(css) is not None

    def text(self, css: str = "body") -> str:
        def read(_: Any) -> tuple[str] | None:
            found = self._seen(css)
            return None if found is None else (found.text,)

        [text] = self.wait(read, css)
        return text

    def click(self, css: str) -> None:
        self._click(lambda _: self._seen(css), css)

    def _click(self, look: Callable[[Any], Any], what: str) -> None:
        def click(driver: Any) -> bool:
            found = look(driver)
            if found is None:
                return False
            found.click()
            return True

        self.wait(click, what)

    def follow(self, css: str) -> None:
        """Clicks, and waits for the next page."""
        self._follow(lambda _: self._seen(css), css)

    def follow_text(self, text: str) -> None:
        self._follow(lambda driver: driver.find_element(By.LINK_TEXT, text), text)

    def press(self, text: str) -> None:
        """Presses the button of that text, and waits for the next page."""
        path = f"//*[@id='content']//button[starts-with(normalize-space(), {text!r})]"
        self._follow(lambda driver: driver.find_element(By.XPATH, path), text)

    def _follow(self, look: Callable[[Any], Any], what: str) -> None:
        before = self.driver.find_element(By.TAG_NAME, "html")
        self._click(look, what)
        self.wait(
            lambda driver: driver.find_element(By.TAG_NAME, "html") != before, "the next page"
        )

    def rows(self) -> list[str]:
        return [
            row.text for row in self.driver.find_elements(By.CSS_SELECTOR, "#result_list tbody tr")
        ]

    def phone(self, width: int = 390, height: int = 844) -> None:
        """From now on the pages are as wide as a phone."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": True}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def theme(self, name: str) -> None:
        """`light` or `dark`, as the system of whoever looks has it."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def is_wider_than_the_screen(self) -> bool:
        script = "const page = document.documentElement; return page.scrollWidth > innerWidth;"
        return bool(self.driver.execute_script(script))

    def nameless(self) -> list[str]:
        """Fields and buttons that a screen reader can't name."""
        found: list[str] = self.driver.execute_script(NAMELESS)
        return found

    def faint(self) -> list[str]:
        """Texts that can't be read well."""
        found: list[str] = self.driver.execute_script(FAINT)
        return found

    def serious(self) -> list[str]:
        """What axe finds serious or critical of the page's accessibility."""
        self.driver.execute_script(_axe())
        script = "axe.run(document).then(arguments[0], (error) => arguments[0](String(error)));"
        found = self.driver.execute_async_script(script)
        assert isinstance(found, dict), found
        assert found["passes"], "axe has looked at nothing"
        return [
            f"{one['id']}: {node['html'][:200]}"
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]

    def picture(self, name: str) -> None:
        """Of the whole page, in the folder that SCREENSHOTS names."""
        if folder := os.environ.get("SCREENSHOTS"):
            script = (
                "return [Math.max(innerWidth, document.documentElement.clientWidth),"
                " document.documentElement.scrollHeight]"
            )
            width, height = self.driver.execute_script(script)
            clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
            options = {"captureBeyondViewport": True, "clip": clip}
            shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", options)
            Path(folder, f"{name}.png").write_bytes(base64.b64decode(shot["data"]))

    def complaints(self) -> list[str]:
        """Errors in the browser's console: scripts that failed, files that weren't
        there (but for an icon of the admin).
        """
        errors = [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] == "SEVERE"
        ]
        return [error for error in errors if "/favicon.ico" not in error]


def started(url: str, folder: Path) -> Browser:
    """A new browser in front of that server, with its own profile in `folder`."""
    if not (CHROMIUM.exists() and DRIVER.exists()):
        pytest.skip(f"{CHROMIUM} or {DRIVER} isn't installed (chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*FLAGS, f"--user-data-dir={folder / 'chromium'}"):
        options.add_argument(flag)
    service = webdriver.ChromeService(str(DRIVER), port=free_port())
    driver = webdriver.Chrome(options, service)
    driver.set_script_timeout(PATIENCE)
    return Browser(driver, url)

"""A real browser for pages: Debian's Chromium, driven by Playwright, with axe for accessibility."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

_CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(
    _CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome is installed"
)
Scheme = Literal["light", "dark"]


@dataclass
class ShownPage:
    """A page in a browser, and everything that came to its console or that it asked for besides itself."""

    page: Page
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def violations(self) -> list[tuple[str, list[str]]]:
        """Return the accessibility rules that axe finds broken, each with the elements that break it."""
        self.page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
        found = self.page.evaluate("axe.run()")["violations"]
        return [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found]

    def visible(self, selector: str) -> list[str]:
        """Return the texts of the elements that can be seen."""
        return self.page.locator(f"{selector}:visible").all_inner_texts()


@contextmanager
def browser() -> Iterator[Browser]:
    """Run a browser within the context."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def show(browser: Browser, path: Path, *, width: int = 1280, scheme: Scheme = "light") -> ShownPage:
    """Open a file in a new window."""
    page = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True).new_page()
    shown = ShownPage(page)
    page.on("console", lambda message: shown.messages.append(message.text))
    page.on("pageerror", lambda error: shown.messages.append(str(error)))
    page.on("request", lambda request: shown.requests.append(request.url))
    page.set_default_timeout(120_000)
    page.goto(path.as_uri())
    return shown

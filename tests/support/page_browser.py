"""Debian's Chromium, driven by Playwright: pages that say anything in the console fail their test."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Browser, BrowserContext, async_playwright
from playwright.async_api import Page as Tab

from tests.support.web_page import Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
# What the browser itself says of a request that was refused or could not connect.
_OF_REQUESTS = "Failed to load resource"
WIDTHS = (390, 1280)
_RUN_AXE = """axe.run({ resultTypes: ["violations"] })
    .then(({ violations }) => violations.map(({ id, nodes }) => `${id}: ${nodes[0].target}`))"""


@dataclass
class Watched:
    """A context of a browser, and what its pages have said in the console."""

    context: BrowserContext
    said: list[str] = field(default_factory=list)

    async def tab(self) -> Tab:
        """Open a tab."""
        tab = await self.context.new_page()
        tab.on("console", lambda message: self.said.append(message.text))
        tab.on("pageerror", lambda error: self.said.append(str(error)))
        tab.on("dialog", lambda dialog: self.said.append(dialog.message))
        return tab


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Yield a browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def watched(browser: Browser, **options: Any) -> AsyncIterator[Watched]:  # noqa: ANN401 - Playwright's own
    """Yield a context whose pages must say nothing in the console."""
    context = Watched(await browser.new_context(**options))
    context.context.set_default_timeout(30_000)
    try:
        yield context
        assert [text for text in context.said if _OF_REQUESTS not in text] == []
    finally:
        await context.context.close()


async def sign_in(tab: Tab, page: Page, token: str, *, has_script: bool = True) -> None:
    """Use the one-time link in a tab; the script presses its button."""
    await tab.goto(f"{page.origin}/auth/token?token={token}")
    if not has_script:
        await tab.get_by_test_id("token-submit").click()
    await tab.wait_for_url(f"{page.origin}/")


async def violations(tab: Tab) -> list[str]:
    """Return what axe finds wrong in a page, at both widths, light and dark."""
    found: list[str] = []
    await tab.evaluate(AXE_SCRIPT)
    for width in WIDTHS:
        await tab.set_viewport_size({"width": width, "height": 900})
        for scheme in ("light", "dark"):
            await tab.emulate_media(color_scheme=scheme)
            found += [f"{width} {scheme} {violation}" for violation in await tab.evaluate(_RUN_AXE)]
    return found

"""Ann chooses a file and sends it for approval, Ben approves it: two browsers, three presses."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, FilePayload
from playwright.async_api import Page as Tab

from tests.support.page_browser import chromium, needs_chromium, violations, watched
from tests.support.web_page import OwnPage, serving_page, table

pytestmark = [pytest.mark.browser, needs_chromium]
FILE: FilePayload = {"name": "März-Storno.csv", "mimeType": "text/csv", "buffer": table(4)}


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    """Start a browser."""
    async with chromium() as started:
        yield started


async def sign_in_as(tab: Tab, page: OwnPage, person: str, path: str = "/") -> None:
    """Sign in as a made-up person who wanted to see a page."""
    await tab.goto(page.origin + path)
    await tab.get_by_test_id(f"person-{person}").click()
    await tab.wait_for_url(page.origin + path)


@pytest.mark.parametrize("has_script", [True, False], ids=["script", "no script"])
async def test_three_presses_lead_from_a_file_to_its_run(tmp_path: Path, browser: Browser, has_script: bool) -> None:
    options = {"java_script_enabled": has_script}
    async with (
        serving_page(tmp_path, signed_in=False, sign_in="practice", approval_from=1) as page,
        watched(browser, **options) as anns,
        watched(browser, **options) as bens,
    ):
        ann, ben = await anns.tab(), await bens.tab()
        await sign_in_as(ann, page, "ann")
        await ann.get_by_test_id("upload-file").set_input_files(FILE)
        if not has_script:
            await ann.get_by_test_id("upload-submit").click()
        label = await ann.get_by_test_id("submit").inner_text()
        await ann.get_by_test_id("submit").click()
        own = await ann.get_by_test_id("own-work").inner_text()
        await sign_in_as(ben, page, "ben")
        line = await ben.get_by_test_id("waiting-for-you").inner_text()
        await ben.get_by_test_id("waiting-for-you").get_by_test_id("job-link-1").click()
        button = await ben.get_by_test_id("approve").inner_text()
        await ben.get_by_test_id("approve").click()
        await ben.get_by_test_id("verdict").wait_for()
        if not has_script:
            await ann.reload()
        verdict = await ann.get_by_test_id("verdict").inner_text()
        signed_in = [await tab.get_by_test_id("person").inner_text() for tab in (ann, ben)]
    assert (label, button) == ("Send for approval", "Approve 4 subscriptions of 1 customer")
    assert own == "Ann's own file: somebody else must approve it."
    assert "März-Storno.csv, 4 subscriptions, by Ann" in line
    assert (verdict, signed_in) == ("All 4 rows ended well", ["Ann", "Ben"])


async def test_everybody_can_use_the_pages_of_signing_in_and_approving(tmp_path: Path, browser: Browser) -> None:
    found: list[str] = []
    async with (
        serving_page(tmp_path, signed_in=False, sign_in="practice", approval_from=1) as page,
        watched(browser) as anns,
        watched(browser) as bens,
    ):
        ann, ben = await anns.tab(), await bens.tab()
        await ann.goto(f"{page.origin}/auth/sign-in")
        found += await violations(ann)
        await sign_in_as(ann, page, "ann")
        await ann.get_by_label("Note").fill("for March")
        await ann.get_by_test_id("upload-file").set_input_files(FILE)
        await ann.get_by_test_id("submit").click()
        await ann.get_by_test_id("own-work").wait_for()
        found += await violations(ann)
        await sign_in_as(ben, page, "ben", "/jobs/1")
        found += await violations(ben)
        await ben.set_viewport_size({"width": 320, "height": 800})
        width = await ben.evaluate("document.documentElement.scrollWidth")
        await ben.get_by_test_id("reject").click()
        # It stays where it is: the browser asks for the comment.
        is_asked = await ben.locator("#comment:invalid:focus").count()
        await ben.get_by_test_id("comment").fill("wrong month")
        # That key sends nothing: the first button would approve.
        await ben.get_by_test_id("comment").press("Enter")
        await ben.get_by_test_id("reject").click()
        await ben.get_by_test_id("rejection").wait_for()
        found += await violations(ben)
        # The page of the other one follows by itself.
        await ann.get_by_test_id("rejection").wait_for()
        await ben.goto(page.origin)
        found += await violations(ben)
    assert (found, width, is_asked) == ([], 320, 1)

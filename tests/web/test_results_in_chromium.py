"""Results and settings in a real browser: a row is opened, looked at again and retried, and the connection is tested."""

from pathlib import Path

import pytest
from playwright.async_api import Page as Tab

from tests.support.page_browser import chromium, needs_chromium, sign_in, violations, watched
from tests.support.web_page import HEADER, Page, line, serving_page

pytestmark = [pytest.mark.browser, needs_chromium]

CONTENT = (HEADER + line(1) + line(2, ending="408") + line(3, ending="000000020002")).encode()


async def see_end(tab: Tab, page: Page, number: int, *, has_script: bool) -> None:
    """Wait until the page of a job shows its end; with script it loads itself anew, and nobody may go elsewhere meanwhile."""
    await page.wait_for(number, "finished")
    if has_script:
        await tab.get_by_test_id("job-state").filter(has_text="Finished").wait_for()
    else:
        await tab.goto(f"{page.origin}/jobs/{number}")


@pytest.mark.parametrize("has_script", [True, False])
async def test_a_person_finds_out_why_a_row_failed_and_sends_it_again(tmp_path: Path, *, has_script: bool) -> None:
    async with (
        serving_page(tmp_path, speed="--attempts=1") as page,
        chromium() as browser,
        watched(browser, java_script_enabled=has_script) as context,
    ):
        number = await page.finished(CONTENT)
        tab = await context.tab()
        await sign_in(tab, page, page.site.link.token, has_script=has_script)
        await tab.goto(f"{page.origin}/jobs/{number}")
        row = tab.get_by_test_id("row-4")
        await row.locator("summary").click()
        opened = await row.inner_text()
        found = await violations(tab) if has_script else []
        widths = (
            await tab.locator("html").evaluate("html => [html.scrollWidth, html.clientWidth]") if has_script else []
        )
        await tab.get_by_test_id("status-failed").get_by_role("link").click()
        filtered = await tab.locator("[data-testid^=row-]").count()
        await tab.go_back()
        await tab.get_by_test_id("verify").click()
        await see_end(tab, page, number, has_script=has_script)
        await tab.get_by_test_id("retry").click()
        await tab.get_by_test_id("retry-of").wait_for()
        await see_end(tab, page, 2, has_script=has_script)
        await tab.goto(f"{page.origin}/jobs/{number}")
        retries = await tab.get_by_test_id("retries").inner_text()
        again = [await tab.get_by_test_id(name).count() for name in ("retry", "retry-all")]
        await tab.goto(f"{page.origin}/settings")
        if not has_script:
            test_file = {"name": "test.csv", "mimeType": "text/csv", "buffer": bytes(1_000_000)}
            await tab.locator("[type=file]").set_input_files(test_file)  # type: ignore[arg-type]
        await tab.get_by_test_id("connection").click()
        result = await tab.get_by_test_id("connection-result").inner_text()
        await tab.get_by_test_id("doctor").click()
        await tab.get_by_test_id("doctor-result").wait_for()
        found += await violations(tab) if has_script else []
    assert all(word in opened for word in ("Request id", "Correlation id", "Attempts", "For Microsoft support"))
    assert (filtered, again) == (2, [0, 1])
    assert "1 of 2 retried in No. 2: 1 ended well" in retries
    assert "1.0 MB came through" in result
    assert (found, len(set(widths)) <= 1) == ([], True)

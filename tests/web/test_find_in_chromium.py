"""Find in a real browser: with and without script, and with names that would be markup."""

from pathlib import Path

import pytest

from tests.support.discovery_server import DiscoveryServer, serve_portfolio, subscription
from tests.support.ids import guid
from tests.support.page_browser import chromium, needs_chromium, sign_in, watched
from tests.support.web_page import serving_page

pytestmark = [pytest.mark.browser, needs_chromium]

NAMES = ("<img src=x onerror=alert(1)>", '"><script>alert(1)</script>', "{{ 7 * 7 }}", "=1+1")


@pytest.mark.parametrize("blocked", ["nothing", "**/*.js"])
async def test_what_was_chosen_becomes_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocked: str) -> None:
    monkeypatch.setenv("BULKREACT_ACCESS_TOKEN", "token")
    has_script = blocked == "nothing"
    async with (
        serve_portfolio(DiscoveryServer()) as partner,
        serving_page(tmp_path, signed_in=False, discover=("--base-url", partner.base_url)) as page,
        chromium() as browser,
        watched(browser, java_script_enabled=has_script) as context,
    ):
        for number, name in enumerate(NAMES, 1):
            partner.add(number, subscription(10 * number, friendlyName=name), name=name)
        partner.blocked.add(f"{guid(2)}/subscriptions")
        tab = await context.tab()
        await sign_in(tab, page, page.site.link.token, has_script=has_script)
        await tab.get_by_test_id("nav-find").click()
        await tab.get_by_test_id("find-submit").click()
        await tab.get_by_test_id("said").wait_for()
        partner.blocked.clear()
        table = tab.get_by_test_id("found-table")
        await table.wait_for()
        shown, elements = await table.inner_text(), await table.locator("img, script").count()
        await tab.get_by_test_id("row-2").get_by_role("checkbox").uncheck()
        await tab.get_by_test_id("found-submit").click()
        await tab.get_by_test_id("count-rows").wait_for()
        rows = await tab.get_by_test_id("count-rows").inner_text()
    assert [shown.count(name) for name in NAMES] == [2] * len(NAMES)
    assert (elements, rows) == (0, "3")

"""The page in a real browser: with and without script, hostile cells, forged forms, a server that goes away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, FilePayload
from playwright.async_api import Page as Tab

from tests.support.background_loop import listening
from tests.support.hostile_texts import HOSTILE
from tests.support.page_browser import Watched, chromium, needs_chromium, sign_in, violations, watched
from tests.support.web_page import HEADER, OwnPage, line, serving_page, table

pytestmark = [pytest.mark.browser, needs_chromium]

# A run takes some seconds.
SLOW = "--rate=10/s"
TEXTS = HOSTILE[::3]


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    """Start a browser."""
    async with chromium() as started:
        yield started


def payload(content: bytes, name: str = "März-Storno.csv") -> FilePayload:
    """Return a file as a browser's form takes it."""
    return {"name": name, "mimeType": "text/csv", "buffer": content}


@asynccontextmanager
async def signed_in(folder: Path, browser: Browser, **changed: Any) -> AsyncIterator[tuple[OwnPage, Watched, Tab]]:  # noqa: ANN401 - those of any setting
    """Yield a page, a context, and a tab in which somebody is signed in."""
    async with serving_page(folder, signed_in=False, **changed) as page, watched(browser) as context:
        tab = await context.tab()
        await sign_in(tab, page, page.site.link.token)
        yield page, context, tab


async def begin_run(tab: Tab, content: bytes) -> None:
    """Upload a file and press the button that runs it."""
    await tab.get_by_test_id("upload-file").set_input_files(payload(content))
    await tab.get_by_test_id("submit").click()


CONTENT = (HEADER + "".join(map(line, range(1, 40))) + line(99, ending="000000020002") + "bad,4.892E+92,x,\n").encode()


async def test_a_file_goes_its_whole_way_without_script(tmp_path: Path, browser: Browser) -> None:
    async with (
        serving_page(tmp_path, signed_in=False) as page,
        watched(browser, java_script_enabled=False) as context,
    ):
        tab = await context.tab()
        await sign_in(tab, page, page.site.link.token, has_script=False)
        await tab.get_by_test_id("upload-file").set_input_files(payload(CONTENT))
        await tab.get_by_test_id("upload-submit").click()
        await tab.get_by_test_id("submit").click()
        verdict = await tab.get_by_test_id("verdict").inner_text()
        await tab.get_by_test_id("filter-status").select_option("failed")
        await tab.get_by_test_id("filter-submit").click()
        rows = await tab.locator("[data-testid^=row-]").count()
    assert (verdict, rows) == ("39 of 41 rows ended well", 1)


async def test_hostile_text_is_shown_as_text(tmp_path: Path, browser: Browser) -> None:
    rows = "".join(line(number, name='"' + text.replace('"', '""') + '"') for number, text in enumerate(TEXTS, 1))
    name = "<img src=x onerror=alert(1)>.csv"
    async with signed_in(tmp_path, browser) as (page, _, tab):
        await tab.get_by_label("Note").fill("<script>alert(1)</script>")
        content = (HEADER.replace("name", '"<b>name</b>"') + rows + "x,y,z,<b>\n").encode()
        await tab.get_by_test_id("upload-file").set_input_files(payload(content, name))
        await tab.get_by_test_id("submit").wait_for()
        shown = await tab.locator("main").inner_text()
        elements = await tab.locator("main :is(script, img, svg, iframe, base, style, b)").count()
        await tab.get_by_test_id("submit").click()
        await tab.get_by_test_id("verdict").wait_for()
        await tab.goto(f"{page.origin}/jobs/1/rows")
        later = await tab.locator("main :is(script, img, svg, iframe, base, style, b)").count()
        await tab.goto(f"{page.origin}/jobs/1/files/report.html")
        assert await tab.get_by_role("heading", level=1).count() == 1
    assert [text for text in (*TEXTS, "<b>name</b>", name, "<script>alert(1)</script>") if text not in shown] == []
    assert (elements, later) == (0, 0)


async def test_a_page_of_another_port_cannot_press_buttons(tmp_path: Path, browser: Browser) -> None:
    posted: list[str] = []

    async def forged(request: web.Request) -> web.Response:
        action = request.query["action"]
        form = f'<form method="post" action="{action}"><input name="csrf" value="x"><button>press</button></form>'
        return web.Response(text=form, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", forged)
    async with serving_page(tmp_path, signed_in=False) as page, listening(app) as elsewhere:
        context = await browser.new_context()
        tab = await context.new_page()
        tab.on("request", lambda request: posted.append(request.headers.get("cookie", "")))
        await sign_in(tab, page, page.site.link.token)
        for origin in (elsewhere, elsewhere.replace("127.0.0.1", "localhost")):
            await tab.goto(f"{origin}/?action={page.origin}/auth/sign-out")
            await tab.get_by_text("press").click()
            await tab.wait_for_url(f"{page.origin}/auth/sign-out")
            assert "Another page has sent this" in await tab.locator("body").inner_text()
        await tab.goto(page.origin)
        assert await tab.get_by_test_id("person").inner_text() == "ann"


async def test_wrong_files_are_refused_before_they_are_sent(tmp_path: Path, browser: Browser) -> None:
    async with signed_in(tmp_path, browser, max_upload=50_000) as (page, _, tab):
        error = tab.get_by_role("alert")
        await tab.get_by_test_id("upload-file").set_input_files(payload(b"x", "photo.png"))
        kind = await error.inner_text()
        await tab.get_by_test_id("upload-file").set_input_files(payload(b"x" * 60_000))
        size = await error.inner_text()
        jobs = page.site.store.newest_jobs(before=100, limit=10)
    assert ("no table" in kind, "at most" in size, jobs) == (True, True, [])


async def test_a_live_page_says_that_the_server_is_gone_and_finds_it_again(tmp_path: Path, browser: Browser) -> None:
    async with signed_in(tmp_path, browser, speed=SLOW) as (_, context, tab):
        await begin_run(tab, table(60))
        await tab.get_by_test_id("settled").wait_for()
        await context.context.set_offline(True)
        await tab.get_by_test_id("lost").wait_for(state="visible")
        await context.context.set_offline(False)
        await tab.get_by_test_id("lost").wait_for(state="hidden")
        await tab.get_by_test_id("verdict").wait_for()


async def test_reasons_come_up_while_a_run_is_watched(tmp_path: Path, browser: Browser) -> None:
    content = (HEADER + "".join(map(line, range(1, 31))) + line(99, ending="000000020002") + line(98)).encode()
    async with signed_in(tmp_path, browser, speed=SLOW) as (_, _, tab):
        await begin_run(tab, content)
        reason = await tab.get_by_test_id("reason-20002").inner_text()
    assert "20002 (2) the partner has no commerce relationship" in reason
    assert "press Retry all" in reason


async def test_eight_tabs_watch_one_run_to_its_end(tmp_path: Path, browser: Browser) -> None:
    async with signed_in(tmp_path, browser, speed=SLOW) as (page, context, tab):
        await begin_run(tab, table(40))
        await tab.get_by_test_id("job-state").wait_for()
        tabs = [await context.tab() for _ in range(7)]
        await asyncio.gather(*(other.goto(f"{page.origin}/jobs/1") for other in tabs))
        await asyncio.gather(*(other.get_by_test_id("verdict").wait_for() for other in (tab, *tabs)))


async def test_a_run_is_stopped_on_a_page_of_its_own_and_continued(tmp_path: Path, browser: Browser) -> None:
    async with signed_in(tmp_path, browser, speed=SLOW) as (page, _, tab):
        await begin_run(tab, table(120))
        await tab.get_by_test_id("stop").wait_for()
        live = await (await tab.request.get(f"{page.origin}/api/jobs/1/live")).json()
        live |= {"state": "running", "activity": "verifying", "waiting": {"seconds": 0, "customers": 0, "rows": 2}}
        await tab.route("**/api/jobs/1/live*", lambda route: route.fulfill(json=live))
        await tab.get_by_text("only the watching stops").wait_for(state="visible")
        state, throttle = [await tab.get_by_test_id(name).inner_text() for name in ("job-state", "throttle")]
        kept = await tab.get_by_text("What has not been sent is kept").is_visible()
        await tab.unroute_all()
        await tab.get_by_test_id("stop").click()
        await tab.get_by_test_id("comment").fill("look first")
        await tab.get_by_test_id("stop").click()
        await tab.get_by_test_id("continue").wait_for()
        cause = await tab.get_by_test_id("job-cause").get_attribute("data-cause")
        found = await violations(tab)
        await tab.get_by_test_id("continue").click()
        await tab.get_by_test_id("verdict").wait_for()
    assert state == "Running: everything is sent; accepted rows are watched until they are active"
    assert (throttle, kept) == ("", False)
    assert (cause, found) == ("person", [])


async def test_the_first_view_of_a_page_is_small(tmp_path: Path, browser: Browser) -> None:
    requests: list[str] = []
    async with signed_in(tmp_path, browser) as (page, _, tab):
        tab.on("request", lambda request: requests.append(request.url))
        await tab.goto(f"{page.origin}/?fresh")
    own = [file for file in page.site.pages.static.values() if file.name.endswith(".js")]
    # The page before may still ask for its icon.
    assert len(set(requests)) <= 5
    assert sum(len(file.content) for file in own) <= 12_000
    assert sum(file.content.count(b"\n") for file in own) <= 300
    assert sum(len(file.content) for file in page.site.pages.static.values()) < 100_000

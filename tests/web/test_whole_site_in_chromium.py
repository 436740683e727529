"""Every page of the site in a browser: for everybody, narrow, dark, printed, and with texts that would be markup."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, FilePayload, Route
from playwright.async_api import Page as Tab

from bulkreact.web.jobs import JobState
from tests.support.hostile_texts import HOSTILE
from tests.support.page_browser import chromium, needs_chromium, violations, watched
from tests.support.whole_site import MadeRun, WholeSite, make_run, whole_site

pytestmark = [pytest.mark.browser, needs_chromium]

FILE: FilePayload = {"name": "a.csv", "mimeType": "text/csv", "buffer": b"x"}
_WIDTH = "document.documentElement.scrollWidth"
_OPEN_DETAILS = "document.querySelectorAll('details').forEach((element) => { element.open = true; })"
# Texts of opened rows that only scrolling would show.
_CUT_DETAILS = """[...document.querySelectorAll('details dd')].filter((element) =>
    element.getBoundingClientRect().right > document.documentElement.clientWidth).length"""
# Words of tables, none of them long, that go on in another line.
_BROKEN_WORDS = """[...document.querySelectorAll('table')].flatMap((table) => {
    const walker = document.createTreeWalker(table, NodeFilter.SHOW_TEXT);
    const words = [];
    while (walker.nextNode()) {
        for (const { 0: word, index } of walker.currentNode.data.matchAll(/(?<!\\S)(?:[\\p{L}\\d_]{2,20}[.,:;]?|[\\da-f]{8}(?:-[\\da-f]{4}){3}-[\\da-f]{12})(?!\\S)/gu)) {
            const range = document.createRange();
            range.setStart(walker.currentNode, index);
            range.setEnd(walker.currentNode, index + word.length);
            const lines = new Set([...range.getClientRects()].map(({ top }) => top));
            // On a phone only a preview scrolls for whole ids.
            const has_room = innerWidth > 400 || word.length < 36 || table.matches('.cells');
            if (lines.size > 1 && has_room) words.push(word);
        }
    }
    return words;
}).length"""
_MEDIA = ("phone", "cut on a phone", "broken on a phone", "screen", "cut on a screen", "broken on a screen", "paper")
# A4 in the pixels of CSS.
PAPER = 794
HARMLESS = ["Wintergarten", "Donaudampfschifffahrtsgesellschaft-Rechnungsabteilung", "text"]


@pytest.fixture
def harmless(tmp_path: Path) -> MadeRun:
    return make_run(tmp_path / "harmless", HARMLESS)


@asynccontextmanager
async def open_tab(site: WholeSite, browser: Browser, *, blocked: str = "nothing") -> AsyncIterator[Tab]:
    """Yield a tab in which the user is signed in; its pages must say nothing in the console."""
    async with watched(browser) as context:
        name, value = site.cookie
        await context.context.add_cookies([{"name": name, "value": value, "url": site.page.origin}])
        await context.context.route(blocked, lambda route: route.abort())
        yield await context.tab()


@pytest.mark.parametrize("blocked", ["nothing", "**/*.js"])
async def test_everybody_can_use_every_page(harmless: MadeRun, blocked: str) -> None:
    found = list[str]()
    async with whole_site(harmless) as site, chromium() as browser, open_tab(site, browser, blocked=blocked) as tab:
        for path in site.paths:
            await tab.goto(site.page.origin + path)
            found += [f"{path} {violation}" for violation in await violations(tab)]
        # What only a script or a lost connection shows.
        await tab.goto(f"{site.page.origin}/")
        await tab.evaluate("document.querySelectorAll('[hidden]').forEach((element) => { element.hidden = false; })")
        found += await violations(tab)
    assert found == []


async def test_every_page_is_narrow_and_can_be_printed(harmless: MadeRun) -> None:
    async with whole_site(harmless) as site, chromium() as browser, open_tab(site, browser) as tab:
        wide = list[str]()
        for path in site.paths:
            await tab.goto(site.page.origin + path)
            await tab.emulate_media(media="screen")
            await tab.evaluate(_OPEN_DETAILS)
            widths = list[int]()
            for width in (320, 1280):
                await tab.set_viewport_size({"width": width, "height": 800})
                widths += [await tab.evaluate(_WIDTH) - width]
                widths += [await tab.evaluate(script) for script in (_CUT_DETAILS, _BROKEN_WORDS)]
            await tab.emulate_media(media="print")
            await tab.set_viewport_size({"width": PAPER, "height": 800})
            widths.append(await tab.evaluate(_WIDTH) - PAPER)
            wide += [f"{path} {medium}" for medium, excess in zip(_MEDIA, widths, strict=True) if excess]
    assert wide == []


async def count_elements(made: MadeRun, browser: Browser) -> dict[str, int]:
    """Return how many elements every page has, by addresses without the id of the run."""
    counts: dict[str, int] = {}
    async with whole_site(made) as site, open_tab(site, browser) as tab:
        for path in site.paths:
            await tab.goto(site.page.origin + path)
            counts[path.replace(made.run, "")] = await tab.locator("*").count()
    return counts


@pytest.fixture
def hostile(tmp_path: Path) -> tuple[MadeRun, MadeRun]:
    plain = [f"text {number}" for number in range(len(HOSTILE))]
    return make_run(tmp_path / "hostile", HOSTILE), make_run(tmp_path / "plain", plain)


@pytest.mark.soak
async def test_no_text_from_outside_makes_an_element(hostile: tuple[MadeRun, MadeRun]) -> None:
    async with chromium() as browser:
        counts, expected = [await count_elements(made, browser) for made in hostile]
    assert counts == expected


async def test_what_the_script_writes_is_text(harmless: MadeRun) -> None:
    async with whole_site(harmless) as site, chromium() as browser, open_tab(site, browser) as tab:
        (number, *_), (ready, *_) = site.jobs[JobState.RUNNING], site.jobs[JobState.READY]
        live = await site.page.json(f"/api/jobs/{number}/live")
        reason = {"rows": 1, "who": HOSTILE[0], "advice": HOSTILE[1]}
        live["reasons"] = [reason | {"code": text, "words": text} for text in HOSTILE]
        live |= {"counts": dict.fromkeys(HOSTILE, 1), "said": HOSTILE[0], "queue": {"waits_for": HOSTILE[1]}}
        problem = json.dumps({"detail": "".join(HOSTILE)})

        async def answer(route: Route) -> None:
            is_live = route.request.url.endswith("/live")
            await route.fulfill(status=200 if is_live else 400, body=json.dumps(live) if is_live else problem)

        await tab.context.route("**/live", answer)
        await tab.context.route(f"**/jobs/{ready}/file", answer)
        await tab.goto(f"{site.page.origin}/jobs/{number}")
        await tab.get_by_text(HOSTILE[-3]).first.wait_for()
        text = await tab.locator("main").inner_text()
        made = await tab.locator("main :is(img, script, svg, iframe, input:not([type=hidden]), b, base, style)").count()
        await tab.goto(f"{site.page.origin}/jobs/{ready}")
        await tab.get_by_test_id("replace-file").set_input_files(FILE)
        alert = tab.get_by_role("alert")
        await alert.wait_for()
        refused, inside = await alert.inner_text(), await alert.locator("*").count()
    assert [each for each in HOSTILE if each not in text] == []
    assert (made, refused, inside) == (0, "".join(HOSTILE), 0)

"""What could be reactivated is searched for in a process of its own, and a job is made of what was chosen."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from aiohttp import ClientResponse
from msgspec.structs import replace

from bulkreact.batch.locks import partner_lock
from bulkreact.models import Discovered
from bulkreact.sheets.output import discovery_file
from bulkreact.timestamps import utc_now
from bulkreact.web.found_rows import read_found, summarize_found
from bulkreact.web.run_watch import read_report
from bulkreact.web.search_records import Search, SearchRecords, SearchState
from bulkreact.web.site import Site
from tests.support.discovery_server import Answer, DiscoveryServer, entitlement, plan, serve_portfolio, subscription
from tests.support.ids import guid
from tests.support.program import Program
from tests.support.web_page import Json, OwnPage, Page, practising, serving_page
from tests.support.web_server import server_process

OPEN = {"searching", "stopping"}
NOW = "2026-03-01T08:00:00.000Z"
SEARCH = Search(
    number=0,
    state=SearchState.SEARCHING,
    target="simulated",
    kind="auto",
    statuses=(),
    customers=(),
    by_id="local",
    by_name="ann",
    created_at=NOW,
    changed_at=NOW,
)


@pytest.fixture
async def partner(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DiscoveryServer]:
    """Serve three customers, each with a subscription and an Azure subscription."""
    monkeypatch.setenv("BULKREACT_ACCESS_TOKEN", "token")
    async with serve_portfolio(DiscoveryServer()) as server:
        for number in range(1, 4):
            server.add(number, plan(10 * number), subscription(10 * number + 1))
            server.entitlements[10 * number] = [entitlement(100 * number)]
        yield server


@asynccontextmanager
async def searching(folder: Path, partner: DiscoveryServer) -> AsyncIterator[OwnPage]:
    """Yield a page whose searches read at a partner, a customer at a time."""
    async with serving_page(folder, discover=("--base-url", partner.base_url, "--concurrency=1")) as page:
        yield page


async def ended(page: Page, number: int = 1) -> Json:
    """Return a search as soon as it has ended."""
    async with asyncio.timeout(120):
        while (found := await page.json(f"/api/find/{number}"))["state"] in OPEN:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.05)
    return found


async def search(page: Page, **fields: str) -> Json:
    """Search, and return the search when it has ended."""
    response = await page.post("/find", fields)
    assert response.status == 201, await response.text()
    return await ended(page, int((await response.json())["location"].rpartition("/")[2]))


async def until(condition: Callable[[], object]) -> None:
    """Wait until another process has done something."""
    async with asyncio.timeout(120):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.05)


async def choose(page: Page, *rows: object) -> ClientResponse:
    """Return the response to the form with the ticks of the first search."""
    fields = [("csrf", page.token), ("form_id", str(uuid4())), *(("row", str(row)) for row in rows)]
    headers = page.headers | {"Accept": "application/json"}
    return await page.client.post(f"{page.origin}/find/1/jobs", data=fields, headers=headers)


def lines_of(path: Path) -> list[str]:
    """Return the lines of a file."""
    return path.read_text("utf-8").splitlines()


def keep_found(site: Site, rows: int, *, name: str = "Contoso", target: str = "simulated") -> None:
    """Let a server have a search that is done."""
    search = site.searches.records.add(replace(SEARCH, target=target))
    path = site.searches.records.complete(search.number)
    discovery_file.write(
        path,
        (Discovered(guid(1), guid(2), guid(3 + n), "azure", name, "", "", "inactive", "") for n in range(rows)),
    )
    site.searches.records.change(search.number, SearchState.DONE, NOW, found=summarize_found(path, utc_now()))


async def test_a_job_is_made_of_the_rows_that_were_chosen(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        found = await search(page)
        shown = await page.text("/find/1")
        azure = [row["row"] for row in found["rows"] if row["cells"]["kind"] == "azure"]
        chosen = await choose(page, *azure)
        whole = await page.post("/find/1/jobs", {"all": "yes"})
        jobs = [await page.wait_for(number, "ready", "unusable") for number in (1, 2)]
        records, folders = page.site.searches.records, page.site.folders
        source = lines_of(records.complete(1))
        files = [lines_of(folders.input(number, 1, "found-1.csv")) for number in (1, 2)]
        events = [line.event for line in page.site.store.audit_lines(job=1)]
    rows = len(source) - 1
    assert "form_id" not in found
    assert (found["state"], found["found"]["rows"], found["next"]) == ("done", rows, None)
    assert files == [[source[0], *(source[row] for row in azure)], source]
    assert (chosen.status, whole.status, (await chosen.json())["location"]) == (201, 201, "/jobs/1")
    assert [(job["state"], job["check"]["valid"], job["by"]["name"]) for job in jobs] == [
        ("ready", len(azure), "ann"),
        ("ready", rows, "ann"),
    ]
    assert jobs[0]["options"]["kind"] == "auto"
    assert events == ["uploaded", "checked"]
    assert shown.count(" checked>") == shown.count('name="row"') == rows


async def test_what_is_no_choice_is_refused(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        keep_found(page.site, 3)
        answers = [await choose(page, *rows) for rows in ((), (0,), (4,), ("x",), (1, "1e0"), ("9" * 5000,), ("٣",))]
        open_ = [await page.post("/find", fields) for fields in ({"kind": "x"}, {"customers": "x"}, {"status": "a\nb"})]
        other = [await page.post(f"/find/{path}") for path in ("2/stop", "2/jobs", "1/stop")]
    assert {(answer.status, (await answer.json())["field"]) for answer in answers} == {(400, "row")}
    assert [(answer.status, (await answer.json())["field"]) for answer in open_] == [
        (400, "kind"),
        (400, "customers"),
        (400, "status"),
    ]
    assert [answer.status for answer in other] == [404, 404, 409]


async def test_only_those_who_upload_may_search(tmp_path: Path) -> None:
    async with practising(tmp_path, "ann", "ben", "vic", "ada") as pages:
        ann = pages[0]
        keep_found(ann.site, 1)
        seen = [[(await page.get(path)).status for path in ("/find", "/find/1", "/api/find/1")] for page in pages]
        posted = [(await page.post(path)).status for page in pages[1:] for path in ("/find", "/find/1/stop")]
        made = [(await choose(page, 1)).status for page in pages]
        offered = ["nav-find" in await page.text("/") for page in pages]
    assert seen == [[200] * 3, *([[403] * 3] * 3)]
    assert set(posted) == {403}
    assert (made, offered) == ([201, 403, 403, 403], [True, False, False, False])


async def test_a_search_keeps_to_what_was_asked_for(tmp_path: Path, partner: DiscoveryServer) -> None:
    async with searching(tmp_path, partner) as page:
        ids = f"{{{guid(1).upper()}}}, {guid(3)}"
        found = await search(page, kind="azure", status="Inactive,expired", customers=ids)
        nothing = await search(page, status="frozen")
        text = await page.text("/find/2")
        empty = await page.post("/find/2/jobs", {"all": "yes"})
        every = await search(page)
        named = await search(page, customers=ids)
        wrong = await page.post("/find", {"customers": "Contoso"}, headers={"Accept": "text/html"})
        refusal = await wrong.text()
    names = {row["customer"]: row["cells"]["customer_name"] for row in every["rows"]}
    assert {row["customer"]: row["cells"]["customer_name"] for row in named["rows"]} == {
        customer: names[customer] for customer in (guid(1), guid(3))
    }
    assert {row["cells"]["customer_name"] for row in found["rows"]} == {""}
    assert ("To find a customer by name" in refusal, 'href="/find">Go back' in refusal) == (True, True)
    assert [(row["customer"], row["cells"]["kind"]) for row in found["rows"]] == [
        (guid(1), "azure"),
        (guid(3), "azure"),
    ]
    assert (nothing["state"], nothing["found"]["rows"], "found-table" in text, empty.status) == ("done", 0, False, 409)


async def test_a_stop_keeps_what_was_found(tmp_path: Path, partner: DiscoveryServer) -> None:
    partner.blocked.add(f"{guid(3)}/subscriptions")
    async with searching(tmp_path, partner) as page:
        await page.post("/find")
        await until(lambda: partner.call_paths(f"{guid(3)}/subscriptions"))
        early = await page.post("/find/1/jobs", {"all": "yes"})
        async with asyncio.timeout(120):
            while not (live := await page.json("/api/find/1/live"))["rows"]:  # noqa: ASYNC110 - it reports every second
                await asyncio.sleep(0.05)
        stopped = await page.post("/find/1/stop")
        await until(lambda: read_report(page.site.searches.records.control(1)).stopping)
        partner.blocked.clear()
        found = await ended(page)
        made = await page.post("/find/1/jobs", {"all": "yes"})
    assert (early.status, live["state"], live["rows"], stopped.status) == (409, "searching", 3, 200)
    assert (found["state"], found["message"]) == ("stopped", "")
    assert {guid(1), guid(2)} <= {row["customer"] for row in found["rows"]}
    assert made.status == 201


async def test_a_search_waits_for_its_turn_and_can_be_stopped_before(tmp_path: Path, partner: DiscoveryServer) -> None:
    partner.blocked.add("/customers")
    async with searching(tmp_path, partner) as page:
        for _ in range(2):
            await page.post("/find")
        await until(lambda: partner.calls)
        live = await page.json("/api/find/2/live")
        await page.post("/find/2/stop")
        stopped = await page.json("/api/find/2")
        partner.blocked.clear()
        first = await ended(page)
    assert "Search 1" in live["queue"]["waits_for"]
    assert (stopped["state"], first["state"], len(first["rows"])) == ("stopped", "done", 6)


async def test_a_search_waits_for_a_run_from_elsewhere(
    tmp_path: Path, partner: DiscoveryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BULKREACT_STATE_DIR", str(tmp_path / "state"))
    lock = partner_lock(tmp_path / "state/locks", base_url=partner.base_url, tenant_id="", now=lambda: NOW)
    async with searching(tmp_path, partner) as page:
        with lock as record_run:
            record_run("20260301T120000Z-long-0000")
            await page.post("/find")
            async with asyncio.timeout(120):
                while not (live := await page.json("/api/find/1/live"))["queue"]:
                    assert live["state"] in OPEN
                    await asyncio.sleep(0.05)
        found = await ended(page)
    assert "20260301T120000Z-long-0000" in live["queue"]["waits_for"]
    assert (found["state"], len(found["rows"])) == ("done", 6)


async def test_a_search_that_nobody_works_on_can_be_stopped(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        page.site.searches.records.add(SEARCH)
        answer = await page.post("/find/1/stop")
        found = await page.json("/api/find/1")
    assert (answer.status, found["state"], found["rows"]) == (200, "stopped", [])


async def test_what_could_not_be_read_is_said(tmp_path: Path, partner: DiscoveryServer) -> None:
    partner.fixed_answers[f"{guid(2)}/subscriptions"] = Answer.error(404, 2003)
    async with searching(tmp_path, partner) as page:
        partly = await search(page)
        text = await page.text("/find/1")
        partner.fixed_answers["/customers"] = Answer.error(403, 2000)
        failed = await search(page)
    assert (partly["state"], {row["customer"] for row in partly["rows"]}) == ("done", {guid(1), guid(3)})
    assert "Customer 2" in partly["message"]
    assert "Customer 2" in text
    assert (failed["state"], failed["rows"], "403" in failed["message"]) == ("failed", [], True)
    assert str(tmp_path) not in json.dumps([partly, failed])


async def test_a_search_goes_on_when_its_server_is_killed(program: Program, partner: DiscoveryServer) -> None:
    partner.blocked.add(f"{guid(2)}/subscriptions")
    async with server_process(program, partner, "--concurrency=1") as (page, process):
        await page.post("/find")
        await until(lambda: partner.call_paths(f"{guid(2)}/subscriptions"))
        process.kill()
        process.wait()
    async with server_process(program, partner, "--concurrency=1") as (page, _):
        found = await page.json("/api/find/1")
        partner.blocked.clear()
        done = await ended(page)
    assert (found["state"], done["state"], len(done["rows"])) == ("searching", "done", 6)
    assert set(Counter(partner.call_paths()).values()) == {1}


async def test_a_search_whose_process_was_killed_too_goes_on(tmp_path: Path, partner: DiscoveryServer) -> None:
    partner.blocked.add(f"{guid(2)}/subscriptions")
    async with searching(tmp_path, partner) as page:
        await page.post("/find")
        await until(lambda: partner.call_paths(f"{guid(2)}/subscriptions"))
        page.site.searches._begun[1].kill()  # type: ignore[union-attr]
        partner.blocked.clear()
        done = await ended(page)
    assert (done["state"], len(done["rows"])) == ("done", 6)
    assert Counter(partner.call_paths())[f"/v1/customers/{guid(1)}/subscriptions"] == 1


async def test_many_rows_are_shown_a_page_at_a_time(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        keep_found(page.site, 250)
        text = await page.text("/find/1")
        pages = [await page.json(f"/api/find/1?after={after}") for after in (0, 100, 200, 10**9)]
        whole = await page.json("/api/find/1?per=500")
        wrong = [(await page.get(f"/find/1?{query}")).status for query in ("per=501", "per=0", "after=x")]
    assert [(len(each["rows"]), each["next"]) for each in pages] == [(100, 100), (100, 200), (50, None), (0, None)]
    assert [row["row"] for each in pages for row in each["rows"]] == [row["row"] for row in whole["rows"]]
    assert ("found-all" in text, "next-page" in text, wrong) == (True, True, [400, 400, 400])


async def test_a_search_for_another_target_can_only_be_looked_at(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        keep_found(page.site, 1, target="https://api.partnercenter.example")
        text = await page.text("/find/1")
        answer = await choose(page, 1)
    assert ("another target" in text, "found-submit" in text, answer.status) == (True, False, 409)


def test_names_are_read_as_they_were_found_and_written_guarded(tmp_path: Path) -> None:
    name, path = '=HYPERLINK("x"),\n"', tmp_path / "found.csv"
    row = Discovered(guid(1), guid(2), "", "subscription", name, "n" * 200_000, "", "Suspended", "2026-03-05")
    gone = replace(row, status="deleted", deadline="2026-03-02")
    discovery_file.write(path, [row, gone, replace(row, status="active", deadline="2026-03-03")])
    summary = summarize_found(path, utc_now().replace(year=2026, month=3, day=1))
    assert list(read_found(path, limit=1)) == [(1, row)]
    assert (summary.rows, summary.gone, summary.soonest, summary.within_14_days) == (3, 1, "2026-03-05", 1)


async def test_old_searches_are_removed_and_no_number_is_used_again(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        for _ in range(2):
            keep_found(page.site, 1)
        page.site.searches.records.change(2, SearchState.FAILED, "2030")
        page.site.remove_old_files()
        keep_found(page.site, 1)
        kept = [(each.number, each.state, each.changed_at) for each in page.site.searches.records.newest()]
    assert kept == [(3, SearchState.DONE, NOW), (2, SearchState.DONE, NOW)]


def test_what_a_process_has_said_names_no_folder_of_the_server(tmp_path: Path) -> None:
    records = SearchRecords(tmp_path)
    number = records.add(SEARCH).number
    records.log(number).write_text(f"Error: {records.reports(number) / 'x'} is full.\n")
    assert records.read_log(number) == f"Error: {Path('reports', 'x')} is full."


async def test_a_form_that_is_sent_again_after_a_kill_begins_no_second_search(tmp_path: Path) -> None:
    form = {"form_id": str(uuid4())}
    async with serving_page(tmp_path) as page:
        first = await page.post("/find", form)
        # As if the server had been killed before it answered.
        page.site.store.forget_forms("9999")
        at_once = await page.post("/find", form)
        await ended(page)
        page.site.store.forget_forms("9999")
    async with serving_page(tmp_path) as page:
        later, other = await page.post("/find", form), await page.post("/find")
        searches = [found.number for found in page.site.searches.records.newest()]
        await ended(page, 2)
    locations = [(await answer.json())["location"] for answer in (first, at_once, later, other)]
    assert locations == ["/find/1", "/find/1", "/find/1", "/find/2"]
    assert searches == [2, 1]


async def test_a_stop_that_is_sent_again_after_a_kill_is_answered_as_before(tmp_path: Path) -> None:
    form = {"form_id": str(uuid4())}
    async with serving_page(tmp_path) as page:
        records = page.site.searches.records
        records.add(replace(SEARCH, form_id=form["form_id"]))
        records.change(1, SearchState.STOPPED, NOW)
        stopped, begun = await page.post("/find/1/stop"), await page.post("/find", form)
        # They take turns: had the first one begun again, it would have ended now.
        await search(page)
        found = await page.json("/api/find/1")
    assert (stopped.status, (await begun.json())["location"]) == (200, "/find/1")
    assert (found["state"], records.complete(1).exists()) == ("stopped", False)

"""The history: its filters, and pages that follow each other, of jobs and of runs made elsewhere."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from bulkreact.models import Status
from bulkreact.web.history import FILTERS, HistoryKey, parse_filter
from bulkreact.web.jobs import JobState
from bulkreact.web.records import Actor, Version
from bulkreact.web.refusals import RequestRefusedError
from bulkreact.web.store import STORE_NAME, RecordStore
from tests.support import web_jobs
from tests.support.made_runs import make_run
from tests.support.web_page import Page, serving_page

BERLIN = ZoneInfo("Europe/Berlin")
TIME = "2026-03-01T22:59:59.999Z"
JOB = replace(web_jobs.JOB, state=JobState.READY, name="März.csv", by_name="Zoë", created_at=TIME)
RUN = "20260301T120000Z-test-0000"


def first_version(job: int, version: int, /) -> Version:
    """Return the version of a job."""
    texts = dict.fromkeys(("by_id", "by_name", "at", "file"), "x")
    return Version(job=job, version=version, what="uploaded", bytes=1, sha256="0" * 64, options="{}", **texts)


def add(store: RecordStore, **changed: str | JobState) -> None:
    """Add a job."""
    store.create_job(replace(JOB, **changed), first_version, Actor())


def found(store: RecordStore, **query: str) -> list[int]:
    """Return the numbers of the jobs that an address asks for."""
    wanted = parse_filter(dict.fromkeys((*FILTERS, "after"), "") | query, BERLIN)
    return [job.number for job in store.find_jobs(wanted, 10)]


def test_jobs_are_found_by_state_person_text_and_day(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / STORE_NAME)
    add(store)
    add(store, state=JobState.WITHDRAWN, by_name="Ben", name="100%_x.csv", created_at="2026-03-01T23:00:00.000Z")
    add(store, created_at="2026-02-28T23:00:00.000Z")
    assert found(store) == [2, 1, 3]
    assert found(store, state="ready") == [1, 3]
    assert (found(store, by="ZOË"), found(store, by="e"), found(store, by="x")) == ([1, 3], [2], [])
    assert (found(store, q="MÄRZ"), found(store, q="%_"), found(store, q="' OR 1 --")) == ([1, 3], [2], [])
    # The first of March in Berlin begins and ends an hour before that of Greenwich.
    days = {"from": "2026-03-01", "to": "2026-03-01"}
    assert (found(store, **days), found(store, **{"from": "2026-03-02"})) == ([1, 3], [2])
    store.close()


def test_pages_go_on_after_a_job_or_a_run_of_the_same_time(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / STORE_NAME)
    for _ in range(3):
        add(store)
    time = JOB.created_at
    assert found(store, after=str(HistoryKey(time, 3))) == [2, 1]
    assert found(store, after=str(HistoryKey(time, run=RUN))) == []
    assert found(store, after=str(HistoryKey("2026-03-02T00:00:00Z", run=RUN))) == [3, 2, 1]
    assert HistoryKey(time, 1) > HistoryKey(time, run=RUN) > HistoryKey("2026", 9)
    store.close()


@pytest.mark.parametrize(
    "query",
    [
        {"state": "none"},
        {"from": "soon"},
        {"to": "9999-12-31"},
        {"after": "x"},
        {"after": "0"},
        {"after": "2026-03-01T00:00:00.000Z_"},
        {"after": "2026-03-01T00:00:00.000Z_1' OR 1"},
    ],
    ids=str,
)
def test_what_is_no_filter_is_refused_at_its_field(query: dict[str, str]) -> None:
    with pytest.raises(RequestRefusedError) as refused:
        parse_filter(dict.fromkeys((*FILTERS, "after"), "") | query, BERLIN)
    assert (refused.value.code, refused.value.field) == ("bad-field", next(iter(query)))


async def all_lines(page: Page, path: str) -> list[str]:
    """Return what the pages of the history link to, one page after the other."""
    lines, text = list[str](), await page.text(path)
    while True:
        rows = text.partition("<tbody>")[2].partition("</tbody>")[0]
        lines += [part.partition('"')[0] for part in rows.split('href="')[1:]]
        _, is_there, rest = text.partition('data-testid="next-page" href="')
        if not is_there:
            return lines
        text = await page.text(rest.partition('"')[0].replace("&amp;", "&"))


async def test_jobs_and_runs_made_elsewhere_follow_each_other_once(tmp_path: Path) -> None:
    make_run(tmp_path / "reports" / RUN, 1, Status.ACCEPTED)
    async with serving_page(tmp_path) as page:
        for hour in range(10, 15):
            add(page.site.store, created_at=f"2026-03-01T{hour}:00:00.000Z")
        pages = [await all_lines(page, f"/jobs?per={per}") for per in (1, 2, 50)]
        runs = [
            await all_lines(page, f"/jobs?{query}") for query in ("q=TEST", "q=none", "state=finished", "state=ready")
        ]
        first = await page.json("/api/jobs?per=3")
        second = await page.json(f"/api/jobs?per=3&after={first['next']}")
        refused = [(await page.get(f"/{path}jobs?after=x")).status for path in ("", "api/")]
    [run] = [line for line in pages[2] if line.startswith("/runs/")]
    assert sorted(pages[2]) == [*(f"/jobs/{number}" for number in range(1, 6)), run]
    assert pages[0] == pages[1] == pages[2]
    assert (runs[0], runs[1], runs[2], len(runs[3])) == ([run], [], [run], 5)
    assert [job["number"] for job in [*first["jobs"], *second["jobs"]]] == [5, 4, 3, 2, 1]
    assert (second["next"], refused) == (None, [400, 400])

"""A site with jobs in every state, searches and runs, whose free texts are those that a test gives."""

import asyncio
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch
from xml.sax.saxutils import escape, quoteattr

from aiohttp import web
from msgspec import json
from msgspec.structs import replace
from yarl import URL

from bulkreact.models import Discovered
from bulkreact.runs.own_outputs import PROGRESS
from bulkreact.sheets.output import discovery_file
from bulkreact.timestamps import iso_milliseconds, utc_now
from bulkreact.web.approvals import decide
from bulkreact.web.file_checks import result_of
from bulkreact.web.found_rows import summarize_found
from bulkreact.web.jobs import JobActivity, JobState, StopCause, WebJob
from bulkreact.web.permissions import Person, Role
from bulkreact.web.plan_file import FileRefusal
from bulkreact.web.rate_limits import Bucket
from bulkreact.web.records import Actor, Version
from bulkreact.web.request_guard import cookie_name
from bulkreact.web.run_queue import RunQueue
from bulkreact.web.search_records import Search, SearchState
from bulkreact.web.site import Site
from tests.support.background_loop import background_loop, listening, serving
from tests.support.ids import guid
from tests.support.program import Program
from tests.support.web_page import OwnPage, serving_page
from tests.support.workbooks import row_xml, sheet_xml, write_workbook

_RUN = "20260301T120000Z-made-{:04x}"
_CODE = "99999"
FILE = "made.xlsx"
_ACTIVITIES = {
    JobState.QUEUED: JobActivity.WAITING_FOR_PARTNER,
    JobState.RUNNING: JobActivity.SENDING,
    JobState.STOPPING: JobActivity.SENDING,
    JobState.CHECKING: JobActivity.READING,
}
_WITH_RUN = {JobState.QUEUED, JobState.RUNNING, JobState.STOPPING, JobState.STOPPED, JobState.FINISHED}


@dataclass(frozen=True)
class MadeRun:
    """A folder with the run of a file that has texts wherever it may."""

    folder: Path
    run: str
    texts: Sequence[str]


@dataclass(frozen=True)
class WholeSite:
    """A page whose user has all roles and a name of the texts; ``jobs`` are the numbers of the jobs by their states."""

    page: OwnPage
    cookie: tuple[str, str]
    jobs: dict[JobState, list[int]]
    run: str

    @property
    def paths(self) -> list[str]:
        """Return the address of every page, jobs once in each state."""
        jobs = [numbers[0] for numbers in self.jobs.values()]
        ready, finished = self.jobs[JobState.READY][0], self.jobs[JobState.FINISHED][0]
        return [
            *(
                "/",
                "/jobs",
                "/find",
                "/settings",
                "/audit",
                "/help",
                "/help/20002",
                "/auth/sign-in",
                "/auth/token?token=x",
            ),
            *(f"/jobs/{number}" for number in jobs),
            *(f"/find/{number}" for number in range(1, len(SearchState) + 1)),
            *(f"/jobs/{ready}/rows?show={show}&per=500" for show in ("problems", "all")),
            *(f"/jobs/{number}/{name}" for number in (ready, finished) for name in ("audit", "stop")),
            *(f"/jobs/{finished}/rows?per=500", f"/runs/{self.run}", f"/runs/{self.run}/rows?per=500"),
            *("/jobs/99999", "/jobs?state=x"),
        ]

    @property
    def full_paths(self) -> list[str]:
        """Return the addresses of pages with all texts; the last one has each of them in three ways."""
        unusable, ready, finished = (
            self.jobs[state][0] for state in (JobState.UNUSABLE, JobState.READY, JobState.FINISHED)
        )
        return [
            *(f"/jobs/{unusable}", f"/jobs/{ready}/rows?show=problems&per=500", f"/jobs/{finished}/audit", "/audit"),
            *(f"/find/{number}" for number in range(3, len(SearchState) + 1)),
            f"/jobs/{finished}/rows?per=500",
        ]


def _write_file(path: Path, texts: Sequence[str]) -> None:
    """Write a workbook with texts as headers, cells, ids that are none, and names of sheets."""
    names = ("customer_id", "subscription_id", "entitlement_id", "customer_name")
    rows = [[*names, *texts]]
    rows += [[guid(1 + n), guid(500), guid(1000 + n), text, *texts[:1]] for n, text in enumerate(texts)]
    rows += [[f"no id: {text}", guid(500), guid(2000 + n), text] for n, text in enumerate(texts)]
    data = sheet_xml([row_xml([escape(cell) for cell in cells]) for cells in rows])
    sheets = "".join(f'<sheet name={quoteattr(text)} sheetId="{n}" r:id="rId{n}"/>' for n, text in enumerate(texts, 1))
    write_workbook(path, data, *[sheet_xml([])] * (len(texts) - 1), book=sheets)


def make_run(folder: Path, texts: Sequence[str]) -> MadeRun:
    """Make a folder with the run of a file at a partner that refuses every row with another description."""

    async def refuse(request: web.Request) -> web.Response:
        number = next(n for n in range(len(texts)) if guid(1000 + n) in request.path)
        return web.json_response({"code": _CODE, "description": texts[number]}, status=400)

    folder.mkdir(exist_ok=True)
    _write_file(folder / FILE, texts)
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", refuse)
    with background_loop() as loop, serving(loop, listening(app)) as address:
        result = Program(folder)(
            "run", FILE, "--yes", "-q", "--rate=off", "--halt-on-failures=off", "--base-url", address
        )
    assert result.code == 1, result.err
    return MadeRun(folder, result.run.name, texts)


def _kinds() -> list[tuple[JobState, StopCause | None]]:
    """Return the states of jobs, the stopped one with each of its causes."""
    stopped = [(JobState.STOPPED, cause) for cause in StopCause]
    return [*((state, None) for state in JobState if state is not JobState.STOPPED), *stopped]


def _add_jobs(site: Site, run: str, texts: Sequence[str]) -> dict[JobState, list[int]]:
    """Add jobs in all states like the first one, each with its own text everywhere; return their numbers."""
    kinds, jobs = _kinds(), defaultdict[JobState, list[int]](list)
    for index in range(max(len(texts), len(kinds))):
        state, cause = kinds[index % len(kinds)]
        parent = jobs[JobState.FINISHED][0] if state is JobState.WITHDRAWN else None
        jobs[state].append(_add_job(site, run, (state, cause), texts, index, retry_of=parent))
    finished, now = site.store.job(jobs[JobState.FINISHED][0]), iso_milliseconds(utc_now())
    for text in texts:
        site.store.audit(Actor("made-up", text), "stopped", text, now, job=finished)
    return jobs


def _add_job(
    site: Site,
    run: str,
    kind: tuple[JobState, StopCause | None],
    texts: Sequence[str],
    index: int,
    *,
    retry_of: int | None,
) -> int:
    """Add a job of two versions; return its number."""
    state, cause = kind
    text, now = texts[index % len(texts)], iso_milliseconds(utc_now())
    own_run = _RUN.format(index) if state in _WITH_RUN else None
    if own_run:
        shutil.copytree(site.settings.reports / run, site.settings.reports / own_run)
    first = site.store.versions(1)[0]
    refusal = FileRefusal("no-header", text, header=list(texts), sheets=list(texts))
    found: dict[JobState, dict[str, str | None]] = {
        JobState.CHECKING: {"checked": None},
        JobState.UNUSABLE: {"checked": None, "refused": json.encode(refusal).decode()},
    }
    # What they made themselves nobody may approve.
    by_id = "made-up" if index // len(_kinds()) % 2 else "other"
    job = WebJob(
        number=0,
        state=state,
        cause=cause,
        activity=_ACTIVITIES.get(state),
        target="simulated",
        name=text,
        note=text,
        by_id=by_id,
        by_name=text,
        created_at=now,
        changed_at=now,
        version=2,
        run_id=own_run,
        queued_at=now,
        retry_of=retry_of,
    )

    def version(number: int, present: int, /) -> Version:
        shutil.copytree(site.folders.version(1, 1), site.folders.version(number, present))
        control = site.folders.control(number)
        control.mkdir()
        (control / PROGRESS).write_bytes(json.encode({"phase": "waiting", "words": text}))
        changed = {"job": number, "version": present, "by_id": by_id, "by_name": text, "remark": text}
        return replace(first, **changed, **found.get(state, {}))

    job = site.store.create_job(job, version, Actor(by_id, text))
    with site.store._writing():
        site.store._insert("versions", replace(first, job=job.number, by_name=text))
    if result := result_of(first):
        person = Person("decider", text, ())
        decision = "rejected" if state is JobState.REJECTED else "approved"
        approval = decide(job, site.store.versions(job.number)[1], result.plan, person, decision, comment=text, at=now)
        with site.store._writing():
            site.store._insert("approvals", approval)
    return job.number


def _add_searches(site: Site, texts: Sequence[str]) -> None:
    """Add searches in all states."""
    records, now = site.searches.records, iso_milliseconds(utc_now())
    row = Discovered(guid(1), guid(2), "", "subscription", "", "", "", "suspended", now)
    for state in SearchState:
        search = Search(
            number=0,
            state=SearchState.SEARCHING,
            target="simulated",
            kind="auto",
            statuses=tuple(texts[:1]),
            customers=(),
            by_id="made-up",
            by_name=texts[0],
            created_at=now,
            changed_at=now,
        )
        number = records.add(search).number
        path = records.complete(number)
        discovery_file.write(path, [replace(row, customer_name=text, offer=text, status=text) for text in texts])
        (records.control(number) / PROGRESS).write_bytes(json.encode({"phase": "waiting", "words": texts[0]}))
        records.change(number, state, now, found=summarize_found(path, utc_now()), message="\n".join(texts))


@asynccontextmanager
async def whole_site(made: MadeRun) -> AsyncIterator[WholeSite]:
    """Yield a site over the folder of a run, with the same texts everywhere; nothing is at work in it."""
    folder, texts = made.folder, made.texts
    with patch.object(RunQueue, "_look", lambda _self: None):
        async with serving_page(folder, signed_in=False) as page:
            site = page.site
            site.requests = Bucket(1 << 30, 1.0)
            session = site.sessions.begin(Person("made-up", texts[0], tuple(Role)))
            page.client.cookie_jar.update_cookies({cookie_name(site): session}, URL(page.origin))
            page.token = str((await page.json("/api/session"))["csrf"])
            await page.ready((folder / FILE).read_bytes(), FILE, note=texts[0])
            jobs = await asyncio.to_thread(_add_jobs, site, made.run, texts)
            await asyncio.to_thread(_add_searches, site, texts)
            yield WholeSite(page, (cookie_name(site), session), jobs, made.run)

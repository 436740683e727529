"""What the handlers of all routes share, and what is known of a job when one of them is asked."""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic

from aiohttp import web

from bulkreact.models import SUCCESSES, Status
from bulkreact.runs.history import summarize
from bulkreact.runs.index import list_related_runs
from bulkreact.timestamps import iso_milliseconds, utc_now
from bulkreact.web import run_watch
from bulkreact.web.connections import ConnectionLimit
from bulkreact.web.downloads import job_files
from bulkreact.web.file_checks import FileChecks, options_of, refusal_of, result_of
from bulkreact.web.folders import JobFolders
from bulkreact.web.forms import Forms
from bulkreact.web.jobs import JobState, StopCause, WebJob
from bulkreact.web.live import LiveRuns
from bulkreact.web.live_answers import LiveAnswers
from bulkreact.web.local_sign_in import OneTimeLink
from bulkreact.web.notifications import Notifications
from bulkreact.web.pages import Pages
from bulkreact.web.permissions import Person, allowed_actions
from bulkreact.web.rate_limits import Bucket
from bulkreact.web.records import Version
from bulkreact.web.refusals import RequestRefusedError, unknown
from bulkreact.web.run_numbers import ProcessReport, RunNumbers
from bulkreact.web.run_queue import RunQueue
from bulkreact.web.searches import Searches
from bulkreact.web.serve_settings import ServeSettings
from bulkreact.web.sessions import Sessions, load_secret
from bulkreact.web.store import STORE_NAME, RecordStore
from bulkreact.web.views import Document, JobView, Retry, SameRows, describe_same, describe_same_run, live_document
from bulkreact.web.waiting import describe_turn, describe_waits

_AT_WORK = frozenset({JobState.QUEUED, JobState.RUNNING, JobState.STOPPING})
_NEVER_RAN = (JobState.UNUSABLE, JobState.READY, JobState.REJECTED, JobState.WITHDRAWN, JobState.EXPIRED)
_KEPT_FOR = timedelta(days=30)
_AFTER_RUN = frozenset({JobState.STOPPED, JobState.FINISHED})


@dataclass(slots=True)
class DoctorResult:
    """What ``bulkreact doctor`` has found when it was last asked."""

    at: str = ""
    verdict: str = ""
    checks: Sequence[tuple[str, str, str, str]] = ()


@dataclass(slots=True)
class ConnectionTest:
    """How much of a test file came through to this server when it was last sent, and how long that took."""

    at: str = ""
    bytes: int = 0
    seconds: float = 0.0


class Site:
    """One server: its settings, its record, its work and its pages."""

    def __init__(
        self,
        settings: ServeSettings,
        announce: Callable[[str], None],
        *,
        now: Callable[[], datetime] = utc_now,
        clock: Callable[[], float] = monotonic,
        warn: Callable[[str], None] = lambda _message: None,
        inform: Callable[[str], None] = lambda _message: None,
    ) -> None:
        self.settings = settings
        self.inform = inform
        self.warn = warn
        self.now = now
        self.clock = clock
        self.folders = JobFolders(settings.data)
        self.folders.prepare()
        self.store = RecordStore(settings.data / STORE_NAME)
        self.sessions = Sessions(
            self.store,
            load_secret(settings.data),
            now,
            longest=settings.longest_session,
            idle=settings.idle,
            sign_in=settings.sign_in,
        )
        self.forms = Forms(self.store, now)
        self.pages = Pages(settings)
        self.link = OneTimeLink(announce, clock)
        self.checks = FileChecks(settings, self.store, self.folders, now, warn)
        self.queue = RunQueue(settings, self.store, self.folders, now, warn, inform)
        self.searches = Searches(settings, now, warn)
        self.live = LiveRuns(settings.reports, now, clock)
        self.notifications = Notifications(settings, self.store, self.live, warn)
        self.live_answers = LiveAnswers(self._live_document, lambda: self.store.revision, clock)
        self.doctor = DoctorResult()
        self.connection = ConnectionTest()
        self.connections = ConnectionLimit()
        self.requests = Bucket(20, 1.0)
        self.uploads = Bucket(30, 3600.0)
        self.sign_ins = Bucket(10, 60.0)
        self.refusals = Bucket(100, 60.0)

    @property
    def base(self) -> str:
        """Return the path below which all routes are."""
        return self.settings.public_url.path

    @property
    def signed_out(self) -> str:
        """Return the address for whoever has signed out; Entra would sign them in again at once without the addition."""
        return f"{self.base}/auth/sign-in{'?signed-out=yes' if self.settings.entra else ''}"

    async def view(self, job: WebJob, person: Person) -> JobView:
        """Return everything that is known of a job."""
        job, report, numbers = await self._look_at(job)
        versions, same, waiting, files = await asyncio.to_thread(self._read, job)
        makers = await asyncio.to_thread(self.store.makers, job.number)
        turn, ahead = waiting
        version = versions[-1]
        results = {made.version: check for made in versions if (check := result_of(made))}
        result = results.get(version.version)
        approval = await asyncio.to_thread(self.store.latest_approval, job.number, job.version)
        return JobView(
            job=job,
            simulated=job.target == "simulated",
            versions=versions,
            options=options_of(version),
            result=result,
            results=results,
            refused=refusal_of(version),
            same_rows=same,
            approval=approval,
            needs_approval=result is not None and self.settings.needs_approval(result.plan.valid),
            makers=makers,
            queue_position=turn,
            waits=self._describe_waits(job, report, numbers, turn, ahead),
            report=report,
            numbers=numbers,
            files=[(name, path.stat().st_size) for name, path in files],
            may=allowed_actions(job, person, self.settings.target, makers),
            retries=await self._retries(job),
        )

    async def _live_document(self, number: int) -> Document:
        """Return what changes of a job while its run is made; RequestRefusedError if there is no such job."""
        found = await asyncio.to_thread(self.store.job, number)
        if found is None:
            raise unknown(f"No. {number}")
        job, report, numbers = await self._look_at(found)
        turn, ahead = await asyncio.to_thread(self._turn, job)
        waits = self._describe_waits(job, report, numbers, turn, ahead)
        simulated = job.target == "simulated"
        return live_document(
            JobView(job=job, simulated=simulated, queue_position=turn, waits=waits, report=report, numbers=numbers)
        )

    def _describe_waits(
        self, job: WebJob, report: ProcessReport, numbers: RunNumbers | None, turn: int | None, ahead: WebJob | None
    ) -> str:
        if turn is not None:
            return describe_turn(turn, ahead, report, self.settings)
        return describe_waits(job, numbers or RunNumbers(), self.settings)

    async def _retries(self, job: WebJob) -> list[Retry]:
        """Return the jobs that take rows of a job."""
        found = list[Retry]()
        for other in await asyncio.to_thread(self.store.retries, job.number):
            version = await asyncio.to_thread(self.store.version, other.number, other.version)
            result = result_of(version)
            numbers = await self.numbers(other, ProcessReport())
            found.append(Retry(other, result.plan.valid if result else 0, numbers))
        return found

    async def _look_at(self, job: WebJob) -> tuple[WebJob, ProcessReport, RunNumbers | None]:
        """Return a job and how its run stands; one whose rows are being sent is not in the line any more."""
        report = await asyncio.to_thread(run_watch.read_report, self.folders.control(job.number))
        numbers = await self.numbers(job, report)
        if job.state is JobState.QUEUED and numbers and (numbers.started_at or "") >= job.queued_at:
            # Where that cannot be recorded, the page can still be read.
            with suppress(RequestRefusedError, OSError):
                await self.queue.look()
            found = await asyncio.to_thread(self.store.job, job.number)
            job = found if found is not None else job
        return job, report, numbers

    async def numbers(self, job: WebJob, report: ProcessReport) -> RunNumbers | None:
        """Return how a job's run stands, None if it has none."""
        if job.run_id is None:
            return None
        if not (self.settings.reports / job.run_id).is_dir():
            if job.state not in _AT_WORK:
                return None
            check = await asyncio.to_thread(lambda: result_of(self.store.versions(job.number)[-1]))
            return RunNumbers(rows=check.plan.rows) if check else None
        if job.state in _AFTER_RUN or job.waits_to_continue:
            return await self.live.final(job.run_id)
        return await self.live.present(job.run_id, report) if job.state in _AT_WORK else None

    def remove_old_files(self) -> None:
        """Remove the files of jobs that never ran, thirty days after their last change; the record stays."""
        limit = iso_milliseconds(self.now() - _KEPT_FOR)
        for job in self.store.jobs_in(_NEVER_RAN):
            if job.changed_at < limit:
                shutil.rmtree(self.folders.job(job.number), ignore_errors=True)
        self.searches.remove_old_files(limit)

    def same_rows(self, job: WebJob, digest: str) -> list[SameRows]:
        """Return the jobs and runs that have the same rows as a job, those first that may still send them."""
        jobs = [
            describe_same(other)
            for other in self.store.jobs_with_digest(digest)
            if other.number != job.number and other.target == job.target and (other.is_open or self._has_run(other))
        ]
        ours = self.store.run_ids()
        runs = [
            describe_same_run(run.metadata.id, run.created_at, _count_succeeded(summarize(run).counts))
            for run in list_related_runs(self.settings.reports, digest=digest).runs
            if run.metadata.digest == digest
            and run.metadata.id not in ours
            and run.metadata.simulated == self.settings.simulated
        ]
        return sorted([*jobs, *runs], key=lambda same: not same.is_open)

    def _has_run(self, job: WebJob) -> bool:
        if job.cause is StopCause.REFUSED:
            return (self.settings.reports / (job.run_id or "")).is_dir()
        return job.state in {*_AT_WORK, *_AFTER_RUN}

    def _read(
        self, job: WebJob
    ) -> tuple[list[Version], list[SameRows], tuple[int | None, WebJob | None], list[tuple[str, Path]]]:
        versions = self.store.versions(job.number)
        is_ready = job.state in {JobState.READY, JobState.WAITING} and versions[-1].digest
        same = self.same_rows(job, versions[-1].digest) if is_ready else []
        return versions, same, self._turn(job), job_files(job, versions[-1], self.folders, self.settings.reports)

    def _turn(self, job: WebJob) -> tuple[int | None, WebJob | None]:
        """Return the turn of a job in the line, None if it is not there, and the job that is at work."""
        if job.state is not JobState.QUEUED:
            return None, None
        found = [other for other in self.store.jobs_in([*_AT_WORK]) if other.target == job.target]
        line = [other.number for other in found if other.state is JobState.QUEUED]
        ahead = next((other for other in found if other.state is not JobState.QUEUED), None)
        return line.index(job.number) + 1 if job.number in line else 1, ahead


def _count_succeeded(counts: dict[str, int]) -> int:
    return sum(counts.get(status, 0) for status in (*SUCCESSES, Status.DUPLICATE))


SITE: web.AppKey[Site] = web.AppKey("site", Site)

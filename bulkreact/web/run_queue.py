"""Runs jobs one at a time, finds their processes again after the server has died, and continues what nobody stopped."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial
from hashlib import file_digest
from pathlib import Path
from typing import NoReturn

from msgspec.structs import replace

from bulkreact.errors import InputRefusedError
from bulkreact.runs.control_folder import STOP
from bulkreact.timestamps import iso_milliseconds
from bulkreact.web import processes, run_watch
from bulkreact.web.approvals import APPROVED, HOLDS_FOR, WAITS_FOR, find_difference, is_over, still_holds
from bulkreact.web.downloads import APPROVAL, PLAN_NAME, copy_approval
from bulkreact.web.file_checks import options_of, read_digest
from bulkreact.web.folders import JobFolders
from bulkreact.web.jobs import CONTINUED_AT_START, EventRefusal, Happening, JobActivity, JobEvent, JobState, WebJob
from bulkreact.web.plan_file import ALL_FAILED, reading_arguments, sending_arguments
from bulkreact.web.processes import ChildProcess
from bulkreact.web.records import Actor, Approval, Version
from bulkreact.web.refusals import RequestRefusedError, describe_problem
from bulkreact.web.run_numbers import AtWork, Ended, Unstarted, judge
from bulkreact.web.serve_settings import ServeSettings
from bulkreact.web.store import RecordStore
from bulkreact.wording import printable

_LOOK_EVERY = 0.5
_WORKING = (JobState.RUNNING, JobState.STOPPING, JobState.QUEUED)
_STARTING = frozenset({JobActivity.PREPARING, JobActivity.SENDING})
_SENDING = frozenset({JobActivity.SENDING, JobActivity.VERIFYING, JobActivity.WRITING})
_SERVER = Actor()
_OPERATOR_LENGTH = 200


class RunQueue:
    """The line of runs for one target, and the processes that work on them."""

    def __init__(
        self,
        settings: ServeSettings,
        store: RecordStore,
        folders: JobFolders,
        now: Callable[[], datetime],
        warn: Callable[[str], None],
        inform: Callable[[str], None],
    ) -> None:
        self._warn = warn
        self._inform = inform
        self._settings = settings
        self._store = store
        self._folders = folders
        self._now = now
        self._children: dict[int, ChildProcess] = {}
        self._changed = asyncio.Event()
        self._lock = asyncio.Lock()

    def wake(self) -> None:
        """Look at the jobs at once."""
        self._changed.set()

    async def continue_interrupted(self) -> None:
        """Take over what happened while no server was there; continue what nobody stopped, if that is wanted."""
        await self.look()
        if self._settings.continue_runs:
            await self.continue_stopped()

    async def continue_stopped(self) -> None:
        """Continue what nobody stopped, or let it wait for another approval."""
        for job in await asyncio.to_thread(self._ours, JobState.STOPPED):
            if job.cause in CONTINUED_AT_START:
                event = await asyncio.to_thread(self.event_of_continuing, job)
                await asyncio.to_thread(self._happen, job, event)

    async def work(self) -> NoReturn:
        """Take over what the server before has left, then look at the jobs for as long as this one runs."""
        look = self.continue_interrupted
        while True:
            try:
                await look()
                look = self.look
            except (OSError, RequestRefusedError) as error:
                # The disk is full, or no process can be started: what is queued stays so until that is over.
                self._warn(f"Jobs are not looked after at the moment: {describe_problem(error)}")
            try:
                async with asyncio.timeout(_LOOK_EVERY):
                    await self._changed.wait()
            except TimeoutError:
                continue
            self._changed.clear()

    async def look(self) -> None:
        """Bring every job up to date with its process, and start the next one if none is at work."""
        async with self._lock:
            await asyncio.to_thread(self._look)

    def event_of_continuing(self, job: WebJob) -> JobEvent:
        """Return what continuing a job means: its rest is sent, or waits for approval if the first one is too old."""
        approval = self._store.latest_approval(job.number, job.version)
        if approval and (still_holds(approval, self._now()) or not self._settings.needs_approval(approval.rows)):
            return JobEvent.CONTINUED
        return JobEvent.REQUESTED

    async def withdraw(self, job: WebJob, actor: Actor, comment: str) -> WebJob | EventRefusal:
        """Withdraw a job that waits for its turn; one of which rows were sent before is stopped instead."""
        async with self._lock:
            if await asyncio.to_thread(self._has_begun, job):
                await asyncio.to_thread(self._look)
                return EventRefusal(JobState.RUNNING, JobEvent.WITHDRAWN)
            child = self._children.get(job.number)
            is_at_work = bool(job.run_id) and await asyncio.to_thread(self._is_at_work, job)
            if child or is_at_work:
                await asyncio.to_thread(run_watch.ask_to_stop, self._folders.control(job.number), at_once=True)
                await self._wait_for_end(job, child)
            self._children.pop(job.number, None)
            facts = await asyncio.to_thread(run_watch.look_at, self._settings.reports, job.run_id or "")
            happening = Happening(
                event=JobEvent.ENDED if facts.exists else JobEvent.WITHDRAWN,
                now=iso_milliseconds(self._now()),
                version=job.version,
                person=actor.id,
                exit_code=facts.exit_code if facts.session_at >= job.queued_at else None,
            )
            return await asyncio.to_thread(self._store.change, job.number, happening, actor, detail=comment)

    async def _wait_for_end(self, job: WebJob, child: ChildProcess | None) -> None:
        if child:
            await child.wait()
        while await asyncio.to_thread(self._is_at_work, job):  # noqa: ASYNC110 - another process's end is no event
            await asyncio.sleep(_LOOK_EVERY)

    def _has_begun(self, job: WebJob) -> bool:
        return run_watch.has_begun(self._settings.reports, job.run_id or "", job.queued_at)

    def _is_at_work(self, job: WebJob) -> bool:
        return run_watch.look_at(self._settings.reports, job.run_id or "").at_work

    def _look(self) -> None:
        for job in self._ours(JobState.WAITING, JobState.QUEUED):
            self._end_waiting(job)
        found = [(job, self._follow(job)) for job in self._ours(*_WORKING)]
        waiting = [job for job, stage in found if isinstance(stage, Unstarted)]
        if waiting and not any(isinstance(stage, AtWork) for _, stage in found):
            self._start(waiting[0])

    def _ours(self, *states: JobState) -> list[WebJob]:
        return [job for job in self._store.jobs_in(states) if job.target == self._settings.target]

    def _end_waiting(self, job: WebJob) -> None:
        """Let a request for approval expire, and an approval lapse whose run has not begun."""
        if job.state is JobState.WAITING:
            if is_over(job.changed_at, WAITS_FOR, self._now()):
                self._happen(job, JobEvent.EXPIRED)
            return
        approval = self._store.latest_approval(job.number, job.version)
        if approval and approval.decision == APPROVED and is_over(approval.at, HOLDS_FOR, self._now()):
            facts = run_watch.look_at(self._settings.reports, job.run_id or "")
            if not (facts.exists or facts.at_work or job.number in self._children):
                self._happen(job, JobEvent.LAPSED)

    def _follow(self, job: WebJob) -> AtWork | Ended | Unstarted:
        """Record what has become of a job's process, and return it."""
        child = self._children.get(job.number)
        own_code = child.exit_code() if child else None
        if child and own_code is None:
            self._record_activity(job)
            return AtWork()
        facts = run_watch.look_at(self._settings.reports, job.run_id or "", verifying=job.is_verifying)
        has_begun = not (job.state is JobState.QUEUED or job.is_verifying) or facts.session_at >= job.queued_at
        if not (has_begun or child or facts.at_work):
            return Unstarted()
        stage = judge(facts, own_code, has_begun=has_begun)
        if isinstance(stage, AtWork):
            self._record_activity(job)
        self._children.pop(job.number, None)
        if isinstance(stage, Ended):
            if job.state is JobState.QUEUED and facts.exists:
                # It was over before it was looked at.
                self._happen(job, JobEvent.STARTED)
            code = run_watch.final_exit_code(self._settings.reports, job, stage.exit_code)
            self._happen(job, JobEvent.ENDED, exit_code=code, publish=partial(self._keep_approval, job))
            self._inform(f"No. {job.number} has ended; the audit trail's head is {self._store.audit_head()}")
        return stage

    def _keep_approval(self, job: WebJob, head: str) -> None:
        """Put what was agreed to beside the run, where it stays when the job's files are gone, with the present head."""
        source = self._folders.version(job.number, job.version)
        folder = self._settings.reports / (job.run_id or "")
        if (source / APPROVAL).is_file() and folder.is_dir():
            copy_approval(source, folder, head)

    def _record_activity(self, job: WebJob) -> None:
        control = self._folders.control(job.number)
        activity = run_watch.read_report(control).activity
        if job.is_verifying and activity in _STARTING:
            activity = JobActivity.VERIFYING
        # What the process says of itself may be a second old: its journal is not.
        if job.state is JobState.QUEUED and (activity in _SENDING or self._has_begun(job)):
            changed = self._happen(job, JobEvent.STARTED)
            job = job if isinstance(changed, EventRefusal) else changed
        if job.activity is not activity:
            self._store.note_activity(replace(job, activity=activity))
        if job.state is JobState.STOPPING and not (control / STOP).exists():
            # The server died between recording the request and passing it on.
            run_watch.ask_to_stop(control)

    def _start(self, job: WebJob) -> None:
        control = self._folders.control(job.number)
        run_watch.clear_control(control)
        version = self._store.versions(job.number)[-1]
        approval = self._store.latest_approval(job.number, job.version)
        arguments = self._arguments(job, version, job.run_id or "")
        if arguments[0] in {"run", "retry"} and (difference := self._find_difference(job, version, approval)):
            self._warn(f"No. {job.number} is not run: {difference}.")
            self._happen(job, JobEvent.ENDED, exit_code=InputRefusedError.exit_code)
            return
        if arguments[0] in {"run", "retry"}:
            arguments[1:1] = [f"--page={self._settings.public_url}/jobs/{job.number}"]
        arguments[1:1] = [
            "-q",
            "--log-format=json",
            "--yes",
            "--wait",
            "--xlsx",
            f"--control={control}",
            f"--operator={_operator(job, approval)}",
        ]
        log, environment = self._folders.log(job.number), self._settings.environment
        self._children[job.number] = processes.start(arguments, log, environment=environment)
        if not job.is_verifying:
            self._store.note_activity(replace(job, activity=JobActivity.PREPARING))

    def _arguments(self, job: WebJob, version: Version, run_id: str) -> list[str]:
        if job.is_verifying:
            return ["verify", *self._settings.arguments["verify"], "--", run_id]
        options, given = options_of(version), self._settings.arguments
        if run_watch.look_at(self._settings.reports, run_id).exists:
            return ["resume", *given["resume"], *sending_arguments(options), "--", run_id]
        if job.retry_of is None:
            return self._run(job, version, run_id)
        plan = self._folders.version(job.number, version.version) / PLAN_NAME
        which = ["--all-failed", f"--plan={plan}"] if options.get(ALL_FAILED) else []
        parent = self._store.job(job.retry_of)
        name = (parent.run_id if parent else None) or ""
        return ["retry", *given["retry"], *sending_arguments(options), *which, f"--run-id={run_id}", "--", name]

    def _run(self, job: WebJob, version: Version, run_id: str) -> list[str]:
        options = options_of(version)
        file = self._folders.input(job.number, version.version, version.file)
        plan = self._folders.version(job.number, version.version) / PLAN_NAME
        return [
            "run",
            *self._settings.arguments["run"],
            *reading_arguments(options),
            *sending_arguments(options),
            f"--sha256={version.sha256}",
            f"--plan={plan}",
            f"--run-id={run_id}",
            "--",
            str(file),
        ]

    def _find_difference(self, job: WebJob, version: Version, approval: Approval | None) -> str | None:
        """Return what is not as it was approved; the process that sends refuses another file, and other rows, as well."""
        return find_difference(
            approval,
            version,
            file_sha256=_hash_file(self._folders.input(job.number, version.version, version.file)),
            plan_digest=read_digest(self._folders.version(job.number, version.version)),
            target=self._settings.target,
        )

    def _happen(
        self,
        job: WebJob,
        event: JobEvent,
        *,
        exit_code: int | None = None,
        publish: Callable[[str], None] = lambda _head: None,
    ) -> WebJob | EventRefusal:
        happening = Happening(event=event, now=iso_milliseconds(self._now()), exit_code=exit_code)
        detail = f"exit code {exit_code}" if exit_code is not None else ""
        return self._store.change(job.number, happening, _SERVER, detail=detail, publish=publish)


def _operator(job: WebJob, approval: Approval | None) -> str:
    by = f" approved by {approval.person}" if approval and approval.decision == APPROVED else ""
    return printable(job.by_name + by)[:_OPERATOR_LENGTH]


def _hash_file(path: Path) -> str:
    """Return the hash of a file, empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""

"""What pages and JSON say of a job: a function of the record, the check and the run. No I/O."""

from collections.abc import Mapping, Sequence

from msgspec import Struct, to_builtins
from msgspec.structs import replace

from bulkreact.batch.journal.row_pages import ProblemGroup
from bulkreact.models import Status
from bulkreact.partnercenter.error_codes.lookup import find_entries
from bulkreact.web.jobs import JobActivity, JobState, WebJob
from bulkreact.web.plan_file import OPTION_DEFAULTS, FileCheck, FileRefusal
from bulkreact.web.records import Approval, Version
from bulkreact.web.run_numbers import ProcessReport, RunNumbers
from bulkreact.web.texts import STATES, advise, describe_state, name_responsible, progress_sentence
from bulkreact.wording import plural

Document = dict[str, object]
_POLL_MILLISECONDS = 1000
_IDLE_POLL_MILLISECONDS = 5000


class SameRows(Struct, frozen=True):
    """Another job, or a run of the command line, with the same rows; ``is_open``: it may still send them."""

    message: str
    is_open: bool
    job: int | None = None
    run: str | None = None


class Retry(Struct, frozen=True):
    """A job that takes rows of another one: how many, and how its run stands."""

    job: WebJob
    rows: int
    numbers: RunNumbers | None


class JobView(Struct, frozen=True, kw_only=True):
    """Everything that is known of a job."""

    job: WebJob
    simulated: bool
    report: ProcessReport
    numbers: RunNumbers | None
    queue_position: int | None
    waits: str = ""
    versions: Sequence[Version] = ()
    options: Mapping[str, str] = {}
    result: FileCheck | None = None
    results: Mapping[int, FileCheck] = {}
    refused: FileRefusal | None = None
    same_rows: Sequence[SameRows] = ()
    approval: Approval | None = None
    needs_approval: bool = False
    makers: Mapping[str, str] = {}
    files: Sequence[tuple[str, int]] = ()
    may: Sequence[str] = ()
    retries: Sequence[Retry] = ()

    @property
    def retryable(self) -> int:
        """Return how many rows another attempt may settle, also of those that a retry has taken and not settled."""
        return sum(numbers.retryable for numbers in self._ended_numbers())

    @property
    def failed(self) -> int:
        """Return how many other rows failed, also of those that a retry has taken."""
        return sum(numbers.failed for numbers in self._ended_numbers())

    @property
    def deferred(self) -> int:
        """Return how many of those that another attempt may settle were asked to come back later."""
        deferred = sum(numbers.counts.get(Status.DEFERRED, 0) for numbers in self._ended_numbers())
        return min(deferred, self.retryable)

    @property
    def open_retry(self) -> WebJob | None:
        """Return a retry that may still send its rows: until it has ended there is no other."""
        return next((retry.job for retry in self.retries if retry.job.is_open), None)

    def _ended_numbers(self) -> list[RunNumbers]:
        """Return the numbers of the run and its retries; none while a retry may still send its rows."""
        if self.open_retry:
            return []
        return [numbers for numbers in (self.numbers, *(retry.numbers for retry in self.retries)) if numbers]

    @property
    def changed_options(self) -> list[tuple[str, str]]:
        """Return the options that are not the defaults."""
        return [(name, value) for name, value in self.options.items() if value != OPTION_DEFAULTS.get(name, "")]


def job_document(view: JobView) -> Document:
    """Return the whole of a job."""
    job = view.job
    return {
        **_facts(job),
        "activity": job.activity.value if job.activity else None,
        "simulated": view.simulated,
        "note": job.note,
        "versions": [_version(version, view) for version in view.versions],
        "options": dict(view.options),
        "refused": to_builtins(view.refused),
        "check": _check(view),
        "approval": _approval(view),
        "queue": _queue(view),
        "run": _run(view),
        "retry_of": job.retry_of,
        "retries": [retry.job.number for retry in view.retries],
        "files": [{"name": name, "bytes": size} for name, size in view.files],
        "may": list(view.may),
    }


def job_summary(job: WebJob, rows: int | None) -> Document:
    """Return a job as a line of the history, with the number of rows that its check has found."""
    return {**_facts(job), "rows": rows, "well": None, "attention": None, "run_id": job.run_id}


def _facts(job: WebJob) -> Document:
    return {
        "number": job.number,
        "state": job.state.value,
        "cause": job.cause.value if job.cause else None,
        "name": job.name,
        "by": {"id": job.by_id, "name": job.by_name},
        "version": job.version,
        "created_at": job.created_at,
        "changed_at": job.changed_at,
    }


def live_document(view: JobView) -> Document:
    """Return what changes while a run is made."""
    job, numbers = view.job, view.numbers or RunNumbers()
    return {
        "number": job.number,
        "state": job.state.value,
        "activity": job.activity.value if job.activity else None,
        "rows": numbers.rows,
        "settled": numbers.settled,
        "well": numbers.well,
        "attention": numbers.attention,
        "counts": numbers.counts,
        "reasons": [
            to_builtins(replace(reason, who=name_responsible(reason.who, job), advice=advise(reason.advice, job)))
            for reason in numbers.reasons
        ],
        "calls": numbers.calls,
        "pace": {"per_minute": numbers.per_minute, "ceiling": numbers.ceiling},
        "waiting": to_builtins(numbers.waiting),
        "started_at": numbers.started_at,
        "ends_about": numbers.ends_about,
        "queue": _queue(view),
        "waits": view.waits,
        "said": describe_state(job)
        if job.state is JobState.QUEUED
        else progress_sentence(numbers.settled, numbers.rows, numbers.attention),
        "poll_ms": _POLL_MILLISECONDS if job.is_active else _IDLE_POLL_MILLISECONDS,
    }


def _version(version: Version, view: JobView) -> Document:
    result = view.results.get(version.version)
    plan = result.plan if result else None
    return {
        "version": version.version,
        "what": version.what,
        "by": {"id": version.by_id, "name": version.by_name},
        "at": version.at,
        "sha256": version.sha256,
        "digest": version.digest,
        "valid": plan.valid if plan else None,
        "invalid": plan.invalid if plan else None,
        "remark": version.remark,
    }


def _check(view: JobView) -> Document | None:
    result = view.result
    if result is None:
        return None
    plan = result.plan
    return {
        "rows": plan.rows,
        "valid": plan.valid,
        "invalid": plan.invalid,
        "duplicate": plan.duplicate,
        "customers": plan.customers,
        "kinds": plan.kinds,
        "calls": plan.calls,
        "estimated_seconds": plan.estimated_seconds,
        "digest": plan.digest,
        "sha256": view.versions[-1].sha256,
        "columns": plan.columns,
        "problems": [
            {"code": group.code, "rows": group.rows, "words": problem_text(group.code), "remedy": group.remedy}
            for group in result.problems
        ],
        "warnings": [
            {"code": "same-rows", "words": same.message}
            | ({"job": same.job} if same.job is not None else {"run": same.run})
            for same in view.same_rows
        ],
        "deadlines": {"soonest": result.soonest, "within_14_days": result.within_14_days},
        "online": None,
    }


def problem_text(code: str) -> str:
    """Return what a problem of the file is, in general."""
    entries = find_entries(code)
    return entries[0].description if entries else code


def describe_group(group: ProblemGroup, columns: Mapping[str, str | None]) -> str:
    """Return what is wrong with the cells of a group: what all of them have in common, else in general.

    ``columns`` are what the file calls our columns.
    """
    found = {f"{columns.get(problem.column) or problem.column} {problem.reason}".strip() for problem in group.examples}
    return found.pop() if len(found) == 1 and group.rows <= len(group.examples) else problem_text(group.code)


def _approval(view: JobView) -> Document:
    # What has lapsed counts no more.
    approval = view.approval if view.job.state is not JobState.WAITING else None
    return {
        "needed": view.needs_approval,
        "decision": approval.decision if approval else None,
        "by": {"id": approval.person_id, "name": approval.person} if approval else None,
        "at": approval.at if approval else None,
        "comment": approval.comment if approval else "",
        "version": approval.version if approval else view.job.version,
    }


def _queue(view: JobView) -> Document | None:
    if view.job.state is not JobState.QUEUED:
        return None
    waits = view.report.activity is JobActivity.WAITING_FOR_PARTNER
    return {"position": view.queue_position, "waits_for": view.report.message if waits else None}


def _run(view: JobView) -> Document | None:
    job, numbers = view.job, view.numbers
    if job.run_id is None or (numbers is None and job.exit_code is None):
        return None
    counts = numbers.counts if numbers else {}
    return {"id": job.run_id, "state": job.state.value, "exit_code": job.exit_code, "counts": counts}


def describe_same(job: WebJob) -> SameRows:
    """Return the warning of a job with the same rows."""
    if job.is_open:
        message = f"The same rows are in No. {job.number}, which has not ended: send them again when it has, if at all."
        return SameRows(message, is_open=True, job=job.number)
    return SameRows(f"The same rows were sent in No. {job.number}.", is_open=False, job=job.number)


def describe_same_run(run_id: str, created_at: str, well: int) -> SameRows:
    """Return the warning of a run with the same rows that the page did not make."""
    message = f"The same rows were run on {created_at[:10]} ({run_id}): {plural(well, 'row')} ended well."
    return SameRows(message, is_open=False, run=run_id)


def describe_retry(retry: Retry, numbers: RunNumbers) -> str:
    """Return what has become of the rows that another job has taken of one with certain numbers."""
    of = numbers.retryable + numbers.failed + numbers.taken
    share, number, state = f"{retry.rows:,} of {of:,}", f"No. {retry.job.number}", STATES[retry.job.state].lower()
    if retry.numbers and retry.job.is_open:
        return f"{share} are retried in {number}: {state}, {retry.numbers.well:,} ended well so far"
    if retry.numbers:
        return f"{share} retried in {number}: {retry.numbers.well:,} ended well"
    if retry.job.is_open:
        return f"{share} are to be retried in {number}: {state}"
    return f"{share} were to be retried in {number}: {state}{'' if retry.job.run_id else ', nothing was sent again'}"

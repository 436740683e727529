"""A job, a file on its way from upload to results: its states, and which event leads from one to another. No I/O."""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from bulkreact.errors import (
    EXIT_INTERRUPTED,
    EXIT_SOME_FAILED,
    EXIT_SUCCESS,
    EXIT_TERMINATED,
    AlreadyRunningError,
    BulkreactError,
    CredentialsRefusedError,
    HaltedError,
    InputRefusedError,
    ResultsNotWrittenError,
    ServiceUnavailableError,
)


class JobState(StrEnum):
    """Where a job is on its way."""

    CHECKING = "checking"
    UNUSABLE = "unusable"
    READY = "ready"
    WAITING = "waiting"
    REJECTED = "rejected"
    QUEUED = "queued"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FINISHED = "finished"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class JobActivity(StrEnum):
    """What is being done for a job at the moment."""

    READING = "reading"
    ONLINE = "online"
    COMPLETING = "completing"
    PREPARING = "preparing"
    WAITING_FOR_PARTNER = "waiting-for-partner"
    SENDING = "sending"
    VERIFYING = "verifying"
    WRITING = "writing"


class StopCause(StrEnum):
    """Why a run ended before its rows did."""

    PERSON = "person"
    THRESHOLD = "threshold"
    CREDENTIALS = "credentials"
    SYSTEM = "system"
    DISK = "disk"
    BUG = "bug"
    REFUSED = "refused"
    BUSY = "busy"
    OUTAGE = "outage"


class JobEvent(StrEnum):
    """What can happen to a job."""

    CHECKED = "checked"
    REFUSED = "refused"
    REPLACED = "replaced"
    OPTIONS = "options"
    SUBMITTED = "submitted"
    REQUESTED = "requested"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    LAPSED = "lapsed"
    STARTED = "started"
    STOP = "stop"
    STOP_NOW = "stop-now"
    ENDED = "ended"
    CONTINUED = "continued"
    VERIFY = "verify"
    RETRIED = "retried"


class WebJob(Struct, frozen=True, kw_only=True):
    """One job; times are UTC, ISO 8601 with ``Z``.

    ``target`` is what it was checked for, ``run_id`` the run that it has or will have, ``stop_by`` the person who asked
    for a stop, ``retry_of`` the job whose rows it takes. ``exit_code`` is that of the latest process that sent rows.
    """

    number: int
    state: JobState
    target: str
    name: str
    note: str
    by_id: str
    by_name: str
    created_at: str
    changed_at: str
    version: int = 1
    activity: JobActivity | None = None
    cause: StopCause | None = None
    run_id: str | None = None
    exit_code: int | None = None
    queued_at: str = ""
    stop_by: str = ""
    retry_of: int | None = None

    @property
    def is_open(self) -> bool:
        """Return whether the job's rows may still be sent; those that its run has refused never are."""
        return self.state in _OPEN and self.cause is not StopCause.REFUSED

    @property
    def is_verifying(self) -> bool:
        """Return whether its rows are only looked at: the sending has ended before."""
        return self.state in {JobState.RUNNING, JobState.STOPPING} and self.exit_code is not None

    @property
    def waits_to_continue(self) -> bool:
        """Return whether it waits for approval of sending the rest of its rows: some were sent before."""
        return self.state is JobState.WAITING and self.run_id is not None

    @property
    def is_active(self) -> bool:
        """Return whether something goes on without anybody's doing."""
        return self.state in ACTIVE


class Happening(Struct, frozen=True, kw_only=True):
    """An event with its time and what belongs to it; ``exit_code`` None at an end means that the process was killed.

    An event that a person has caused names the ``version`` that they saw: it cannot happen to another one.
    """

    event: JobEvent
    now: str
    version: int | None = None
    person: str = ""
    exit_code: int | None = None
    run_id: str = ""
    name: str = ""
    note: str = ""


class EventRefusal(Struct, frozen=True):
    """An event that cannot happen to a job in its state."""

    state: JobState
    event: JobEvent


ACTIVE = frozenset({JobState.CHECKING, JobState.QUEUED, JobState.RUNNING, JobState.STOPPING})
_OPEN = frozenset({JobState.WAITING, JobState.QUEUED, JobState.RUNNING, JobState.STOPPING, JobState.STOPPED})
_CHANGED = {JobEvent.REPLACED: JobState.CHECKING, JobEvent.OPTIONS: JobState.CHECKING}
_AT_WORK = {JobEvent.STOP: JobState.STOPPING, JobEvent.STOP_NOW: JobState.STOPPING, JobEvent.ENDED: JobState.STOPPED}
_WITHDRAWN = {JobEvent.WITHDRAWN: JobState.WITHDRAWN}
# ENDED leads to finished instead when the exit code says so.
TRANSITIONS: dict[JobState, dict[JobEvent, JobState]] = {
    JobState.CHECKING: {JobEvent.CHECKED: JobState.READY, JobEvent.REFUSED: JobState.UNUSABLE},
    JobState.UNUSABLE: _CHANGED | _WITHDRAWN,
    JobState.READY: _CHANGED | _WITHDRAWN | {JobEvent.SUBMITTED: JobState.QUEUED, JobEvent.REQUESTED: JobState.WAITING},
    JobState.WAITING: _CHANGED
    | _WITHDRAWN
    | {
        JobEvent.APPROVED: JobState.QUEUED,
        JobEvent.REJECTED: JobState.REJECTED,
        JobEvent.EXPIRED: JobState.EXPIRED,
    },
    JobState.REJECTED: _WITHDRAWN | {JobEvent.REPLACED: JobState.CHECKING},
    JobState.QUEUED: _WITHDRAWN
    | {JobEvent.STARTED: JobState.RUNNING, JobEvent.ENDED: JobState.STOPPED, JobEvent.LAPSED: JobState.WAITING},
    JobState.RUNNING: _AT_WORK,
    JobState.STOPPING: _AT_WORK,
    JobState.STOPPED: {JobEvent.CONTINUED: JobState.QUEUED, JobEvent.REQUESTED: JobState.WAITING},
    JobState.FINISHED: {JobEvent.VERIFY: JobState.RUNNING, JobEvent.RETRIED: JobState.FINISHED},
    JobState.WITHDRAWN: {},
    JobState.EXPIRED: {},
}
_CAUSES = {
    HaltedError.exit_code: StopCause.THRESHOLD,
    CredentialsRefusedError.exit_code: StopCause.CREDENTIALS,
    ResultsNotWrittenError.exit_code: StopCause.DISK,
    BulkreactError.exit_code: StopCause.BUG,
    InputRefusedError.exit_code: StopCause.REFUSED,
    AlreadyRunningError.exit_code: StopCause.BUSY,
    ServiceUnavailableError.exit_code: StopCause.OUTAGE,
}
# What nobody stopped is continued by itself when the server starts.
CONTINUED_AT_START = frozenset({StopCause.SYSTEM, StopCause.OUTAGE})


def is_possible(job: WebJob, event: JobEvent) -> bool:
    """Return whether an event can happen to a job."""
    if event not in TRANSITIONS[job.state]:
        return False
    match event:
        case JobEvent.CONTINUED:
            # What a run has refused is not what was checked, and never will be.
            return job.cause is not StopCause.REFUSED
        case JobEvent.REPLACED | JobEvent.OPTIONS:
            # The rows of a retry are those of another job.
            return job.retry_of is None and not job.waits_to_continue
        case JobEvent.WITHDRAWN:
            return not job.waits_to_continue
    return True


def step(job: WebJob, happening: Happening) -> WebJob | EventRefusal:
    """Return the job after an event, or the refusal of an event that its state does not allow."""
    event, now = happening.event, happening.now
    if not is_possible(job, event) or happening.version not in {None, job.version}:
        return EventRefusal(job.state, event)
    state = TRANSITIONS[job.state][event]
    changed = replace(job, state=state, activity=_ACTIVITIES.get(state), cause=None, changed_at=now)
    changed = replace(changed, note=happening.note or job.note)
    match event:
        case JobEvent.REPLACED | JobEvent.OPTIONS:
            name = happening.name or job.name
            changed = replace(changed, name=name, version=job.version + 1, run_id=None, queued_at="")
        case JobEvent.SUBMITTED | JobEvent.APPROVED:
            run_id = job.run_id or happening.run_id
            changed = replace(changed, run_id=run_id, queued_at=now, stop_by="", exit_code=None)
        case JobEvent.REJECTED | JobEvent.EXPIRED if job.waits_to_continue:
            changed = replace(changed, state=JobState.STOPPED, cause=StopCause.PERSON)
        case JobEvent.CONTINUED:
            changed = replace(changed, queued_at=now, stop_by="", exit_code=None)
        case JobEvent.STOP | JobEvent.STOP_NOW:
            # What somebody else has stopped its uploader does not continue.
            stop_by = happening.person if job.stop_by in {"", job.by_id} else job.stop_by
            changed = replace(changed, activity=job.activity, stop_by=stop_by)
        case JobEvent.LAPSED:
            changed = replace(changed, run_id=None, queued_at="")
        case JobEvent.ENDED:
            stopped_by = job.stop_by or happening.person
            changed = _ended(replace(changed, stop_by=stopped_by), happening.exit_code, was_verifying=job.is_verifying)
        case JobEvent.VERIFY:
            changed = replace(changed, activity=JobActivity.VERIFYING, queued_at=now, stop_by="")
    return changed


_ACTIVITIES = {JobState.CHECKING: JobActivity.READING, JobState.RUNNING: JobActivity.PREPARING}


def _ended(job: WebJob, exit_code: int | None, *, was_verifying: bool) -> WebJob:
    if exit_code in {EXIT_SUCCESS, EXIT_SOME_FAILED}:
        return replace(job, state=JobState.FINISHED, exit_code=exit_code)
    if was_verifying:
        # The look has failed, and its rows stay as they were.
        return replace(job, state=JobState.FINISHED)
    cause = _CAUSES.get(exit_code, StopCause.SYSTEM) if exit_code is not None else StopCause.SYSTEM
    if job.stop_by and exit_code in {EXIT_INTERRUPTED, EXIT_TERMINATED, None}:
        cause = StopCause.PERSON
    return replace(job, cause=cause, exit_code=exit_code)

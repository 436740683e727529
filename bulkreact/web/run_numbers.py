"""What is known of a run: what its process says, its numbers, and what has become of it. No I/O."""

from msgspec import Struct, field

from bulkreact.errors import AlreadyRunningError, InputRefusedError
from bulkreact.web.jobs import JobActivity

_PHASES = {
    "preparing": JobActivity.PREPARING,
    "waiting": JobActivity.WAITING_FOR_PARTNER,
    "sending": JobActivity.SENDING,
    "verifying": JobActivity.VERIFYING,
    "writing": JobActivity.WRITING,
}


class WaitingRows(Struct, frozen=True):
    """What a run waits for."""

    seconds: float = 0
    customers: int = 0
    rows: int = 0


class ProcessReport(Struct, frozen=True, rename={"message": "words"}):
    """The members of progress.json that the page uses."""

    time: str = ""
    run_id: str | None = None
    phase: str = "preparing"
    message: str | None = None
    total: int | None = None
    settled: int = 0
    failures: int = 0
    calls: int = 0
    per_minute: float | None = None
    waiting: WaitingRows = WaitingRows()
    stopping: bool = False

    @property
    def activity(self) -> JobActivity:
        """Return what the process does."""
        return _PHASES.get(self.phase, JobActivity.PREPARING)


class Reason(Struct, frozen=True, rename={"message": "words"}):
    """Why rows did not end well: a code with the number of its rows, who must act and what to do."""

    code: str
    rows: int
    message: str
    who: str
    advice: str


class RunNumbers(Struct, frozen=True):
    """The numbers of a run; ``counts`` are settled rows by status, ``reasons`` the most frequent ones.

    ``taken`` are the rows that a retry has taken; of the others looking again may change those that are ``watchable``,
    another attempt may settle those that are ``retryable``, and ``failed`` are the rest of those that failed. ``look`` is
    how the latest look at them has failed, ``looked_at`` when it was, empty if there was none since they were sent.
    ``down_since`` is when an outage began that still lasts.
    """

    rows: int = 0
    settled: int = 0
    well: int = 0
    excluded: int = 0
    counts: dict[str, int] = {}
    reasons: tuple[Reason, ...] = ()
    calls: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("sent", "retried", "throttled"), 0))
    started_at: str | None = None
    ended_at: str | None = None
    ceiling: float | None = None
    per_minute: float | None = None
    ends_about: str | None = None
    waiting: WaitingRows = WaitingRows()
    watchable: int = 0
    retryable: int = 0
    failed: int = 0
    taken: int = 0
    look: str = ""
    looked_at: str = ""
    down_since: str = ""

    @property
    def attention(self) -> int:
        """Return how many settled rows did not end well."""
        return self.settled - self.well - self.excluded


class RunFacts(Struct, frozen=True):
    """A run as it is on disk.

    ``exit_code`` is that of its latest process, None while it is open or after a kill; ``session_at`` is when that one
    began, empty if none did.
    """

    exists: bool
    at_work: bool
    exit_code: int | None = None
    session_at: str = ""


class Ended(Struct, frozen=True):
    """A process has ended; ``exit_code`` is None if it was killed."""

    exit_code: int | None


class Unstarted(Struct, frozen=True):
    """Nothing of the run is there: it is to be started."""


class AtWork(Struct, frozen=True):
    """A process works on the run."""


def judge(facts: RunFacts, own_exit_code: int | None, *, has_begun: bool) -> Ended | Unstarted | AtWork:
    """Return what has become of a run; ``own_exit_code`` is that of this server's own process, if that has ended.

    A process that finds another one at work, or its run made already, says nothing about the run: the other one does.
    """
    if facts.at_work:
        return AtWork()
    if own_exit_code is not None:
        is_about_another = own_exit_code in {AlreadyRunningError.exit_code, InputRefusedError.exit_code}
        if facts.exists and (is_about_another or own_exit_code == 0) and facts.exit_code is not None:
            return Ended(facts.exit_code)
        return Ended(own_exit_code if own_exit_code >= 0 else None)
    if facts.exists:
        return Ended(facts.exit_code)
    return Ended(None) if has_begun else Unstarted()

"""What a process tells the program that started it about its work. No I/O."""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from bulkreact.batch.environment import VERIFYING, WaitState
from bulkreact.runs.progress_lines import format_waits
from bulkreact.runs.progress_meter import ProgressSnapshot

_NO_WAITS = WaitState()


class Activity(StrEnum):
    """What a process does now."""

    PREPARING = "preparing"
    WAITING = "waiting"
    SENDING = "sending"
    VERIFYING = "verifying"
    WRITING = "writing"


class WorkReport(Struct, frozen=True):
    """The work of a process at one moment.

    ``total`` counts all rows of the input, also those that are never sent; 0 before they are known. ``settled`` counts
    those with an end, whichever process settled them; while rows are verified, those that are not watched any more.
    """

    activity: Activity = Activity.PREPARING
    message: str = "Reading the input"
    run_id: str | None = None
    total: int = 0
    settled: int = 0
    failures: int = 0
    calls: int = 0
    per_minute: float = 0.0
    waits: WaitState = _NO_WAITS
    stopping: bool = False

    def in_phase(self, snapshot: ProgressSnapshot) -> "WorkReport":
        """Return the report during a phase, made from the one before it."""
        waits = format_waits(snapshot.waits, snapshot.open)
        verifies = snapshot.title == VERIFYING
        return replace(
            self,
            activity=Activity.VERIFYING if verifies else Activity.SENDING,
            message=": ".join(filter(None, [snapshot.title, waits])),
            # A discovery has no input: it counts what it reads.
            total=self.total if self.run_id else snapshot.total,
            settled=self._settled(snapshot, verifies=verifies),
            failures=self.failures + snapshot.failures,
            calls=self.calls + snapshot.calls,
            per_minute=round(snapshot.calls_per_minute, 1),
            waits=snapshot.waits,
            stopping=self.stopping or snapshot.stopping,
        )

    def _settled(self, snapshot: ProgressSnapshot, *, verifies: bool) -> int:
        if self.run_id is None:
            return snapshot.settled
        return self.settled - snapshot.open if verifies else self.settled + snapshot.settled

    def after_phase(self) -> "WorkReport":
        """Return the report after a phase: nothing is called, and nothing waits."""
        return replace(self, per_minute=0.0, waits=_NO_WAITS)

    def members(self, *, time: str, pid: int) -> dict[str, object]:
        """Return the members of the JSON object."""
        return {
            "time": time,
            "pid": pid,
            "run_id": self.run_id,
            "phase": self.activity,
            "words": self.message,
            "total": self.total,
            "settled": self.settled,
            "failures": self.failures,
            "calls": self.calls,
            "per_minute": self.per_minute,
            "waiting": {
                "seconds": round(self.waits.next_seconds or 0.0, 1),
                "customers": self.waits.customers,
                "rows": sum(self.waits.rows.values()),
            },
            "stopping": self.stopping,
        }

"""Dependencies injected into a run, and the progress it exposes."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from msgspec import Struct, field

from bulkreact.errors import EXIT_SUCCESS
from bulkreact.models import FAILURES, Outcome, Reply, Request, RunState


class OutageRecord(Struct, frozen=True, omit_defaults=True):
    """An outage as a run met it; times are UTC, ISO 8601.

    ``ended_at`` is empty while it lasts, and ``next_probe_at`` when there is no further probe. ``cause`` is the latest
    answer, or why there was none. Only the process that met it knows until when it is waited out, and whether the run has
    no other customer that could show that it is no outage.
    """

    since: str
    ended_at: str
    next_probe_at: str
    probes: int
    cause: str
    gives_up_at: str = ""
    of_one_customer: bool = False


class RunEnvironment(Struct, frozen=True):
    """Injected dependencies: network, token, two clocks, random numbers and new GUIDs.

    ``ensure_token`` returns why there is no token, empty if there is one; it is not needed while ``is_token_fresh``.
    ``renew_token`` fetches one unless one was fetched since a monotonic time. ``now`` is the wall clock (aware, UTC),
    ``chance`` is uniform in [0, 1). ``on_settled`` gets the number and outcome of every row that a call settled,
    ``on_outage`` every change of an outage.
    """

    send: Callable[[Request], Awaitable[Reply]]
    is_token_fresh: Callable[[], bool]
    ensure_token: Callable[[], Coroutine[Any, Any, str]]
    renew_token: Callable[[float], Coroutine[Any, Any, None]]
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    chance: Callable[[], float]
    new_id: Callable[[], str]
    on_settled: Callable[[int, Outcome], None]
    on_outage: Callable[[OutageRecord], None]


class StopReason(Struct, frozen=True):
    """Why a phase ended; ``exit_code`` is 0 if every row was settled, even if it failed."""

    state: RunState
    exit_code: int
    reason: str


COMPLETED = StopReason(RunState.FINISHED, EXIT_SUCCESS, "complete")


# The title of the phase that watches accepted rows.
VERIFYING = "Verifying"


class PhaseProgress(Struct):
    """The progress of a phase as a reporter shows it; counts rows of this process only."""

    total: int
    settled: int = 0
    failures: int = 0
    calls: int = 0

    def count(self, outcome: Outcome, rows: int = 1) -> None:
        """Count rows that were settled with the same outcome."""
        self.settled += rows
        if outcome.status in FAILURES:
            self.failures += rows


class WaitReason(StrEnum):
    """Why a row's next call is due later."""

    BUSY = "busy"
    THROTTLED = "throttled"
    PARENT = "parent"
    OUTAGE = "outage"
    ACTIVATION = "activation"


class WaitState(Struct, frozen=True):
    """What waits, how many rows for which reason; ``held`` is why no call may be made at all, None if calls go on.

    ``customers`` are throttled, ``customer`` the one of them that is held longest. The next of the waiting calls is due
    in ``next_seconds``, and is the ``attempt``-th of its row (0: it is not counted); the last is due in
    ``longest_seconds``. Both are None if nothing waits. ``is_tail``: nothing else is left to be sent. An outage ends the
    run in ``gives_up_seconds``, None if there is none or another process waits it out.
    """

    rows: Mapping[WaitReason, int] = field(default_factory=dict)
    held: WaitReason | None = None
    customers: int = 0
    customer: str = ""
    next_seconds: float | None = None
    attempt: int = 0
    longest_seconds: float | None = None
    is_tail: bool = False
    gives_up_seconds: float | None = None


class Phase(Protocol):
    """A part of a run that can be watched and interrupted."""

    progress: PhaseProgress

    @property
    def title(self) -> str:
        """Return a short description of the phase."""
        ...

    @property
    def stopping(self) -> bool:
        """Return whether the phase was stopped."""
        ...

    def wait_state(self) -> WaitState:
        """Return what waits."""
        ...

    def interrupt(self, *, terminated: bool) -> None:
        """Start no more calls because of a signal."""
        ...

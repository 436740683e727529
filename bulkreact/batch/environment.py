"""What a run is handed from outside, and what it says of itself: nothing here acts."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from bulkreact.errors import EXIT_SUCCESS
from bulkreact.models import FAILURES, Outcome, Reply, Request, RunState


@dataclass(frozen=True, slots=True)
class RunEnvironment:
    """The wire, the token, two clocks, chance and fresh GUIDs.

    ``now`` is the wall clock (aware, UTC), ``monotonic`` counts seconds, ``chance`` is uniform in [0, 1).
    ``usable`` tells that the next call may go ahead; if not, ``ready`` must be asked, which says why there is no token,
    with an empty text when there is one. ``renew`` fetches a fresh one unless that happened since the given monotonic
    moment. ``settled`` is told the number and the outcome of
    every row that was settled by a call.
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


@dataclass(frozen=True, slots=True)
class StopReason:
    """Why the workers stopped; ``exit_code`` is 0 when every row was settled, however it ended."""

    state: RunState
    exit_code: int
    reason: str


COMPLETED = StopReason(RunState.FINISHED, EXIT_SUCCESS, "complete")


@dataclass(slots=True)
class PhaseProgress:
    """What the terminal shows while a phase goes on; rows of this process only."""

    total: int
    settled: int = 0
    failures: int = 0
    calls: int = 0

    def count(self, outcome: Outcome, rows: int = 1) -> None:
        """Count rows that were settled with the same outcome."""
        self.settled += rows
        if outcome.status in FAILURES:
            self.failures += rows


@dataclass(frozen=True, slots=True)
class ThrottleState:
    """Who is not being sent at present: seconds for everybody, customers on hold, items that wait for their time."""

    partner_seconds: float
    customers: int
    waiting: int


class Phase(Protocol):
    """A part of a run's work that can be watched and interrupted."""

    progress: PhaseProgress

    @property
    def title(self) -> str:
        """Return what it does, in a word."""
        ...

    @property
    def stopping(self) -> bool:
        """Tell whether it ends before its time."""
        ...

    def throttle_state(self) -> ThrottleState:
        """Return who waits."""
        ...

    def interrupt(self, *, terminated: bool) -> None:
        """Make no more calls: somebody asked the program to end."""
        ...

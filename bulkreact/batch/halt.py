"""When a run stops by itself: too many failures, or only missing permissions. No I/O."""

from collections import Counter

from msgspec import Struct

from bulkreact.models import FAILURES, Outcome
from bulkreact.settings import Threshold

# This many successive refusals for lack of permission are a fault of the account, not of the rows.
DENIALS_TO_STOP = 5


class DeniedRow(Struct, frozen=True):
    """A row that was refused for lack of permission."""

    ordinal: int
    customer_id: str
    outcome: Outcome


class FailureThreshold:
    """Counts the rows that calls of this process settled."""

    def __init__(self, threshold: Threshold, *, after: int) -> None:
        self._threshold = threshold
        self._after = after
        self.settled = 0
        self.failures = 0
        self.codes: Counter[str] = Counter()

    def add(self, outcome: Outcome) -> None:
        """Count one settled row."""
        self.settled += 1
        if outcome.status in FAILURES:
            self.failures += 1
            self.codes[outcome.code] += 1

    @property
    def is_exceeded(self) -> bool:
        """Return whether the run must halt."""
        return self.settled >= self._after and self._threshold.is_exceeded(self.failures, self.settled)


class DenialBreaker:
    """Detects successive refusals before any success, and of more than one customer if the run has more."""

    def __init__(self, *, customers: int, succeeded: bool) -> None:
        self._has_several_customers = customers > 1
        self._succeeded = succeeded
        self.denials: list[DeniedRow] = []

    @property
    def is_watching(self) -> bool:
        """Return whether refusals may still be a fault of the account."""
        return not self._succeeded

    def record_denial(self, denied: DeniedRow) -> bool:
        """Record a refusal; return whether the run must abort."""
        self.denials.append(denied)
        return (
            not self._succeeded
            and len(self.denials) >= DENIALS_TO_STOP
            and (not self._has_several_customers or len({row.customer_id for row in self.denials}) > 1)
        )

    def record_answer(self, *, success: bool) -> None:
        """Record any other answer: it ends the series, and a success ends the detection."""
        self._succeeded = self._succeeded or success
        self.denials.clear()

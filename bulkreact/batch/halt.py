"""When a run must stop by itself: too many failures, or nothing but missing permissions; pure."""

from collections import Counter
from dataclasses import dataclass

from bulkreact.models import FAILURES, Outcome
from bulkreact.settings import Threshold

# So many refusals for lack of permission in succession are the account's fault, not the rows'.
DENIALS_TO_STOP = 5


@dataclass(frozen=True, slots=True)
class DeniedRow:
    """A row that was refused for lack of permission."""

    ordinal: int
    customer_id: str
    outcome: Outcome


class FailureThreshold:
    """Counts the rows settled by this process whose calls were made or tried."""

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
    def is_passed(self) -> bool:
        """Tell whether the run must halt."""
        return self.settled >= self._after and self._threshold.passed(self.failures, self.settled)


class DenialBreaker:
    """Watches for refusals in succession, before any success of the run, from more than one customer if there are."""

    def __init__(self, *, customers: int, succeeded: bool) -> None:
        self._several = customers > 1
        self._succeeded = succeeded
        self.denials: list[DeniedRow] = []

    @property
    def is_watching(self) -> bool:
        """Tell whether refusals may still turn out to be the account's fault."""
        return not self._succeeded

    def record_denial(self, refusal: DeniedRow) -> bool:
        """Count a refusal and tell whether the streak is fatal."""
        self.denials.append(refusal)
        return (
            not self._succeeded
            and len(self.denials) >= DENIALS_TO_STOP
            and (not self._several or len({refusal.customer_id for refusal in self.denials}) > 1)
        )

    def record_answer(self, *, success: bool) -> None:
        """Note another answer: it ends the streak; a success ends the watch."""
        self._succeeded = self._succeeded or success
        self.denials.clear()

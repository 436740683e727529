"""What a results file says of its rows, and what to know before they are sent again."""

from collections import Counter
from collections.abc import Sequence

from bulkreact.models import SUCCESSES, Status, Target
from bulkreact.sheets.columns import ColumnLayout
from bulkreact.sheets.input.row_checks import EarlierCall, earlier_call
from bulkreact.sheets.input.row_errors import format_ranges

_ACCEPTED = SUCCESSES | {Status.PENDING}


class EarlierResults:
    """The earlier results of the rows of a file; there are none if it is no results file."""

    def __init__(self, name: str, layout: ColumnLayout) -> None:
        self._name = name
        self._layout = layout
        # The numbers of rows with request ids of other targets.
        self._unproven: list[int] = []
        self._accepted: Counter[str] = Counter()

    def add(self, number: int, cells: Sequence[str], target: Target) -> EarlierCall:
        """Return the last call of a row."""
        call = earlier_call(self._layout, cells, target)
        if call.is_unproven:
            self._unproven.append(number)
        if self._layout.results and (status := cells[self._layout.results["status"]].strip()) in _ACCEPTED:
            self._accepted[status] += 1
        return call

    @property
    def remark(self) -> str:
        """Return what matters before the rows are sent again, empty if nothing does."""
        return " ".join(filter(None, (self._describe_unproven(), self._describe_accepted())))

    def _describe_unproven(self) -> str:
        if not self._unproven:
            return ""
        ids = "a new request id for row" if len(self._unproven) == 1 else "new request ids for rows"
        return (
            f"{self._name}: {ids} {format_ranges(self._unproven)}: nothing proves that the old was made for the same target "
            "(rows changed or copied, or a file of an earlier version). If nobody changed them, bulkreact retry of the run "
            "that wrote them keeps their ids."
        )

    def _describe_accepted(self) -> str:
        if not self._accepted:
            return ""
        counts = ", ".join(f"{rows:,} {status}" for status, rows in self._accepted.items())
        return (
            f"{self._name} is a file of results with rows that Partner Center has accepted before ({counts}). They are sent "
            "again with the others: delete them from the file, unless that is meant."
        )

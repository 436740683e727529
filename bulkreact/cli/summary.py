"""How a run stands, for people: its rows by status, and the commands that it still has need of."""

from collections.abc import Iterator, Mapping

from rich.table import Table
from rich.text import Text

from bulkreact.models import SUCCESSES, Status
from bulkreact.sheets.results import Counts

_STYLES = {
    Status.DUPLICATE: "dim",
    Status.PENDING: "yellow",
    Status.DEFERRED: "yellow",
    Status.NOT_ATTEMPTED: "yellow",
    **dict.fromkeys(SUCCESSES, "green"),
}


def statuses(counts: Mapping[str, int]) -> Table:
    """Return the rows by status as a table."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("status")
    table.add_column("rows", justify="right")
    for status in Status:
        if number := counts.get(status, 0):
            table.add_row(Text(status, style=_STYLES.get(status, "red")), f"{number:,}")
    return table


def next_steps(counts: Counts, run: str, *, ended: bool) -> Iterator[str]:
    """Yield what can be done about a run, one line a command; ``run`` names it on the command line."""
    if counts.left_out:
        yield f"Left out by --limit: {counts.left_out:,}. Send them with: bulkreact resume {run}"
    if ended and counts.worth_retrying > counts.left_out:
        yield f"To retry: bulkreact retry {run} (rows that may succeed now: {counts.worth_retrying:,})"
    if counts.statuses[Status.PENDING]:
        yield f"Look at what is pending once more with: bulkreact verify {run}"
    elif ended and counts.statuses[Status.ACCEPTED]:
        yield f"Accepted is not yet active. In a few minutes look with: bulkreact verify {run}"

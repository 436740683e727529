"""Shows the rows of a run by status."""

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from bulkreact.models import SUCCESSES, Status

_STYLES = {
    Status.DUPLICATE: "dim",
    Status.PENDING: "yellow",
    Status.DEFERRED: "yellow",
    Status.NOT_ATTEMPTED: "yellow",
    **dict.fromkeys(SUCCESSES, "green"),
}


def describe_changes(before: Mapping[str, int], after: Mapping[str, int]) -> str:
    """Return which counts of rows by status have changed."""
    pairs = [(status, before.get(status, 0), after.get(status, 0)) for status in Status]
    changes = [f"{status} {earlier:,} → {now:,}" for status, earlier, now in pairs if earlier != now]
    return f"Changed: {', '.join(changes)}." if changes else "Nothing has changed."


def status_table(counts: Mapping[str, int], amounts: Mapping[str, str] | None = None) -> Table:
    """Return the rows by status as a table, with the ``amounts`` of each if there are any."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("status")
    table.add_column("rows", justify="right")
    if amounts:
        table.add_column("amount", justify="right")
    for status in Status:
        if number := counts.get(status, 0):
            amount = [Text(amounts.get(status, ""))] if amounts else []
            table.add_row(Text(status, style=_STYLES.get(status, "red")), f"{number:,}", *amount)
    return table

"""Counts how the rows of each customer ended, in a temporary file: there may be as many customers as rows."""

import sqlite3
from collections import defaultdict
from types import TracebackType
from typing import Self

from bulkreact.models import ResultRow, Status
from bulkreact.sheets.output.report_data import CustomerSummary

# A million rows of as many customers, the worst there is, then take 7 seconds and 23 MB.
_HELD = 20_000
# Nothing of the file is to outlive the process.
_SETTINGS = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16000"
_TABLE = """
CREATE TABLE tally (
    customer TEXT NOT NULL, status TEXT NOT NULL, troubled INTEGER NOT NULL, rows INTEGER NOT NULL,
    PRIMARY KEY (customer, status, troubled)
) STRICT, WITHOUT ROWID
"""
_ADD = "INSERT INTO tally VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET rows = rows + excluded.rows"
_MOST_AFFECTED = """
SELECT customer, sum(rows) AS count, sum(rows * troubled) AS affected FROM tally GROUP BY customer
ORDER BY affected DESC, count DESC, customer LIMIT ?
"""
_TOTALS = """
SELECT count(*), count(*) FILTER (WHERE affected)
FROM (SELECT max(troubled) AS affected FROM tally WHERE customer <> '' GROUP BY customer)
"""
_STATUSES = "SELECT status, sum(rows) FROM tally WHERE customer = ? GROUP BY status"


class CustomerCounts:
    """The customers of a run; memory stays flat however many there are."""

    def __init__(self) -> None:
        # An empty name is a private file that is gone when it is closed.
        self._connection = sqlite3.connect("", isolation_level=None)
        self._connection.executescript(_SETTINGS)
        self._connection.execute(_TABLE)
        self._held: defaultdict[tuple[str, Status, bool], int] = defaultdict(int)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def add(self, row: ResultRow) -> None:
        """Count one row."""
        held = self._held
        held[row.customer_id, row.outcome.status, row.needs_attention] += 1
        if len(held) >= _HELD:
            self._spill()

    def totals(self) -> tuple[int, int]:
        """Return how many customers there are, and how many of them have rows that did not end well."""
        self._spill()
        customers, affected = self._connection.execute(_TOTALS).fetchone()
        return int(customers), int(affected)

    def most_affected(self, limit: int) -> list[CustomerSummary]:
        """Return the customers with the most rows that did not end well, these first.

        Rows without a customer that could be read have one line together, under an empty id.
        """
        self._spill()
        return [
            CustomerSummary(customer, rows, affected, self._statuses(customer))
            for customer, rows, affected in self._connection.execute(_MOST_AFFECTED, (limit,)).fetchall()
        ]

    def _statuses(self, customer: str) -> tuple[tuple[Status, int], ...]:
        found: dict[str, int] = dict(self._connection.execute(_STATUSES, (customer,)).fetchall())
        return tuple((status, found[status]) for status in Status if status in found)

    def _spill(self) -> None:
        self._connection.execute("BEGIN")
        # Neighbours together: the file is written from its beginning to its end, not all over.
        self._connection.executemany(_ADD, sorted((*key, rows) for key, rows in self._held.items()))
        self._connection.execute("COMMIT")
        self._held.clear()

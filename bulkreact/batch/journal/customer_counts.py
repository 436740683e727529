"""Counts how the rows of each customer ended, in a temporary file: there may be as many customers as rows."""

import sqlite3
from collections import defaultdict
from types import TracebackType
from typing import Self

from bulkreact.models import CustomerSummary, ResultRow, Status

# A million rows of as many customers, the worst case, then take 7 seconds and 23 MB.
_IN_MEMORY = 20_000
# A crash may lose the file: it is never read again.
_SETTINGS = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16000"
_TABLE = """
CREATE TABLE counts (
    customer TEXT NOT NULL, status TEXT NOT NULL, needs_attention INTEGER NOT NULL, rows INTEGER NOT NULL,
    PRIMARY KEY (customer, status, needs_attention)
) STRICT, WITHOUT ROWID
"""
_ADD = "INSERT INTO counts VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET rows = rows + excluded.rows"
_MOST_AFFECTED = """
SELECT customer, sum(rows) AS count, sum(rows * needs_attention) AS affected FROM counts GROUP BY customer
ORDER BY affected DESC, count DESC, customer LIMIT ?
"""
_TOTALS = """
SELECT count(*), count(*) FILTER (WHERE affected)
FROM (SELECT max(needs_attention) AS affected FROM counts WHERE customer <> '' GROUP BY customer)
"""
_STATUSES = "SELECT status, sum(rows) FROM counts WHERE customer = ? GROUP BY status"


class CustomerCounts:
    """Row counts per customer; memory stays flat however many there are."""

    def __init__(self) -> None:
        # An empty name means a private file that is deleted on close.
        self._connection = sqlite3.connect("", isolation_level=None)
        self._connection.executescript(_SETTINGS)
        self._connection.execute(_TABLE)
        self._in_memory: defaultdict[tuple[str, Status, bool], int] = defaultdict(int)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def add(self, row: ResultRow) -> None:
        """Count one row."""
        counts = self._in_memory
        counts[row.customer_id, row.outcome.status, row.needs_attention] += 1
        if len(counts) >= _IN_MEMORY:
            self._spill()

    def totals(self) -> tuple[int, int]:
        """Return how many customers there are, and how many of them have rows that did not succeed."""
        self._spill()
        customers, affected = self._connection.execute(_TOTALS).fetchone()
        return int(customers), int(affected)

    def most_affected(self, limit: int) -> list[CustomerSummary]:
        """Return the customers with the most rows that did not succeed, the most affected first.

        Rows without a readable customer are counted together under an empty id.
        """
        self._spill()
        return [
            CustomerSummary(customer, rows, affected, self._statuses(customer))
            for customer, rows, affected in self._connection.execute(_MOST_AFFECTED, (limit,)).fetchall()
        ]

    def _statuses(self, customer: str) -> tuple[tuple[Status, int], ...]:
        counts: dict[str, int] = dict(self._connection.execute(_STATUSES, (customer,)).fetchall())
        return tuple((status, counts[status]) for status in Status if status in counts)

    def _spill(self) -> None:
        self._connection.execute("BEGIN")
        # Sorted, so that the file is written sequentially.
        self._connection.executemany(_ADD, sorted((*key, rows) for key, rows in self._in_memory.items()))
        self._connection.execute("COMMIT")
        self._in_memory.clear()

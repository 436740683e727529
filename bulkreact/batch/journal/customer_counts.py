"""Counts how the rows of each customer ended, in a temporary file: there may be as many customers as rows."""

import json
import sqlite3
from collections import Counter
from types import TracebackType
from typing import Self

from bulkreact.models import CustomerSummary, Status
from bulkreact.result_chunk import ResultChunk

# A million rows of as many customers, the worst case, then take 4 seconds and 25 MB.
_IN_MEMORY = 20_000
# A crash may lose the file: it is never read again.
_SETTINGS = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16000"
# Without an index: one sort at the end takes half as long as keeping an order.
_TABLE = """
CREATE TABLE counts (
    customer TEXT NOT NULL, status TEXT NOT NULL, needs_attention INTEGER NOT NULL, rows INTEGER NOT NULL
) STRICT
"""
_ADD = "INSERT INTO counts VALUES (?, ?, ?, ?)"
_PER_CUSTOMER = """
CREATE TABLE IF NOT EXISTS customers AS
SELECT customer, sum(rows) AS rows, sum(rows * needs_attention) AS affected FROM counts GROUP BY customer
"""
_MOST_AFFECTED = "SELECT customer, rows, affected FROM customers ORDER BY affected DESC, rows DESC, customer LIMIT ?"
_TOTALS = "SELECT count(*), count(*) FILTER (WHERE affected) FROM customers WHERE customer <> ''"
_STATUSES = """
SELECT customer, status, sum(rows) FROM counts WHERE customer IN (SELECT value FROM json_each(?)) GROUP BY 1, 2
"""


class CustomerCounts:
    """Row counts per customer; memory stays flat however many there are."""

    def __init__(self) -> None:
        # An empty name means a private file that is deleted on close.
        self._connection = sqlite3.connect("", isolation_level=None)
        self._connection.executescript(_SETTINGS)
        self._connection.execute(_TABLE)
        self._in_memory: Counter[tuple[str, str, bool]] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def add_chunk(self, chunk: ResultChunk) -> None:
        """Count rows."""
        counts = self._in_memory
        counts.update((row.customer_id, row.status, False) for row in chunk.plain)
        counts.update((row.customer_id, row.outcome.status, row.needs_attention) for row in chunk.others.values())
        if len(counts) >= _IN_MEMORY:
            self._spill()

    def totals(self) -> tuple[int, int]:
        """Return how many customers there are, and how many of them have rows that did not succeed."""
        self._sum_up()
        customers, affected = self._connection.execute(_TOTALS).fetchone()
        return int(customers), int(affected)

    def most_affected(self, limit: int) -> list[CustomerSummary]:
        """Return the customers with the most rows that did not succeed, the most affected first.

        Rows without a readable customer are counted together under an empty id.
        """
        self._sum_up()
        chosen = self._connection.execute(_MOST_AFFECTED, (limit,)).fetchall()
        statuses = self._statuses([customer for customer, _, _ in chosen])
        return [
            CustomerSummary(customer, rows, affected, tuple(statuses[customer].items()))
            for customer, rows, affected in chosen
        ]

    def _statuses(self, customers: list[str]) -> dict[str, dict[Status, int]]:
        numbers = {
            (customer, status): rows
            for customer, status, rows in self._connection.execute(_STATUSES, (json.dumps(customers),))
        }
        return {
            customer: {status: numbers[customer, status] for status in Status if (customer, status) in numbers}
            for customer in customers
        }

    def _sum_up(self) -> None:
        if self._in_memory:
            self._spill()
            self._connection.execute("DROP TABLE IF EXISTS customers")
        self._connection.execute(_PER_CUSTOMER)

    def _spill(self) -> None:
        self._connection.execute("BEGIN")
        # Subclasses of str and int take longer to bind.
        counts = ((who, str(how), int(bad), rows) for (who, how, bad), rows in self._in_memory.items())
        self._connection.executemany(_ADD, counts)
        self._connection.execute("COMMIT")
        self._in_memory.clear()

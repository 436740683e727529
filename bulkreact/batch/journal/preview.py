"""Counts what a run over a journal's rows would send, before the run starts."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from bulkreact.batch.journal import schema
from bulkreact.batch.journal.customer_names import read_names
from bulkreact.batch.journal.journal_file import JOURNAL_NAME
from bulkreact.batch.journal.writer import connect_sqlite
from bulkreact.models import Kind, Target

_VALID = "problem_code = '' AND duplicate_of IS NULL"
_PER_CUSTOMER = f"SELECT customer_id, count(*) FROM rows WHERE {_VALID} GROUP BY customer_id ORDER BY 2 DESC, 1"  # noqa: S608 - our own names
_TARGETS = f"SELECT number, customer_id, subscription_id, entitlement_id FROM rows WHERE {_VALID} ORDER BY ordinal"  # noqa: S608 - our own names
_CUSTOMERS = f"SELECT count(*), count(DISTINCT customer_id) FROM rows WHERE {_VALID}"  # noqa: S608 - our own names
_KINDS = f"SELECT entitlement_id <> '', count(*) FROM rows WHERE {_VALID} GROUP BY 1 ORDER BY 1 DESC"  # noqa: S608 - our own names
_DEADLINES = f"SELECT number, deadline FROM rows WHERE {_VALID} AND deadline <> '' ORDER BY deadline, ordinal"  # noqa: S608 - our own names
_DUPLICATES = "SELECT count(*) FROM rows WHERE duplicate_of IS NOT NULL"

# Row, kind, customer, subscription, entitlement.
PlannedTarget = tuple[int, str, str, str, str]


class RunPreview(Struct, frozen=True):
    """The rows that would be sent (``valid``), of how many customers, and how many are duplicates.

    ``kinds`` counts the targets; ``deadlines`` has by row number when the target is permanently deleted, the soonest
    first, if the input says so.
    """

    valid: int
    customers: int
    duplicate: int
    kinds: dict[Kind, int]
    deadlines: dict[int, str]

    @property
    def calls(self) -> int:
        """Return the least number of calls: a subscription is read before it is updated."""
        return self.valid + self.kinds.get(Kind.SUBSCRIPTION, 0)


def preview_run(folder: Path) -> RunPreview:
    """Mark the duplicates among a journal's rows, and count the rows."""
    with closing(connect_sqlite(folder / JOURNAL_NAME)) as connection:
        connection.execute(schema.MARK_DUPLICATES)
        (duplicate,) = connection.execute(_DUPLICATES).fetchone()
        kinds = {Kind.AZURE if azure else Kind.SUBSCRIPTION: count for azure, count in connection.execute(_KINDS)}
        deadlines = dict(connection.execute(_DEADLINES))
        valid, customers = connection.execute(_CUSTOMERS).fetchone()
        return RunPreview(valid, customers, duplicate, kinds, deadlines)


def rows_per_customer(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield how many rows would be sent of each customer, the largest first; duplicates must already be marked."""
    with closing(connect_sqlite(folder / JOURNAL_NAME)) as connection:
        yield from connection.execute(_PER_CUSTOMER)


def customer_cells(
    folder: Path, column: int | None, customers: Iterable[str] | None = None
) -> Iterator[tuple[str, str]]:
    """Yield customers with the first cell of each in a column that is not blank; all customers, if none are given."""
    with closing(connect_sqlite(folder / JOURNAL_NAME)) as connection:
        yield from read_names(connection, column, customers)


def planned_targets(folder: Path) -> Iterator[PlannedTarget]:
    """Yield the targets that would be sent, in input order; duplicates must already be marked."""
    with closing(connect_sqlite(folder / JOURNAL_NAME)) as connection:
        yield from _targets(connection)


def _targets(connection: sqlite3.Connection) -> Iterator[PlannedTarget]:
    for number, *ids in connection.execute(_TARGETS):
        customer, subscription, entitlement = ids
        yield number, Target(customer, subscription, entitlement).kind, customer, subscription, entitlement

"""Finds ids in the wrong column, as far as the file proves it: one id cannot name a customer and a subscription."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from bulkreact.batch.journal import schema
from bulkreact.batch.journal.journal_file import JOURNAL_NAME
from bulkreact.batch.journal.writer import connect_sqlite
from bulkreact.models import Target

CODE = "swapped-ids"
_COLUMNS = ("customer_id", "subscription_id", "entitlement_id")

# Ids that occur in more than one column, without an index or a copy of the table.
_MIXED = """
CREATE TEMP TABLE mixed AS
SELECT entitlement_id AS id FROM rows WHERE entitlement_id IN (SELECT subscription_id FROM rows WHERE problem_code = '')
UNION SELECT entitlement_id FROM rows WHERE entitlement_id IN (SELECT customer_id FROM rows WHERE problem_code = '')
UNION SELECT subscription_id FROM rows WHERE subscription_id IN (SELECT customer_id FROM rows WHERE problem_code = '')
"""
_OCCURRENCES = " UNION ALL ".join(
    f"SELECT {column} AS id, '{column}' AS column, ordinal, number FROM rows WHERE {column} IN (SELECT id FROM mixed)"  # noqa: S608 - our own names
    for column in _COLUMNS
)
# The column in which an id occurs most often is the right one; after a tie either may be.
_SWAPPED = f"""
WITH occurrences AS ({_OCCURRENCES}),
    counted AS (SELECT id, column, count(*) AS times, min(number) AS first FROM occurrences GROUP BY id, column)
SELECT occurrences.ordinal, number, occurrences.column, occurrences.id, other.column, other.times, own.times, other.first
FROM occurrences JOIN counted AS own ON own.id = occurrences.id AND own.column = occurrences.column
    JOIN counted AS other
        ON other.id = occurrences.id AND other.column <> occurrences.column AND other.times >= own.times
ORDER BY occurrences.ordinal, other.times DESC, occurrences.column
"""  # noqa: S608 - our own names
_VALID = "SELECT customer_id, subscription_id, entitlement_id FROM rows WHERE problem_code = '' ORDER BY ordinal"


class SwappedId(Struct, frozen=True):
    """A row with an id that belongs in another column."""

    number: int
    column: str
    value: str
    reason: str

    @property
    def description(self) -> str:
        """Return the problem as the results show it; with the id, which shows later whether it was corrected."""
        reason, _, verdict = self.reason.partition(": ")
        return f"{self.column} {reason}: '{self.value}' ({verdict})"


def flag_swapped_ids(folder: Path) -> list[SwappedId]:
    """Mark rows with an id in the wrong column as invalid, and return them in input order."""
    with closing(connect_sqlite(folder / JOURNAL_NAME)) as connection:
        connection.execute(_MIXED)
        swapped = dict(_find_swapped(connection))
        connection.execute("BEGIN IMMEDIATE")
        flags = ({"code": CODE, "problem": row.description, "ordinal": ordinal} for ordinal, row in swapped.items())
        connection.executemany(schema.FLAG_INVALID, flags)
        connection.execute("COMMIT")
    return list(swapped.values())


def input_digest(folder: Path) -> str:
    """Return the digest of the targets of a journal's valid rows, in input order."""
    digest = hashlib.sha256()
    with closing(connect_sqlite(folder / JOURNAL_NAME)) as connection:
        for ids in connection.execute(_VALID):
            digest.update(Target(*ids).digest_line.encode())
    return digest.hexdigest()


def _find_swapped(connection: sqlite3.Connection) -> Iterator[tuple[int, SwappedId]]:
    last = 0
    for ordinal, number, column, value, other_column, other_count, own_count, first_row in connection.execute(_SWAPPED):
        if ordinal == last:
            # A row has one reason.
            continue
        last = ordinal
        where = "this row" if first_row == number else f"row {first_row}"
        more = f" and {other_count - 1:,} more" if other_count > 1 else ""
        verdict = "it belongs there" if other_count > own_count else "one of the two is in the wrong column"
        yield ordinal, SwappedId(number, column, value, f"is also the {other_column} of {where}{more}: {verdict}")

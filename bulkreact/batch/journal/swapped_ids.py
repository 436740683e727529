"""Ids in the wrong column, where the file itself proves it: one id cannot name a customer and a subscription."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bulkreact.batch.journal.reading import JOURNAL_NAME
from bulkreact.batch.journal.writer import connect
from bulkreact.models import Target

CODE = "swapped-ids"
_COLUMNS = ("customer_id", "subscription_id", "entitlement_id")

# Ids that stand in more than one column; asked in a way that needs no index and no copy of the table.
_MIXED = """
CREATE TEMP TABLE mixed AS
SELECT entitlement_id AS id FROM rows WHERE entitlement_id IN (SELECT subscription_id FROM rows WHERE problem_code = '')
UNION SELECT entitlement_id FROM rows WHERE entitlement_id IN (SELECT customer_id FROM rows WHERE problem_code = '')
UNION SELECT subscription_id FROM rows WHERE subscription_id IN (SELECT customer_id FROM rows WHERE problem_code = '')
"""
_PLACES = " UNION ALL ".join(
    f"SELECT {column} AS id, '{column}' AS place, ordinal, number FROM rows WHERE {column} IN (SELECT id FROM mixed)"  # noqa: S608 - our own names
    for column in _COLUMNS
)
# Where an id stands most often it is right; where it stands as often elsewhere, nobody can tell.
_FOUND = f"""
WITH places AS ({_PLACES}),
    counted AS (SELECT id, place, count(*) AS times, min(number) AS first FROM places GROUP BY id, place)
SELECT places.ordinal, places.number, places.place, places.id, other.place, other.times, own.times, other.first
FROM places JOIN counted AS own ON own.id = places.id AND own.place = places.place
    JOIN counted AS other ON other.id = places.id AND other.place <> places.place AND other.times >= own.times
ORDER BY places.ordinal, other.times DESC, places.place
"""  # noqa: S608 - our own names
_FLAG = (
    "UPDATE rows SET problem_code = ?, problem = ?, customer_id = NULL, subscription_id = NULL, entitlement_id = NULL "
    "WHERE ordinal = ?"
)
_VALID = "SELECT customer_id, subscription_id, entitlement_id FROM rows WHERE problem_code = '' ORDER BY ordinal"


@dataclass(frozen=True, slots=True)
class SwappedId:
    """A row one of whose ids belongs into another column."""

    number: int
    column: str
    value: str
    reason: str

    @property
    def description(self) -> str:
        """Return it as the results have it."""
        return f"{self.column} {self.reason}"


def flag_swapped_ids(folder: Path) -> list[SwappedId]:
    """Mark the rows of a journal as invalid that have an id in the wrong column, and return them in their order."""
    with closing(connect(folder / JOURNAL_NAME)) as connection:
        connection.execute(_MIXED)
        found = dict(_found(connection))
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_FLAG, ((CODE, one.description, ordinal) for ordinal, one in found.items()))
        connection.execute("COMMIT")
    return list(found.values())


def input_digest(folder: Path) -> str:
    """Return the digest of a journal's targets in their order, invalid rows left out."""
    digest = hashlib.sha256()
    with closing(connect(folder / JOURNAL_NAME)) as connection:
        for ids in connection.execute(_VALID):
            digest.update(Target(*ids).digest_line.encode())
    return digest.hexdigest()


def _found(connection: sqlite3.Connection) -> Iterator[tuple[int, SwappedId]]:
    last = 0
    for ordinal, number, place, value, other, others, own, first in connection.execute(_FOUND):
        if ordinal == last:
            # One reason is enough for a row.
            continue
        last = ordinal
        where = "this row" if first == number else f"row {first}"
        more = f" and {others - 1:,} more" if others > 1 else ""
        verdict = "it belongs there" if others > own else "one of the two is in the wrong column"
        yield ordinal, SwappedId(number, place, value, f"is also the {other} of {where}{more}: {verdict}")

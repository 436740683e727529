"""Which rows of a run other runs have taken over; rows go by their numbers, which a retry keeps.

Each statement reads all rows once: one per row would take minutes, and a journal has no index on the numbers.
"""

import sqlite3
from collections.abc import Sequence

from msgspec import json

# Only rows that could be sent are taken over.
TRANSFER = """
UPDATE rows SET handed_to = ? WHERE handed_to IS NULL AND problem_code = '' AND duplicate_of IS NULL
    AND number IN (SELECT value FROM json_each(?))
"""
_OWNERS = """
SELECT coalesce(handed_to, '') AS owner, json_group_array(number) FROM rows
WHERE handed_to IS NOT ? AND problem_code = '' AND duplicate_of IS NULL
    AND number IN (SELECT value FROM json_each(?))
GROUP BY owner
"""
_TRANSFERRED = "SELECT handed_to, count(*) FROM rows WHERE handed_to IS NOT NULL GROUP BY handed_to"
_NUMBERS = "SELECT json_group_array(number) FROM rows"


def as_json(numbers: Sequence[int]) -> str:
    """Return row numbers as a value for a statement."""
    return json.encode(numbers).decode()


def find_owners(connection: sqlite3.Connection, numbers: Sequence[int], taker: str) -> dict[str, list[int]]:
    """Return rows by the run that took them over, '' for this one, without those that ``taker`` has already."""
    rows = connection.execute(_OWNERS, (taker, as_json(numbers)))
    return {owner: json.decode(owned, type=list[int]) for owner, owned in rows}


def count_transferred(connection: sqlite3.Connection) -> dict[str, int]:
    """Return how many rows each other run has taken over."""
    return dict(connection.execute(_TRANSFERRED))


def row_numbers(connection: sqlite3.Connection) -> list[int]:
    """Return the numbers of all rows."""
    return json.decode(connection.execute(_NUMBERS).fetchone()[0], type=list[int])

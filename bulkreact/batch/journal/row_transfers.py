"""Which rows of a run other runs have taken over, by their numbers, which a retry keeps.

Each statement reads all rows once: one per row would take minutes, and a journal has no index on the numbers.
"""

import sqlite3
from collections.abc import Sequence

from msgspec import json

_OWNERS = """
SELECT coalesce(handed_to, '') AS owner, json_group_array(number) FROM rows
WHERE problem_code = '' AND duplicate_of IS NULL
    AND number IN (SELECT value FROM json_each(?))
GROUP BY owner
"""
_NUMBERS = "SELECT json_group_array(number) FROM rows"


def as_json(numbers: Sequence[int]) -> str:
    """Return row numbers as a value for a statement."""
    return json.encode(numbers).decode()


def find_owners(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[str, list[int]]:
    """Return rows by the run that took them over, '' for those that are still this run's."""
    rows = connection.execute(_OWNERS, (as_json(numbers),))
    return {owner: json.decode(owned, type=list[int]) for owner, owned in rows}


def row_numbers(connection: sqlite3.Connection) -> list[int]:
    """Return the numbers of all rows."""
    return json.decode(connection.execute(_NUMBERS).fetchone()[0], type=list[int])

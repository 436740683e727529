"""Reads what customers are called from the cells of a journal's rows."""

import json
import sqlite3
from collections.abc import Iterable, Iterator

# The first row that has a name counts.
_NAMES = """
SELECT customer_id, trim(json_extract(cells, :path)) AS name, min(ordinal) FROM rows
WHERE customer_id IS NOT NULL AND (:customers IS NULL OR customer_id IN (SELECT value FROM json_each(:customers)))
    AND name <> '' GROUP BY customer_id
"""

_NAME = """
SELECT trim(json_extract(cells, :path)) AS name FROM rows WHERE customer_id = :customer AND name <> ''
ORDER BY ordinal LIMIT 1
"""


def read_names(
    connection: sqlite3.Connection, column: int | None, customers: Iterable[str] | None = None
) -> Iterator[tuple[str, str]]:
    """Yield customers with the first cell of each in a column; all customers, if none are given."""
    if column is None:
        return
    chosen = None if customers is None else json.dumps(list(customers))
    rows = connection.execute(_NAMES, {"path": f"$[{column}]", "customers": chosen})
    yield from ((customer, name) for customer, name, _ in rows)


def read_name(connection: sqlite3.Connection, column: int | None, customer: str) -> str:
    """Return the first cell of a customer in a column that is not blank, empty if there is none."""
    row = (
        None if column is None else connection.execute(_NAME, {"path": f"$[{column}]", "customer": customer}).fetchone()
    )
    return row[0] if row else ""

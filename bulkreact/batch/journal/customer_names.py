"""Reads what customers are called from the cells of a journal's rows, and which have rows that did not end well."""

import json
import sqlite3
from collections.abc import Iterable, Iterator

from bulkreact.models import Status

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

# Few rows have such an outcome: the others are not looked up.
_AFFECTED = f"""
SELECT customer_id, count(*) FROM outcomes AS latest JOIN rows ON rows.ordinal = latest.ordinal
WHERE status IN ('{Status.FAILED}', '{Status.UNKNOWN}', '{Status.DEFERRED}', '{Status.PENDING}')
    AND latest.id = (SELECT max(id) FROM outcomes WHERE ordinal = latest.ordinal)
    AND handed_to IS NULL AND customer_id IS NOT NULL
GROUP BY customer_id ORDER BY 2 DESC, 1
"""  # noqa: S608 - our own names


def affected_customers(connection: sqlite3.Connection) -> Iterator[tuple[str, int]]:
    """Yield customers with how many of their rows failed or wait for another attempt, those with the most first."""
    yield from connection.execute(_AFFECTED)


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

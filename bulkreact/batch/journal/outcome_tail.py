"""Reads what a run has settled since the last look, at a cost that follows from what is new."""

import sqlite3
from collections.abc import Iterator
from itertools import starmap

from msgspec import Struct

from bulkreact.batch.journal.schema import IS_SPECIAL

# What an earlier session has left open counts only when it is settled.
_NEW = """
SELECT latest.id, latest.status, latest.code, answers.http_status, before.status, before.code, before_answer.http_status
FROM outcomes AS latest
LEFT JOIN answers ON answers.call = latest.call
LEFT JOIN outcomes AS before ON before.id = (
    SELECT max(id) FROM outcomes WHERE ordinal = latest.ordinal AND id < latest.id
) AND NOT (before.session < :session AND (before.reopen OR before.status IN ('deferred', 'not_attempted', 'unknown')))
LEFT JOIN answers AS before_answer ON before_answer.call = before.call
WHERE latest.id > :after
    AND NOT (latest.session < :session AND (latest.reopen OR latest.status IN ('deferred', 'not_attempted', 'unknown')))
ORDER BY latest.id
"""
_COUNTS = f"""
SELECT (SELECT coalesce(max(ordinal), 0) FROM rows), total(problem_code <> ''), total(duplicate_of IS NOT NULL),
    total(left_out)
FROM rows WHERE {IS_SPECIAL}
"""  # noqa: S608 - our own names
_PROBLEMS = f"SELECT problem_code, count(*) FROM rows WHERE ({IS_SPECIAL}) AND problem_code <> '' GROUP BY 1"  # noqa: S608 - our own names


class NewOutcome(Struct, frozen=True, gc=False):
    """An outcome, and the one of the same row that it replaces, if there was one that counted."""

    id: int
    status: str
    code: str
    http_status: int | None
    before_status: str | None
    before_code: str | None
    before_http_status: int | None


class InputCounts(Struct, frozen=True):
    """The rows of a run, those that are invalid (by their codes), duplicates, and those that a limit excludes."""

    rows: int
    invalid: int
    duplicate: int
    excluded: int
    problems: dict[str, int]


def new_outcomes(connection: sqlite3.Connection, after: int, session: int) -> Iterator[NewOutcome]:
    """Yield the outcomes after one, in their order; ``session`` is the present one."""
    return starmap(NewOutcome, connection.execute(_NEW, {"after": after, "session": session}))


def input_counts(connection: sqlite3.Connection) -> InputCounts:
    """Return the counts of the rows themselves."""
    rows, invalid, duplicate, excluded = map(int, connection.execute(_COUNTS).fetchone())
    return InputCounts(rows, invalid, duplicate, excluded, dict(connection.execute(_PROBLEMS)))

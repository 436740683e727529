"""Reads the rows and problems of an input that ``bulkreact plan --keep`` has left in a folder."""

import sqlite3
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec.json import Decoder

from bulkreact.batch.journal.journal_file import open_uri, unreadable
from bulkreact.batch.journal.row_pages import KeptRow, ProblemGroup, RowProblem
from bulkreact.batch.journal.schema import IS_SPECIAL
from bulkreact.batch.journal.text_search import like_pattern, ranges_with

ROWS_NAME = "rows.sqlite3"
_decode_cells = Decoder(tuple[str, ...]).decode
_VALID = "problem_code = '' AND duplicate_of IS NULL"
_SHOWN = {
    "problems": f"({IS_SPECIAL}) AND problem_code <> ''",
    "sent": _VALID,
    "duplicates": f"({IS_SPECIAL}) AND duplicate_of IS NOT NULL",
    "all": "1",
}
_PAGE = """
SELECT ordinal, number, CAST(cells AS BLOB), coalesce(customer_id, ''), coalesce(subscription_id, ''),
    coalesce(entitlement_id, ''), (SELECT number FROM rows AS earlier WHERE earlier.ordinal = rows.duplicate_of)
FROM rows WHERE ordinal > :after AND ordinal <= :until AND {shown}
    AND (:code = '' OR EXISTS (SELECT 1 FROM problems WHERE problems.ordinal = rows.ordinal AND code = :code))
    AND (:customer = '' OR customer_id = :customer) AND (:text = '' OR cells LIKE :text ESCAPE '~')
ORDER BY ordinal
"""
_PROBLEM = 'SELECT "row", "column", cell, value, code, reason, remedy FROM problems'
_GROUPS = """
SELECT code, count(DISTINCT ordinal), min(remedy) FROM problems GROUP BY code ORDER BY 2 DESC, min(ordinal)
"""
_EXAMPLES = f"{_PROBLEM} WHERE code = ? ORDER BY ordinal LIMIT ?"
_CUSTOMERS = f"""
SELECT customer_id, count(*) FROM rows WHERE {_VALID} GROUP BY customer_id ORDER BY 2 DESC, 1 LIMIT ?
"""  # noqa: S608 - our own names
_DEADLINES = f"""
SELECT min(deadline), total(deadline < :soon) FROM rows WHERE {_VALID} AND deadline >= :now
"""  # noqa: S608 - our own names


class KeptRows:
    """The rows that a check has left in a folder; JournalUnreadableError if they cannot be read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        try:
            self._connection = open_uri(self._folder / ROWS_NAME, "mode=ro&immutable=1")
        except sqlite3.Error as error:
            raise unreadable(self._folder, error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        if isinstance(error, sqlite3.Error):
            raise unreadable(self._folder, error) from error

    def problem_groups(self, *, examples: int) -> list[ProblemGroup]:
        """Return the problems by their codes, the most frequent first."""
        return [
            ProblemGroup(code, rows, remedy, self._problems(_EXAMPLES, code, examples))
            for code, rows, remedy in self._connection.execute(_GROUPS).fetchall()
        ]

    def problems_of(self, ordinal: int) -> tuple[RowProblem, ...]:
        """Return the problems of a row."""
        return self._problems(f"{_PROBLEM} WHERE ordinal = ?", ordinal)

    def all_problems(self) -> tuple[RowProblem, ...]:
        """Return all problems, in input order."""
        return self._problems(f"{_PROBLEM} ORDER BY ordinal")

    def customers(self, *, limit: int) -> list[tuple[str, int]]:
        """Return the customers with the most rows to be sent."""
        return [(customer, rows) for customer, rows in self._connection.execute(_CUSTOMERS, (limit,))]

    def deadlines(self, *, now: str, soon: str) -> tuple[str | None, int]:
        """Return the next deadline, and how many rows have theirs before ``soon``."""
        soonest, number = self._connection.execute(_DEADLINES, {"now": now, "soon": soon}).fetchone()
        return soonest, int(number)

    def page(self, show: str, *, code: str, customer: str, text: str, after: int, limit: int) -> list[KeptRow]:
        """Return the rows after an ordinal: ``problems``, ``sent``, ``duplicates`` or ``all``."""
        values = {"code": code, "customer": customer, "text": like_pattern(text)}
        rows = (
            row
            for begin, end in ranges_with(self._connection, text, after=after)
            for row in self._connection.execute(
                _PAGE.format(shown=_SHOWN[show]), {**values, "after": begin, "until": end}
            )
        )
        return [
            KeptRow(row[0], row[1], _decode_cells(row[2]), row[3], row[4], row[5], self.problems_of(row[0]), row[6])
            for row in islice(rows, limit)
        ]

    def _problems(self, sql: str, *values: str | int) -> tuple[RowProblem, ...]:
        return tuple(RowProblem(*row) for row in self._connection.execute(sql, values))

"""The problems of an input's rows, as a table beside the rows: for files of any size."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from msgspec.structs import astuple

from bulkreact.batch.journal.journal_file import JOURNAL_NAME
from bulkreact.batch.journal.row_pages import RowProblem
from bulkreact.batch.journal.writer import connect_sqlite

_COLUMNS = '"row", "column", cell, value, code, reason, remedy'
_TABLE = """
CREATE TABLE problems (
    ordinal INTEGER NOT NULL REFERENCES rows (ordinal),
    "row" INTEGER NOT NULL,
    "column" TEXT NOT NULL,
    cell TEXT NOT NULL,
    value TEXT NOT NULL,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,
    remedy TEXT NOT NULL
) STRICT
"""
# Its index serves rows only if their numbers have the same type on both sides.
_SPOOL = 'CREATE TEMP TABLE found ("row" INTEGER, "column", cell, value, code, reason, remedy)'
_FILL = f"INSERT INTO temp.found ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - our own names
# What was found in rows that are left out in the end, as totals are, has no row.
_MOVE = f"""
INSERT INTO problems (ordinal, {_COLUMNS})
SELECT ordinal, {_COLUMNS} FROM rows CROSS JOIN temp.found ON found."row" = rows.number
WHERE problem_code <> '' ORDER BY ordinal, found.rowid
"""  # noqa: S608 - our own names
_INDEX = "CREATE INDEX problems_of_row ON problems (ordinal)"
_READ = f"SELECT {_COLUMNS} FROM problems ORDER BY rowid LIMIT ?"  # noqa: S608 - our own names


def store_problems(folder: Path, problems: Iterable[RowProblem]) -> int:
    """Add a table of problems to the journal in a folder, in input order; return how many there are."""
    with closing(connect_sqlite(folder / JOURNAL_NAME)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(_TABLE)
        connection.execute(_SPOOL)
        connection.executemany(_FILL, map(astuple, problems))
        connection.execute('CREATE INDEX temp.found_of_row ON found ("row")')
        count = connection.execute(_MOVE).rowcount
        connection.execute(_INDEX)
        connection.execute("COMMIT")
        return count


def stored_problems(folder: Path, *, limit: int = -1) -> Iterator[RowProblem]:
    """Yield the problems in the journal in a folder, in input order."""
    with closing(connect_sqlite(folder / JOURNAL_NAME)) as connection:
        yield from (RowProblem(*problem) for problem in connection.execute(_READ, (limit,)))


def make_single_file(folder: Path) -> None:
    """Leave the journal in a folder without a log beside it, so that it can be moved."""
    with closing(sqlite3.connect(folder / JOURNAL_NAME)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")

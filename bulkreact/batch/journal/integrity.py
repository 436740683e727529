"""Checks that a journal is as it was written, before anything is sent, written or reported from it."""

import hashlib
import re
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from msgspec import MsgspecError

from bulkreact.batch.journal import schema
from bulkreact.batch.journal.checksums import checksum, checksum_sql
from bulkreact.batch.journal.journal_file import JOURNAL_NAME, damaged, not_accessible, read_only, unreadable
from bulkreact.batch.journal.metadata import load_metadata
from bulkreact.batch.journal.write_ahead_log import damage_of_log
from bulkreact.guids import GUID

_THREADS = 3
_CHUNK = 10_000
# The only index that a run makes while it is running.
_DEFINITIONS = f"""
SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema
WHERE name <> '{schema.CUSTOMERS_INDEX}' ORDER BY name
"""  # noqa: S608 - our own names
_ORDINALS = "SELECT count(*), coalesce(min(ordinal), 1), coalesce(max(ordinal), 0) FROM rows"
_DIGEST_LINES = """
SELECT iif(entitlement_id = '', 'subscription ', 'azure ') || customer_id || ' ' || subscription_id || ' ' ||
    entitlement_id || char(10)
FROM rows WHERE problem_code = '' ORDER BY ordinal
"""
_TARGETS = re.compile(rf"(?:(?:azure {GUID}|subscription {GUID}) {GUID} (?:{GUID})?\n)*+", re.ASCII)


def check_journal(folder: Path, *, threads: int = _THREADS) -> None:
    """Raise JournalDamagedError if a journal is not as it was written; one without checksums as far as that shows.

    JournalNotAccessibleError if it cannot be read.

    Takes about five seconds for a million rows that were all sent; ``threads``: in so many at a time.
    """
    try:
        if reason := damage_of_log(folder / JOURNAL_NAME):
            raise damaged(folder, reason)
        reason = _damage(folder, threads)
    except sqlite3.Error as error:
        raise unreadable(folder, error) from None
    except OSError as error:
        raise not_accessible(folder, error) from None
    except (MsgspecError, LookupError, ValueError) as error:
        raise damaged(folder, str(error)) from None
    if reason:
        raise damaged(folder, reason)


def definitions_checksum(connection: sqlite3.Connection) -> int:
    """Return the checksum of all tables and indexes of a journal, and where they begin."""
    return checksum(*(value for row in connection.execute(_DEFINITIONS) for value in row))


def _damage(folder: Path, threads: int) -> str:
    # SQLite needs no lock of Python for what it checks itself: in threads a million rows take 5 seconds instead of 7.
    with ThreadPoolExecutor(threads) as executor:
        checks = [executor.submit(_inspect, folder, find) for find in (_bad_page, _bad_record, _bad_reference)]
        return next(filter(None, (check.result() for check in checks)), "")


def _inspect(folder: Path, find: Callable[[sqlite3.Connection], str]) -> str:
    with closing(read_only(folder)) as connection:
        connection.execute("BEGIN")
        return find(connection)


def _bad_page(connection: sqlite3.Connection) -> str:
    (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    return "" if found == "ok" else str(found)


def _bad_reference(connection: sqlite3.Connection) -> str:
    found = connection.execute("PRAGMA foreign_key_check").fetchone()
    return "records refer to others that are missing" if found else ""


def _bad_record(connection: sqlite3.Connection) -> str:
    metadata = load_metadata(connection)
    rows, first, last = connection.execute(_ORDINALS).fetchone()
    if (first, last) != (1, rows):
        return "rows are missing"
    if schema.has_checksums(connection) and (reason := _mismatch(connection, rows)):
        return reason
    return "" if _digest(connection) == metadata.digest else "its rows are not those of the input"


def _mismatch(connection: sqlite3.Connection, rows: int) -> str:
    definitions, sealed_rows = connection.execute("SELECT definitions, rows FROM seal").fetchone()
    if definitions != definitions_checksum(connection):
        return "its tables are not as they were made"
    if rows != sealed_rows:
        return "rows are missing"
    for table, columns in schema.COLUMNS.items():
        if table in schema.LATER_TABLES and not schema.has_table(connection, table):
            continue
        sql = f"SELECT 1 FROM {table} NOT INDEXED WHERE checksum IS NOT {checksum_sql(table, columns)} LIMIT 1"  # noqa: S608 - our own names
        if connection.execute(sql).fetchone():
            return f"a record in {table} does not match its checksum"
    return ""


def _digest(connection: sqlite3.Connection) -> str:
    """Return the digest of the rows that could be sent, as of an input."""
    digest = hashlib.sha256()
    lines = connection.execute(_DIGEST_LINES)
    while chunk := lines.fetchmany(_CHUNK):
        text = "".join(line for (line,) in chunk)
        if not _TARGETS.fullmatch(text):
            # They become parts of paths.
            raise ValueError("an id is not a GUID")
        digest.update(text.encode())
    return digest.hexdigest()

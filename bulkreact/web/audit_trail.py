"""Appends lines to the audit trail in a server's record, and reads it without disturbing the server."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from msgspec import convert

from bulkreact.errors import InputRefusedError
from bulkreact.web.audit import FIRST, AuditLine, ChainCheck, ChainedLine, chain_hash
from bulkreact.web.jobs import WebJob
from bulkreact.web.records import Actor
from bulkreact.wording import describe_error

_NAMES = AuditLine.__struct_fields__
_APPEND = f"INSERT INTO audit VALUES ({', '.join('?' for _ in range(len(_NAMES) + 2))})"  # noqa: S608 - our own names
_NUMBERS = frozenset({"number", "job", "version"})
# Whoever has written to the file may have made another table, with values of any type.
_ALL = ", ".join(
    f"CAST({name} AS INTEGER)" if name in _NUMBERS else f"coalesce(CAST({name} AS TEXT), '')"
    for name in (*_NAMES, "before", "hash")
)
_HAS_SEQUENCES = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence')"
_SEQUENCE = "SELECT coalesce(max(CAST(seq AS INTEGER)), 0) FROM sqlite_sequence WHERE name = 'audit'"
_SELECT = f"SELECT {_ALL} FROM audit ORDER BY number"  # noqa: S608 - our own names


def append_line(
    connection: sqlite3.Connection, actor: Actor, job: WebJob | None, event: str, detail: str, now: str
) -> str:
    """Append a line in the transaction of what it is about; return the new head."""
    number, before = _last(connection)
    about, version = (job.number, job.version) if job else (None, None)
    line = AuditLine(number + 1, now, actor.id, actor.name, actor.address, about, version, event, detail)
    head = chain_hash(before, line)
    connection.execute(_APPEND, (*(getattr(line, name) for name in _NAMES), before, head))
    return head


def read_head(connection: sqlite3.Connection) -> str:
    """Return the hash of the last line."""
    return _last(connection)[1]


def _last(connection: sqlite3.Connection) -> tuple[int, str]:
    row = connection.execute("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1").fetchone()
    return (int(row[0]), str(row[1])) if row else (0, FIRST)


def _read_highest(connection: sqlite3.Connection) -> int:
    """Return the highest number that a line has had: whoever only removes the last ones forgets that SQLite keeps it."""
    (has_sequences,) = connection.execute(_HAS_SEQUENCES).fetchone()
    return int(connection.execute(_SEQUENCE).fetchone()[0]) if has_sequences else 0


def check_trail(path: Path, known_head: str, show: Callable[[ChainedLine], None]) -> ChainCheck:
    """Read the trail of a record from its first line on, show each line, and return whether the chain is whole.

    InputRefusedError if there is nothing that can be read.
    """
    check = ChainCheck(known_head)
    # Of a record without a log SQLite would make one, which the server's user could perhaps not write.
    at_rest = not path.with_name(f"{path.name}-wal").exists()
    address = f"{path.absolute().as_uri()}?{'immutable=1' if at_rest else 'mode=ro'}"
    try:
        with closing(sqlite3.connect(address, uri=True)) as connection:
            connection.text_factory = lambda content: content.decode("utf-8", "replace")
            # Before the lines, of which the server may append others meanwhile.
            highest = _read_highest(connection)
            for row in connection.execute(_SELECT):
                stored = ChainedLine(convert(row[:-2], AuditLine), *row[-2:])
                check.add(stored)
                show(stored)
            if highest >= check.next_number:
                check.break_off()
    except sqlite3.OperationalError as error:
        raise InputRefusedError(f"{path} has no audit trail that can be read: {describe_error(error)}.") from None
    except sqlite3.DatabaseError:
        check.break_off()
    return check

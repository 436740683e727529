"""Counts the steps of SQLite's virtual machine: the same on every machine, however busy it is."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

_EVERY = 100


@dataclass(slots=True)
class SqliteSteps:
    """How many hundreds of steps all connections took that were opened meanwhile."""

    hundreds: int = 0


@contextmanager
def counting_steps() -> Iterator[SqliteSteps]:
    """Count the steps of every connection that this process opens within the context."""
    steps, connect = SqliteSteps(), sqlite3.connect

    def add() -> int:
        steps.hundreds += 1
        return 0

    def counting(database: str, **options: object) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(database, **options)  # type: ignore[call-overload]
        connection.set_progress_handler(add, _EVERY)
        return connection

    with patch.object(sqlite3, "connect", counting):
        yield steps

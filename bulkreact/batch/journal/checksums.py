"""Checksums of what a database of ours records: each record has one, over all its values."""

import sqlite3
from collections.abc import Iterable
from zlib import crc32

from msgspec.msgpack import Encoder

Value = str | int | float | None
Stored = Value | bytes
# CRC-32 finds every single changed bit; MessagePack keeps apart what SQLite does, in a third of the time of repr().
_encode = Encoder().encode


def checksum(*values: Stored) -> int:
    """Return the checksum of a record's values, as SQLite returns them: no booleans, no enumeration members."""
    return crc32(_encode(values))


def checksum_of(values: tuple[Value, ...]) -> int:
    """Return the checksum of a record's values."""
    return crc32(_encode(values))


def checksums_of(records: Iterable[tuple[Value, ...]]) -> Iterable[int]:
    """Return the checksums of records."""
    return map(crc32, map(_encode, records))


def with_checksum(values: tuple[Value, ...]) -> tuple[Value, ...]:
    """Return a record's values with their checksum behind them."""
    return (*values, checksum_of(values))


def checksum_sql(table: str, columns: Iterable[str], **changed: str) -> str:
    """Return the expression for a record's checksum; ``changed`` are expressions for values that a statement changes."""
    return f"checksum({', '.join(changed.get(column, f'{table}.{column}') for column in columns)})"


def add_function(connection: sqlite3.Connection) -> None:
    """Let statements of a connection compute checksums."""
    connection.create_function("checksum", -1, checksum, deterministic=True)

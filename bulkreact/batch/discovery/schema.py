"""The database of a discovery's progress: its tables, and how it is created, opened and deleted."""

import os
import sqlite3
from pathlib import Path

from bulkreact.batch.journal.writer import connect_sqlite
from bulkreact.models import Kind

_VERSION = 2
_TABLES = f"""
CREATE TABLE listing (one INTEGER PRIMARY KEY CHECK (one = 1), listed_at TEXT, without_id INTEGER NOT NULL) STRICT;
INSERT INTO listing VALUES (1, NULL, 0);
CREATE TABLE customers (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE COLLATE NOCASE,
    name TEXT NOT NULL,
    position INTEGER NOT NULL,
    pass INTEGER NOT NULL,
    read_at TEXT,
    without_id INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX customers_by_position ON customers (position);
CREATE TABLE entries (
    customer INTEGER NOT NULL REFERENCES customers (key),
    position INTEGER NOT NULL,
    subscription_id TEXT NOT NULL COLLATE NOCASE,
    entitlement_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('{Kind.AZURE}', '{Kind.SUBSCRIPTION}') AND (kind = '{Kind.AZURE}') = (entitlement_id <> '')),
    name TEXT NOT NULL,
    offer TEXT NOT NULL,
    status TEXT NOT NULL,
    deadline TEXT NOT NULL,
    azure_plan INTEGER NOT NULL CHECK (azure_plan IN (0, 1)),
    PRIMARY KEY (customer, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX entries_by_subscription ON entries (customer, subscription_id);
CREATE TABLE failures (
    customer INTEGER NOT NULL REFERENCES customers (key),
    subscription_id TEXT NOT NULL,
    transient INTEGER NOT NULL CHECK (transient IN (0, 1)),
    http_status INTEGER,
    code TEXT NOT NULL,
    description TEXT NOT NULL,
    request_id TEXT NOT NULL,
    correlation_id TEXT NOT NULL
) STRICT;
CREATE TABLE selected (
    customer_id TEXT NOT NULL COLLATE NOCASE,
    subscription_id TEXT NOT NULL COLLATE NOCASE,
    PRIMARY KEY (customer_id, subscription_id)
) STRICT, WITHOUT ROWID;
PRAGMA user_version = {_VERSION};
"""  # noqa: S608 - our own words
# From version 1, which had other names.
_STEP = f"""
ALTER TABLE listing RENAME COLUMN nameless TO without_id;
ALTER TABLE customers RENAME COLUMN nameless TO without_id;
ALTER TABLE customers RENAME COLUMN place TO position;
ALTER TABLE troubles RENAME COLUMN passing TO transient;
ALTER TABLE troubles RENAME TO failures;
ALTER TABLE wanted RENAME TO selected;
PRAGMA user_version = {_VERSION};
"""


def delete(path: Path) -> None:
    """Delete the database and what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)


def open_database(path: Path) -> sqlite3.Connection:
    """Open the database, and create it if it is missing; raises sqlite3.Error or OSError."""
    if not path.exists():
        # Only the user may read the names of their customers.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    connection = connect_sqlite(path)
    try:
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} COMMIT;")
    elif version == 1:
        connection.executescript(f"BEGIN IMMEDIATE; {_STEP} COMMIT;")
    elif version != _VERSION:
        raise sqlite3.DatabaseError("another version of bulkreact has made it")

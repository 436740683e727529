"""The durable progress of a discovery: which customers there are, and what was read of each, whole or not at all."""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import astuple
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from bulkreact.batch.discovery.findings import FoundTarget, ReadFailure
from bulkreact.batch.journal.writer import Statement, connect
from bulkreact.errors import AlreadyRunningError, InputRefusedError
from bulkreact.models import Discovered, Kind
from bulkreact.partnercenter.paging import CustomerEntry
from bulkreact.timestamps import iso

# What was read earlier is read again: statuses change.
KEPT_FOR = timedelta(hours=12)
_VERSION = 1
_BATCH = 1000
_TABLES = f"""
CREATE TABLE listing (one INTEGER PRIMARY KEY CHECK (one = 1), listed_at TEXT, nameless INTEGER NOT NULL) STRICT;
INSERT INTO listing VALUES (1, NULL, 0);
CREATE TABLE customers (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE COLLATE NOCASE,
    name TEXT NOT NULL,
    place INTEGER NOT NULL,
    pass INTEGER NOT NULL,
    read_at TEXT,
    nameless INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX customers_by_place ON customers (place);
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
CREATE TABLE troubles (
    customer INTEGER NOT NULL REFERENCES customers (key),
    subscription_id TEXT NOT NULL,
    passing INTEGER NOT NULL CHECK (passing IN (0, 1)),
    http_status INTEGER,
    code TEXT NOT NULL,
    description TEXT NOT NULL,
    request_id TEXT NOT NULL,
    correlation_id TEXT NOT NULL
) STRICT;
CREATE TABLE wanted (
    customer_id TEXT NOT NULL COLLATE NOCASE,
    subscription_id TEXT NOT NULL COLLATE NOCASE,
    PRIMARY KEY (customer_id, subscription_id)
) STRICT, WITHOUT ROWID;
PRAGMA user_version = {_VERSION};
"""  # noqa: S608 - our own words
_LIST = """
INSERT INTO customers (id, name, place, pass) VALUES (?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, place = excluded.place, pass = excluded.pass
WHERE pass <> excluded.pass
"""
_FORGET = "DELETE FROM {} WHERE customer IN (SELECT key FROM customers WHERE {})"


class DiscoveryStore:
    """An open store of progress, held by this process alone; what was read too long ago is forgotten at once."""

    def __init__(self, path: Path, *, now: datetime, ignore_cache: bool = False) -> None:
        self.path = path
        self._lock = FileLock(path.with_name(f"{path.name}.lock"), mode=0o600)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(blocking=False)
        except Timeout:
            raise AlreadyRunningError(
                f"Another process works on the same discovery ({path}). Wait until it has ended, then try again."
            ) from None
        except OSError as error:
            raise InputRefusedError(
                f"The reports folder {path.parent} cannot be written: {error.strerror}. Choose another with --reports."
            ) from None
        try:
            if ignore_cache:
                _discard(path)
            self.connection = _opened(path)
            self._forget(iso(now - KEPT_FOR))
        except (sqlite3.Error, OSError) as error:
            self._lock.release()
            raise InputRefusedError(
                f"The progress of an earlier discovery, {path}, cannot be read: {error}. Begin anew with --new."
            ) from None
        self.pass_number = 1 + self._one("SELECT coalesce(max(pass), 0) FROM customers")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()
        self._lock.release()

    @property
    def is_listed(self) -> bool:
        """Tell whether it is known which customers there are."""
        return bool(self._one("SELECT count(*) FROM listing WHERE listed_at IS NOT NULL"))

    @property
    def customer_count(self) -> int:
        """Return how many customers are known."""
        return self._one("SELECT count(*) FROM customers")

    @property
    def unread_count(self) -> int:
        """Return how many customers were not read, or not completely."""
        return self._one("SELECT count(*) FROM customers WHERE read_at IS NULL")

    @property
    def has_transient_failures(self) -> bool:
        """Tell whether some of what is missing may be had later: trouble that passes, or what was not come to."""
        open_ended = (
            "SELECT count(*) FROM customers WHERE read_at IS NULL AND key NOT IN (SELECT customer FROM troubles)"
        )
        return bool(self._one(open_ended) or self._one("SELECT count(*) FROM troubles WHERE passing"))

    @property
    def without_id(self) -> int:
        """Return how many entries of lists had no id that could be used."""
        return self._one("SELECT (SELECT nameless FROM listing) + total(nameless) FROM customers")

    @property
    def oldest_read_at(self) -> str:
        """Return when the customer was read whose reading is the oldest, empty when none was."""
        return str(self.connection.execute("SELECT coalesce(min(read_at), '') FROM customers").fetchone()[0])

    def set_customers(self, ids: Iterable[str], wanted: Iterable[tuple[str, str]], *, now: datetime) -> None:
        """Settle which customers there are, without asking; and which of their subscriptions alone are ``wanted``."""
        self.connection.execute("BEGIN IMMEDIATE")
        entries = ((one, "", place, self.pass_number) for place, one in enumerate(ids, 1))
        self.connection.executemany(_LIST, entries)
        self.connection.executemany("INSERT OR IGNORE INTO wanted VALUES (?, ?)", wanted)
        for sql, values in self.listed_statements(now):
            self.connection.execute(sql, values)
        self.connection.execute("COMMIT")

    def wanted(self, customer_id: str) -> frozenset[str]:
        """Return the subscriptions of a customer that are wanted, in lower case."""
        found = self.connection.execute(
            "SELECT lower(subscription_id) FROM wanted WHERE customer_id = ?", (customer_id,)
        )
        return frozenset(one for (one,) in found)

    # What the walk commits.

    def page_statements(self, entries: Iterable[CustomerEntry], *, after: int, without_id: int) -> list[Statement]:
        """Return what takes in a page of customers, of whom so many came before."""
        statements: list[Statement] = [
            (_LIST, (one.id, one.name, place, self.pass_number)) for place, one in enumerate(entries, after + 1)
        ]
        return [*statements, ("UPDATE listing SET nameless = nameless + ?", (without_id,))]

    def listed_statements(self, now: datetime) -> list[Statement]:
        """Return what takes note that all customers are known: others are so no longer."""
        gone = f"pass <> {self.pass_number}"
        return [
            (_FORGET.format("entries", gone), ()),
            (_FORGET.format("troubles", gone), ()),
            (f"DELETE FROM customers WHERE {gone}", ()),  # noqa: S608 - our own number
            ("UPDATE listing SET listed_at = ?", (iso(now),)),
        ]

    def read_statements(
        self, key: int, found: Iterable[FoundTarget], troubles: Iterable[ReadFailure], *, without_id: int, now: datetime
    ) -> list[Statement]:
        """Return what takes in all that was read of a customer, in place of what was known before."""
        statements: list[Statement] = [
            ("DELETE FROM entries WHERE customer = ?", (key,)),
            ("DELETE FROM troubles WHERE customer = ?", (key,)),
        ]
        statements.extend(
            ("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (key, position, *astuple(one)))
            for position, one in enumerate(found)
        )
        met = [("INSERT INTO troubles VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (key, *astuple(one))) for one in troubles]
        read = (
            "UPDATE customers SET read_at = ?, nameless = ? WHERE key = ?",
            (None if met else iso(now), without_id, key),
        )
        return [*statements, *met, read]

    # What it has come to.

    def rows(self) -> Iterator[Discovered]:
        """Yield all that was found, customer by customer as they were listed, parents before children."""
        found = self.connection.execute(
            "SELECT id, subscription_id, entitlement_id, kind, customers.name, entries.name, offer, status, deadline "
            "FROM customers JOIN entries ON customer = key ORDER BY place, position"
        )
        return (Discovered(*row) for row in found)

    def find_targets(self, customer_id: str, subscription_id: str) -> list[FoundTarget]:
        """Return a subscription of a customer and what is below it; empty when it was not found."""
        found = self.connection.execute(
            "SELECT subscription_id, entitlement_id, kind, entries.name, offer, status, deadline, azure_plan "
            "FROM customers JOIN entries ON customer = key WHERE id = ? AND subscription_id = ? ORDER BY position",
            (customer_id, subscription_id),
        )
        return [FoundTarget(*row) for row in found]

    def unread_customers(self) -> Iterator[tuple[str, str, ReadFailure | None]]:
        """Yield id, name and trouble of the customers who could not be read; None for those not come to."""
        found = self.connection.execute(
            "SELECT id, name, subscription_id, passing, http_status, code, description, request_id, correlation_id "
            "FROM customers LEFT JOIN troubles ON customer = key WHERE read_at IS NULL ORDER BY place, troubles.rowid"
        )
        for customer_id, name, subscription_id, passing, *rest in found:
            none = subscription_id is None
            yield customer_id, name, None if none else ReadFailure(subscription_id, bool(passing), *rest)

    def remove(self) -> None:
        """Remove it: all is done."""
        self.connection.close()
        _discard(self.path)
        self._lock.release()
        self.path.with_name(f"{self.path.name}.lock").unlink(missing_ok=True)

    def _forget(self, before: str) -> None:
        # What could not be read, or not completely, is tried again.
        old = f"read_at IS NULL OR read_at < '{before}'"
        self.connection.execute("BEGIN IMMEDIATE")
        for table in ("entries", "troubles"):
            self.connection.execute(_FORGET.format(table, old))
        self.connection.execute("UPDATE customers SET read_at = NULL WHERE read_at < ?", (before,))
        self.connection.execute(
            "UPDATE listing SET listed_at = NULL, nameless = 0 WHERE listed_at IS NULL OR listed_at < ?", (before,)
        )
        self.connection.execute("COMMIT")

    def _one(self, sql: str) -> int:
        return int(self.connection.execute(sql).fetchone()[0])


class UnreadCustomers:
    """The customers that are still to be read, as the queue wants them; each is handed out once."""

    def __init__(self, gathering: DiscoveryStore) -> None:
        self._gathering = gathering

    def customers(self) -> Iterator[str]:
        """Yield their ids in the order of the list."""
        place = 0
        while found := self._gathering.connection.execute(
            "SELECT id, place FROM customers WHERE read_at IS NULL AND place > ? ORDER BY place LIMIT ?",
            (place, _BATCH),
        ).fetchall():
            yield from (one for one, _ in found)
            place = found[-1][1]

    def key(self, customer_id: str) -> int:
        """Return what a customer is called in the store."""
        sql = "SELECT key FROM customers WHERE id = ?"
        return int(self._gathering.connection.execute(sql, (customer_id,)).fetchone()[0])


def _discard(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        path.with_name(f"{path.name}{ending}").unlink(missing_ok=True)


def _opened(path: Path) -> sqlite3.Connection:
    if not path.exists():
        # Somebody's customers: nobody else's business.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    connection = connect(path)
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
    elif version != _VERSION:
        raise sqlite3.DatabaseError("another version of bulkreact has made it")

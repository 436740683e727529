"""The durable progress of a discovery: the customers, and for each either everything read or nothing."""

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from filelock import Timeout
from msgspec.structs import astuple

from bulkreact.batch.discovery.listing import FoundTarget, ReadFailure
from bulkreact.batch.discovery.schema import delete, open_database
from bulkreact.batch.journal.writer import Statement
from bulkreact.batch.locks import RemovableLock
from bulkreact.errors import AlreadyRunningError, InputRefusedError
from bulkreact.file_access import foreign_access
from bulkreact.models import Discovered
from bulkreact.partnercenter.paging import CustomerEntry
from bulkreact.timestamps import iso_milliseconds
from bulkreact.wording import DescribedError, describe_error

# Older reads are repeated: statuses change.
STORED_FOR = timedelta(hours=12)
_GUARD = ".discover.lock"
_BATCH = 1000
_INSERT_CUSTOMER = """
INSERT INTO customers (id, name, position, pass) VALUES (?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, position = excluded.position, pass = excluded.pass
WHERE pass <> excluded.pass
"""
_DELETE = "DELETE FROM {} WHERE customer IN (SELECT key FROM customers WHERE {})"


class DiscoveryStore:
    """An open discovery store, locked by this process; opening it deletes outdated reads.

    ``list_failure`` is what the list of customers lacked when this process read it: it is read again next time.
    """

    def __init__(self, path: Path, *, now: datetime, ignore_cache: bool = False) -> None:
        self.path = path
        self.list_failure: ReadFailure | None = None
        self._lock = RemovableLock(path.with_name(f"{path.name}.lock"), path.with_name(_GUARD))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout:
            raise AlreadyRunningError(
                f"Another process works on the same discovery ({path}). Wait until it ends, then try again."
            ) from None
        except OSError as error:
            raise InputRefusedError(
                f"The reports folder {path.parent} cannot be written: {error.strerror}. Choose another with --reports."
            ) from None
        try:
            if ignore_cache:
                delete(path)
            if path.exists() and (reason := foreign_access(path)):
                # What it says was found would be run.
                raise DescribedError(reason)
            self.connection = open_database(path)
            self._delete_old(iso_milliseconds(now - STORED_FOR), iso_milliseconds(now))
            self._pass_number = 1 + self._value("SELECT coalesce(max(pass), 0) FROM customers")
        except (sqlite3.Error, OSError) as error:
            self._lock.release()
            raise _unreadable(path, error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self.connection.close()
        self._lock.release()
        if isinstance(error, sqlite3.Error):
            raise _unreadable(self.path, error) from error

    @property
    def is_listed(self) -> bool:
        """Return whether the list of customers is complete."""
        return bool(self._count("FROM listing WHERE listed_at IS NOT NULL"))

    @property
    def customer_count(self) -> int:
        """Return how many customers were listed."""
        return self._count("FROM customers")

    @property
    def unread_count(self) -> int:
        """Return how many customers were not read completely."""
        return self._count("FROM customers WHERE read_at IS NULL")

    @property
    def partly_read_count(self) -> int:
        """Return how many customers were read in part."""
        return self._count("FROM customers WHERE read_at IS NULL AND key IN (SELECT customer FROM entries)")

    @property
    def has_transient_failures(self) -> bool:
        """Return whether a later read may find more: there was a transient failure, or a customer was not reached."""
        if self.list_failure and self.list_failure.transient:
            return True
        not_reached = "read_at IS NULL AND key NOT IN (SELECT customer FROM failures)"
        return bool(self._count(f"FROM customers WHERE {not_reached}") or self._count("FROM failures WHERE transient"))

    @property
    def without_id(self) -> int:
        """Return how many list entries had no usable id."""
        return self._value("SELECT (SELECT without_id FROM listing) + total(without_id) FROM customers")

    @property
    def oldest_read_at(self) -> str:
        """Return the time of the oldest stored read, empty if there is none."""
        return str(self.connection.execute("SELECT coalesce(min(read_at), '') FROM customers").fetchone()[0])

    def set_customers(self, ids: Iterable[str], subscriptions: Iterable[tuple[str, str]], *, now: datetime) -> None:
        """Set the list of customers and, optionally, the only subscriptions to read for them."""
        entries = [CustomerEntry(customer_id, "") for customer_id in ids]
        statements = [
            *self.page_statements(entries, after=0, without_id=0),
            *(("INSERT OR IGNORE INTO selected VALUES (?, ?)", pair) for pair in subscriptions),
            *self.listed_statements(now),
        ]
        self.connection.execute("BEGIN IMMEDIATE")
        for sql, values in statements:
            self.connection.execute(sql, values)
        self.connection.execute("COMMIT")

    def unread_ids(self) -> Iterator[str]:
        """Yield the ids of the unread customers, in list order."""
        position = 0
        sql = "SELECT id, position FROM customers WHERE read_at IS NULL AND position > ? ORDER BY position LIMIT ?"
        while rows := self.connection.execute(sql, (position, _BATCH)).fetchall():
            yield from (customer_id for customer_id, _ in rows)
            position = rows[-1][1]

    def key(self, customer_id: str) -> int:
        """Return the key of a customer."""
        return int(self.connection.execute("SELECT key FROM customers WHERE id = ?", (customer_id,)).fetchone()[0])

    def selected_subscriptions(self, customer_id: str) -> frozenset[str]:
        """Return the only subscriptions of a customer to read, in lower case."""
        sql = "SELECT lower(subscription_id) FROM selected WHERE customer_id = ?"
        return frozenset(subscription_id for (subscription_id,) in self.connection.execute(sql, (customer_id,)))

    def page_statements(self, entries: Iterable[CustomerEntry], *, after: int, without_id: int) -> list[Statement]:
        """Return the statements that insert a page of customers at a position."""
        statements: list[Statement] = [
            (_INSERT_CUSTOMER, (entry.id, entry.name, position, self._pass_number))
            for position, entry in enumerate(entries, after + 1)
        ]
        return [*statements, ("UPDATE listing SET without_id = without_id + ?", (without_id,))]

    def listed_statements(self, now: datetime) -> list[Statement]:
        """Return the statements that complete the list and delete customers that are no longer in it."""
        gone = f"pass <> {self._pass_number}"
        return [
            (_DELETE.format("entries", gone), ()),
            (_DELETE.format("failures", gone), ()),
            (f"DELETE FROM customers WHERE {gone}", ()),  # noqa: S608 - our own number
            ("UPDATE listing SET listed_at = ?", (iso_milliseconds(now),)),
        ]

    def read_statements(
        self,
        key: int,
        targets: Iterable[FoundTarget],
        failures: Iterable[ReadFailure],
        *,
        without_id: int,
        now: datetime,
    ) -> list[Statement]:
        """Return the statements that replace what is stored of a customer."""
        statements: list[Statement] = [
            ("DELETE FROM entries WHERE customer = ?", (key,)),
            ("DELETE FROM failures WHERE customer = ?", (key,)),
        ]
        statements.extend(
            ("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (key, position, *astuple(target)))
            for position, target in enumerate(targets)
        )
        failed = [
            ("INSERT INTO failures VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (key, *astuple(failure))) for failure in failures
        ]
        read = (
            "UPDATE customers SET read_at = ?, without_id = ? WHERE key = ?",
            (None if failed else iso_milliseconds(now), without_id, key),
        )
        return [*statements, *failed, read]

    def rows(self) -> Iterator[Discovered]:
        """Yield everything found, customer by customer in list order, parents before children."""
        rows = self.connection.execute(
            "SELECT id, subscription_id, entitlement_id, kind, customers.name, entries.name, offer, status, deadline "
            "FROM customers JOIN entries ON customer = key ORDER BY customers.position, entries.position"
        )
        return (Discovered(*row) for row in rows)

    def find_targets(self, customer_id: str, subscription_id: str) -> list[FoundTarget]:
        """Return a subscription of a customer and its entitlements; empty if it was not found."""
        rows = self.connection.execute(
            "SELECT subscription_id, entitlement_id, kind, entries.name, offer, status, deadline, azure_plan "
            "FROM customers JOIN entries ON customer = key WHERE id = ? AND subscription_id = ? ORDER BY entries.position",
            (customer_id, subscription_id),
        )
        return [FoundTarget(*row) for row in rows]

    def unread_customers(self) -> Iterator[tuple[str, str, ReadFailure | None]]:
        """Yield id, name and failure of the customers that could not be read; None for those not reached."""
        rows = self.connection.execute(
            "SELECT id, name, subscription_id, transient, http_status, code, description, request_id, correlation_id "
            "FROM customers LEFT JOIN failures ON customer = key WHERE read_at IS NULL ORDER BY position, failures.rowid"
        )
        for customer_id, name, subscription_id, transient, *rest in rows:
            failed = subscription_id is not None
            yield customer_id, name, ReadFailure(subscription_id, bool(transient), *rest) if failed else None

    def remove(self) -> None:
        """Delete the files: the discovery is complete."""
        self.connection.close()
        delete(self.path)
        self._lock.remove()

    def _delete_old(self, before: str, after: str) -> None:
        # Customers that were not read completely are read again. A time in the future came from a wrong clock.
        old = f"read_at IS NULL OR read_at < '{before}' OR read_at > '{after}'"
        self.connection.execute("BEGIN IMMEDIATE")
        for table in ("entries", "failures"):
            self.connection.execute(_DELETE.format(table, old))
        self.connection.execute(f"UPDATE customers SET read_at = NULL WHERE {old}")  # noqa: S608 - our own times
        old_list = old.replace("read_at", "listed_at")
        self.connection.execute(f"UPDATE listing SET listed_at = NULL, without_id = 0 WHERE {old_list}")  # noqa: S608 - see above
        self.connection.execute("COMMIT")

    def _count(self, source: str) -> int:
        return self._value(f"SELECT count(*) {source}")

    def _value(self, sql: str) -> int:
        return int(self.connection.execute(sql).fetchone()[0])


def is_discovering(reports: Path) -> bool:
    """Return whether a process reads customers in a reports folder."""
    locks = reports.glob("discover-*.sqlite3.lock")
    return any(RemovableLock(lock, lock.with_name(_GUARD)).is_held() for lock in locks)


def read_stored(reports: Path, now: datetime) -> Iterator[Discovered]:
    """Yield what unfinished discoveries in a reports folder have read so far."""
    for path in reports.glob("discover-*.sqlite3"):
        with DiscoveryStore(path, now=now) as store:
            yield from store.rows()


def _unreadable(path: Path, error: Exception) -> InputRefusedError:
    return InputRefusedError(
        f"The progress of an earlier discovery, {path}, cannot be read: {describe_error(error)}. Start again with --new."
    )

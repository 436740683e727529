"""The durable progress of a discovery: complete customers, in order, and nothing that is too old."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bulkreact.batch.discovery.listing import FoundTarget, ReadFailure
from bulkreact.batch.discovery.store import STORED_FOR, DiscoveryStore
from bulkreact.batch.journal.writer import Statement
from bulkreact.errors import AlreadyRunningError, InputRefusedError
from bulkreact.models import Kind
from bulkreact.partnercenter.paging import CustomerEntry
from tests.support.ids import guid

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FAILURE = ReadFailure("", True, 503, "http-503", "words", guid(8), guid(9))


def target(number: int, entitlement: str = "") -> FoundTarget:
    kind = Kind.AZURE if entitlement else Kind.SUBSCRIPTION
    return FoundTarget(guid(number), entitlement, kind, "name", "offer", "suspended", "", azure_plan=bool(entitlement))


def commit(store: DiscoveryStore, statements: Iterable[Statement]) -> None:
    for sql, values in statements:
        store.connection.execute(sql, values)


def record_listing(store: DiscoveryStore, *numbers: int, now: datetime = NOW) -> None:
    entries = [CustomerEntry(guid(number), f"name {number}") for number in numbers]
    commit(store, [*store.page_statements(entries, after=0, without_id=0), *store.listed_statements(now)])


def read(
    store: DiscoveryStore,
    number: int,
    *entries: FoundTarget,
    failure: ReadFailure | None = None,
    now: datetime = NOW,
) -> None:
    key = store.key(guid(number))
    failures = [failure] if failure else []
    commit(store, store.read_statements(key, entries, failures, without_id=0, now=now))


def test_customers_come_in_the_order_of_the_list_and_whole(tmp_path: Path) -> None:
    with DiscoveryStore(tmp_path / "x.sqlite3", now=NOW) as store:
        assert not store.is_listed
        record_listing(store, 3, 1, 2)
        read(store, 1, target(11), target(11, guid(111)))
        read(store, 3, target(31))
        read(store, 1, target(12))
        assert [row.subscription_id for row in store.rows()] == [guid(31), guid(12)]
        assert list(store.unread_ids()) == [guid(2)]
        assert [(customer_id, name) for customer_id, name, _ in store.unread_customers()] == [(guid(2), "name 2")]
        assert store.has_transient_failures


def test_what_was_read_too_long_ago_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    with DiscoveryStore(path, now=NOW) as store:
        record_listing(store, 1, 2, 3)
        read(store, 1, target(11), now=NOW)
        read(store, 2, target(21), now=NOW + timedelta(hours=1))
        read(store, 3, target(31), failure=FAILURE, now=NOW + timedelta(hours=1))
    with DiscoveryStore(path, now=NOW + STORED_FOR) as store:
        assert store.is_listed
        assert list(store.unread_ids()) == [guid(3)]
    with DiscoveryStore(path, now=NOW + STORED_FOR + timedelta(minutes=1)) as store:
        assert not store.is_listed
        assert list(store.unread_ids()) == [guid(1), guid(3)]
        assert [row.subscription_id for row in store.rows()] == [guid(21)]
        # The list has changed meanwhile: what is no longer in it is forgotten.
        record_listing(store, 4, 1, now=NOW + STORED_FOR)
        assert list(store.unread_ids()) == [guid(4), guid(1)]
        assert list(store.rows()) == []


def test_a_list_that_was_not_read_to_its_end_is_read_from_the_start(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    with DiscoveryStore(path, now=NOW) as store:
        commit(store, store.page_statements([CustomerEntry(guid(7), "")], after=0, without_id=3))
    with DiscoveryStore(path, now=NOW) as store:
        assert not store.is_listed
        record_listing(store, 1, 2)
        assert list(store.unread_ids()) == [guid(1), guid(2)]
        assert store.without_id == 0


def test_a_customer_is_known_by_id_whatever_its_case(tmp_path: Path) -> None:
    with DiscoveryStore(tmp_path / "x.sqlite3", now=NOW) as store:
        page = [CustomerEntry(guid(0xAB).upper(), "first"), CustomerEntry(guid(0xAB), "second")]
        commit(store, [*store.page_statements(page, after=0, without_id=0), *store.listed_statements(NOW)])
        assert store.customer_count == 1
        read(store, 0xAB, target(11), target(11, guid(111)))
        assert len(store.find_targets(guid(0xAB), guid(11).upper())) == 2
        assert [row.customer_name for row in store.rows()] == ["first", "first"]


def test_one_process_locks_it_and_removes_it(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    with DiscoveryStore(path, now=NOW) as store:
        with pytest.raises(AlreadyRunningError):
            DiscoveryStore(path, now=NOW)
        store.remove()
    # What guards the removal of such locks must stay.
    assert [file.name for file in tmp_path.iterdir()] == [".discover.lock"]


def test_what_an_earlier_version_has_read_is_used(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    with DiscoveryStore(path, now=NOW) as store:
        record_listing(store, 1, 2)
        read(store, 1, target(11))
        read(store, 2, failure=FAILURE)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "ALTER TABLE listing RENAME COLUMN without_id TO nameless;"
            "ALTER TABLE customers RENAME COLUMN without_id TO nameless;"
            "ALTER TABLE customers RENAME COLUMN position TO place;"
            "ALTER TABLE failures RENAME COLUMN transient TO passing;"
            "ALTER TABLE failures RENAME TO troubles; ALTER TABLE selected RENAME TO wanted; PRAGMA user_version = 1"
        )
    with DiscoveryStore(path, now=NOW) as store:
        assert [row.subscription_id for row in store.rows()] == [guid(11)]
        assert list(store.unread_ids()) == [guid(2)]
        assert store.is_listed


def test_one_of_another_version_is_refused_and_can_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(InputRefusedError, match="--new"):
        DiscoveryStore(path, now=NOW)
    with DiscoveryStore(path, now=NOW, ignore_cache=True) as store:
        assert store.customer_count == 0


def test_what_a_stopped_removal_leaves_is_no_progress(tmp_path: Path) -> None:
    path, log = tmp_path / "x.sqlite3", tmp_path / "x.sqlite3-wal"
    with DiscoveryStore(path, now=NOW) as store:
        record_listing(store, 1, 2)
        left = log.read_bytes()
    path.unlink()
    log.write_bytes(left)
    with DiscoveryStore(path, now=NOW) as store:
        assert (store.is_listed, store.customer_count) == (False, 0)


def test_a_store_that_fails_is_refused_in_words_and_released(tmp_path: Path) -> None:
    path = tmp_path / "d.sqlite3"
    with (
        pytest.raises(InputRefusedError, match=r"cannot be read: .*Start again with --new"),
        DiscoveryStore(path, now=NOW) as store,
    ):
        store.connection.execute("SELECT no_such_column FROM customers")
    DiscoveryStore(path, now=NOW).__exit__(None, None, None)

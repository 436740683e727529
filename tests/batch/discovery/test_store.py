"""The durable progress of a discovery: whole customers, in their order, and nothing that is too old."""

import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bulkreact.batch.discovery.findings import FoundTarget, ReadFailure
from bulkreact.batch.discovery.store import KEPT_FOR, DiscoveryStore, UnreadCustomers
from bulkreact.batch.journal.writer import Statement
from bulkreact.errors import AlreadyRunningError, InputRefusedError
from bulkreact.models import Kind
from bulkreact.partnercenter.paging import CustomerEntry
from tests.support.ids import guid

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TROUBLE = ReadFailure("", True, 503, "http-503", "words", guid(8), guid(9))


def found(number: int, entitlement: str = "") -> FoundTarget:
    kind = Kind.AZURE if entitlement else Kind.SUBSCRIPTION
    return FoundTarget(guid(number), entitlement, kind, "name", "offer", "suspended", "", azure_plan=bool(entitlement))


def commit(gathering: DiscoveryStore, statements: Iterable[Statement]) -> None:
    for sql, values in statements:
        gathering.connection.execute(sql, values)


def listed(gathering: DiscoveryStore, *numbers: int, now: datetime = NOW) -> None:
    entries = [CustomerEntry(guid(number), f"name {number}") for number in numbers]
    commit(gathering, [*gathering.page_statements(entries, after=0, without_id=0), *gathering.listed_statements(now)])


def read(
    gathering: DiscoveryStore,
    number: int,
    *entries: FoundTarget,
    trouble: ReadFailure | None = None,
    now: datetime = NOW,
) -> None:
    key = UnreadCustomers(gathering).key(guid(number))
    troubles = [trouble] if trouble else []
    commit(gathering, gathering.read_statements(key, entries, troubles, without_id=0, now=now))


def test_customers_come_in_the_order_of_the_list_and_whole(tmp_path: Path) -> None:
    with DiscoveryStore(tmp_path / "x.sqlite3", now=NOW) as gathering:
        assert not gathering.is_listed
        listed(gathering, 3, 1, 2)
        read(gathering, 1, found(11), found(11, guid(111)))
        read(gathering, 3, found(31))
        read(gathering, 1, found(12))
        assert [row.subscription_id for row in gathering.rows()] == [guid(31), guid(12)]
        assert list(UnreadCustomers(gathering).customers()) == [guid(2)]
        assert [(one, name) for one, name, _ in gathering.unread_customers()] == [(guid(2), "name 2")]
        assert gathering.has_transient_failures


def test_what_was_read_too_long_ago_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    with DiscoveryStore(path, now=NOW) as gathering:
        listed(gathering, 1, 2, 3)
        read(gathering, 1, found(11), now=NOW)
        read(gathering, 2, found(21), now=NOW + timedelta(hours=1))
        read(gathering, 3, found(31), trouble=TROUBLE, now=NOW + timedelta(hours=1))
    with DiscoveryStore(path, now=NOW + KEPT_FOR) as gathering:
        assert gathering.is_listed
        assert list(UnreadCustomers(gathering).customers()) == [guid(3)]
    with DiscoveryStore(path, now=NOW + KEPT_FOR + timedelta(minutes=1)) as gathering:
        assert not gathering.is_listed
        assert list(UnreadCustomers(gathering).customers()) == [guid(1), guid(3)]
        assert [row.subscription_id for row in gathering.rows()] == [guid(21)]
        # The list has changed meanwhile: what is no longer in it is forgotten.
        listed(gathering, 4, 1, now=NOW + KEPT_FOR)
        assert list(UnreadCustomers(gathering).customers()) == [guid(4), guid(1)]
        assert list(gathering.rows()) == []


def test_a_list_that_was_not_read_to_its_end_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    with DiscoveryStore(path, now=NOW) as gathering:
        commit(gathering, gathering.page_statements([CustomerEntry(guid(7), "")], after=0, without_id=3))
    with DiscoveryStore(path, now=NOW) as gathering:
        assert not gathering.is_listed
        listed(gathering, 1, 2)
        assert list(UnreadCustomers(gathering).customers()) == [guid(1), guid(2)]
        assert gathering.without_id == 0


def test_a_customer_is_known_by_id_whatever_its_case(tmp_path: Path) -> None:
    with DiscoveryStore(tmp_path / "x.sqlite3", now=NOW) as gathering:
        page = [CustomerEntry(guid(0xAB).upper(), "first"), CustomerEntry(guid(0xAB), "second")]
        commit(gathering, [*gathering.page_statements(page, after=0, without_id=0), *gathering.listed_statements(NOW)])
        assert gathering.customer_count == 1
        read(gathering, 0xAB, found(11), found(11, guid(111)))
        assert len(gathering.find_targets(guid(0xAB), guid(11).upper())) == 2
        assert [row.customer_name for row in gathering.rows()] == ["first", "first"]


def test_one_process_holds_it_and_removes_it_without_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    with DiscoveryStore(path, now=NOW) as gathering:
        with pytest.raises(AlreadyRunningError):
            DiscoveryStore(path, now=NOW)
        gathering.remove()
    assert list(tmp_path.iterdir()) == []


def test_one_of_another_version_is_refused_and_can_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(InputRefusedError, match="--new"):
        DiscoveryStore(path, now=NOW)
    with DiscoveryStore(path, now=NOW, ignore_cache=True) as gathering:
        assert gathering.customer_count == 0

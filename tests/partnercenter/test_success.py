"""Answers with a success status: a resource counts only if it is the one that was asked for."""

import json
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkreact.guids import canonical_guid
from bulkreact.models import Operation, Response
from bulkreact.partnercenter.protocol import judge
from bulkreact.partnercenter.verdicts import Accepted, Listed, StatusRead, Transient, Verdict
from tests.support.ids import guid

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MINE, OTHER = guid(1), guid(2)
READS = [Operation.GET_ENTITLEMENT, Operation.GET_SUBSCRIPTION, Operation.WATCH_SUBSCRIPTION]
UPDATES = [Operation.REACTIVATE_SUBSCRIPTION, Operation.RESTORE_AUTO_RENEW]
SPELLINGS: list[Callable[[str], str]] = [
    str.lower,
    str.upper,
    "{{{}}}".format,
    " {} ".format,
    lambda text: text.replace("-", ""),
]


def judge_resource(operation: Operation, id_: object, status: int = 200) -> Verdict:
    body = json.dumps({"id": id_, "status": "active"}).encode("utf-8-sig")
    return judge(operation, Response(status, "", {}, body), now=NOW, resource_id=MINE)


@pytest.mark.parametrize("operation", READS)
@pytest.mark.parametrize("spell", SPELLINGS)
def test_a_resource_with_another_id_is_unreadable(operation: Operation, spell: Callable[[str], str]) -> None:
    assert isinstance(judge_resource(operation, spell(MINE)), StatusRead)
    verdict = judge_resource(operation, spell(OTHER))
    assert isinstance(verdict, Transient)
    assert not verdict.lost
    assert verdict.answer.code == "unreadable-answer"
    assert verdict.answer.description == f"the answer is about another resource, {OTHER}"


@pytest.mark.parametrize("operation", READS)
@pytest.mark.parametrize("id_", [None, "", "4711", 7, [OTHER], {"id": OTHER}])
def test_an_id_that_is_no_guid_proves_nothing(operation: Operation, id_: object) -> None:
    assert isinstance(judge_resource(operation, id_), StatusRead)


@pytest.mark.parametrize("operation", [*UPDATES, Operation.REACTIVATE_ENTITLEMENT])
def test_a_write_that_is_answered_with_another_resource_is_not_answered(operation: Operation) -> None:
    verdict = judge_resource(operation, OTHER)
    assert isinstance(verdict, Transient)
    assert verdict.lost
    assert not verdict.answer.business
    assert isinstance(judge_resource(operation, OTHER, 202), Accepted)


@pytest.mark.parametrize("operation", UPDATES)
def test_only_the_subscription_itself_shows_that_it_is_active(operation: Operation) -> None:
    # What comes with a 202 may be an operation.
    accepted, own = judge_resource(operation, OTHER, 202), judge_resource(operation, MINE)
    assert isinstance(accepted, Accepted)
    assert isinstance(own, Accepted)
    assert (accepted.active, own.active) == (False, True)


def test_a_list_is_not_read_where_only_its_coming_counts() -> None:
    body = b'{"items":[' + b"{}," * 1_000_000 + b"{}]}"
    tracemalloc.start()
    try:
        verdict = judge(Operation.LIST_CUSTOMERS, Response(200, "", {}, body), now=NOW)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(verdict, Accepted)
    assert peak < 3 * len(body)


def test_an_operation_has_an_id_of_its_own() -> None:
    assert isinstance(judge_resource(Operation.WATCH_OPERATION, OTHER), StatusRead)


def test_an_entitlement_that_is_listed_with_two_statuses_has_none() -> None:
    items = [
        {"id": MINE, "status": "active"},
        {"id": MINE.upper(), "status": "inactive"},
        {"id": OTHER, "status": "Active"},
        {"id": OTHER.upper(), "status": "active"},
        {"id": guid(3), "status": "active"},
        {"id": guid(3)},
        None,
        7,
    ]
    body = json.dumps({"items": items, "continuationToken": "x"}).encode()
    verdict = judge(Operation.LIST_ENTITLEMENTS, Response(200, "", {}, body), now=NOW)
    assert isinstance(verdict, Listed)
    assert verdict.statuses == {OTHER: "active"}


@given(st.uuids(), st.sampled_from(SPELLINGS))
def test_a_guid_has_one_canonical_form(value: object, spell: Callable[[str], str]) -> None:
    assert canonical_guid(spell(str(value))) == str(value)


@given(st.text(max_size=60))
def test_what_is_no_guid_has_no_canonical_form(text: str) -> None:
    assert canonical_guid(text) in {"", text.strip().strip("{}").lower()}

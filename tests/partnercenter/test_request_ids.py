"""Request ids: the same after a crash, of one call only, and proof of which."""

from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkreact.models import Operation, Target
from bulkreact.partnercenter.request_ids import RequestIds, may_prove, proven_operation
from tests.support.ids import guid, target

RUN = UUID(guid(77))
WRITE = Operation.REACTIVATE_ENTITLEMENT
uuids = st.uuids().map(str)
targets = st.builds(Target, uuids, uuids, uuids)


@given(run=st.uuids(), ordinal=st.integers(1, 10**7), sequence=st.integers(0, 9), owner=targets, other=targets)
def test_a_request_id_proves_its_target_and_no_other(
    run: UUID, ordinal: int, sequence: int, owner: Target, other: Target
) -> None:
    request_id = RequestIds(run).derive(ordinal, WRITE, owner, sequence)
    assert (UUID(request_id).version, str(UUID(request_id))) == (8, request_id)
    assert may_prove(request_id)
    assert proven_operation(request_id, owner) is WRITE
    assert (proven_operation(request_id, other) is None) is (other != owner)
    assert RequestIds(run).derive(ordinal, WRITE, owner, sequence) == request_id


@given(request_id=st.uuids().map(str))
def test_a_request_id_that_is_not_ours_proves_nothing(request_id: str) -> None:
    assert proven_operation(request_id, target(guid(1))) is None


def test_run_row_operation_and_sequence_make_different_request_ids() -> None:
    ids = [
        RequestIds(run).derive(ordinal, operation, target(guid(1)), sequence)
        for run in (RUN, UUID(guid(78)))
        for ordinal in range(50)
        for operation in Operation
        for sequence in range(3)
    ]
    assert len(set(ids)) == len({request_id[:18] for request_id in ids}) == 2 * 50 * len(Operation) * 3


@pytest.mark.parametrize("operation", [Operation.REACTIVATE_SUBSCRIPTION, Operation.GET_SUBSCRIPTION])
def test_a_subscription_has_request_ids_of_its_write_and_of_the_read_before_it(operation: Operation) -> None:
    subscription = target("")
    assert proven_operation(RequestIds(RUN).derive(1, operation, subscription, 0), subscription) is operation


def test_a_run_of_an_earlier_version_keeps_its_request_ids() -> None:
    request_id = RequestIds(RUN, certified=False).derive(12, WRITE, target(guid(1)), 3)
    assert request_id == str(uuid5(RUN, "12/reactivate-entitlement/3"))
    assert not may_prove(request_id)

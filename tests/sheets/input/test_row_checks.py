"""What is wrong with a row, and what an earlier run left for it."""

from uuid import UUID

import pytest

from bulkreact.models import Kind, Operation, Target
from bulkreact.partnercenter.request_ids import RequestIds
from bulkreact.sheets.columns import find_layout
from bulkreact.sheets.input.row_checks import EarlierCall, earlier_call, find_errors
from bulkreact.sheets.input.row_options import RowOptionsReader
from bulkreact.sheets.result_columns import RESULT_COLUMNS
from tests.support.ids import guid

HEADER = ("customer_id", "subscription_id", "entitlement_id", "kind", "candidates")
READER = RowOptionsReader(find_layout(HEADER), Kind.AZURE, restore_auto_renew=False)
C, S, E = guid(1), guid(2), guid(3)


@pytest.mark.parametrize(
    ("cells", "codes"),
    [
        ((C, S, E, "", ""), []),
        ((C, S, E, "", "", " "), []),
        ((C, S, "", "", "", "x"), ["ragged-row"]),
        (("", " ", "\u200b", "", "total"), ["no-ids"]),
        ((C, S, "", "", ""), ["missing-entitlement-id"]),
        (("x", "", "1.5E+10", "", ""), ["invalid-customer-id", "missing-subscription-id", "damaged-by-excel"]),
        ((C, S, "", "subscription", ""), []),
        ((C, "x", "y", "Subscription", ""), ["invalid-subscription-id"]),
        ((C, "x", "", "other", ""), ["invalid-subscription-id", "invalid-kind"]),
        ((C, S, "", "", f"{E}; {S}"), ["ambiguous-row"]),
        ((C, S, E, "", f"{E}; {S}"), []),
    ],
)
def test_a_row_is_refused_for_what_is_wrong_with_it(cells: tuple[str, ...], codes: list[str]) -> None:
    guids = [cell if cell in {C, S, E} else "" for cell in cells[:3]]
    assert [error.code for error in find_errors(cells, guids, READER, width=len(HEADER))] == codes


LAYOUT = find_layout(("customer_id", "subscription_id", "entitlement_id", *RESULT_COLUMNS))
TARGET, SUBSCRIPTION = Target(C, S, E), Target(C, S, "")
IDS = RequestIds(UUID(guid(9)))
ID = IDS.derive(1, Operation.REACTIVATE_ENTITLEMENT, TARGET, 0)


def cells(**results: str) -> tuple[str, ...]:
    return (C, S, E, *(results.get(name, "") for name in RESULT_COLUMNS))


@pytest.mark.parametrize(
    ("status", "http_status", "code", "expected"),
    [
        ("unknown", "", "", EarlierCall(ID, outcome_unknown=True)),
        ("unknown", "400", "", EarlierCall(outcome_unknown=True)),
        ("unknown", "200", "unreadable-answer", EarlierCall(ID, outcome_unknown=True)),
        ("failed", "503", "", EarlierCall(ID)),
        ("failed", "302", "", EarlierCall(ID)),
        ("deferred", "429", "", EarlierCall(ID)),
        ("failed", "404", "", EarlierCall()),
        ("accepted", "202", "", EarlierCall()),
    ],
)
def test_a_request_id_is_reused_unless_a_business_answer_ended_it(
    status: str, http_status: str, code: str, expected: EarlierCall
) -> None:
    results = {"status": status, "http_status": http_status, "error_code": code, "request_id": ID.upper()}
    assert earlier_call(LAYOUT, cells(**results), TARGET) == expected


OTHERS = EarlierCall(is_unproven=True)
EARLIER = EarlierCall(outcome_unknown=True, is_unproven=True)
WRITE, READ = Operation.REACTIVATE_SUBSCRIPTION, Operation.GET_SUBSCRIPTION


@pytest.mark.parametrize(
    ("request_id", "target", "expected"),
    [
        (ID, Target(C, S, S), OTHERS),
        (ID, Target(C, E, E), OTHERS),
        (ID, Target(S, S, E), OTHERS),
        (ID, SUBSCRIPTION, OTHERS),
        (IDS.derive(1, Operation.GET_ENTITLEMENT, TARGET, 0), TARGET, OTHERS),
        (IDS.derive(1, Operation.RESTORE_AUTO_RENEW, SUBSCRIPTION, 0), SUBSCRIPTION, OTHERS),
        (f"{ID[:-1]}{'01'[ID[-1] == '0']}", TARGET, OTHERS),
        (f"{'01'[ID[0] == '0']}{ID[1:]}", TARGET, OTHERS),
        (RequestIds(UUID(guid(9)), certified=False).derive(1, WRITE, TARGET, 0), TARGET, EARLIER),
        ("x", TARGET, EARLIER),
        ("", TARGET, EarlierCall(outcome_unknown=True)),
    ],
)
def test_a_request_id_of_another_target_or_call_is_not_reused(
    request_id: str, target: Target, expected: EarlierCall
) -> None:
    assert earlier_call(LAYOUT, cells(status="unknown", request_id=request_id), target) == expected


@pytest.mark.parametrize(("operation", "is_read"), [(WRITE, False), (READ, True)])
def test_a_request_id_says_whether_it_is_of_the_read_whatever_the_description_says(
    operation: Operation, is_read: bool
) -> None:
    request_id = IDS.derive(1, operation, SUBSCRIPTION, 0)
    row = cells(status="deferred", http_status="429", error_description="while reading it", request_id=request_id)
    assert earlier_call(LAYOUT, row, SUBSCRIPTION) == EarlierCall(request_id, is_read=is_read)


def test_a_file_that_is_not_a_results_file_has_no_earlier_calls() -> None:
    assert earlier_call(READER.layout, (C, S, E, "", ""), TARGET) == EarlierCall()

"""What is wrong with a row, and what an earlier run left for it."""

import pytest

from bulkreact.models import Kind
from bulkreact.partnercenter.error_codes.local_codes import READING
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
ID = guid(9)


@pytest.mark.parametrize(
    ("status", "http_status", "code", "description", "expected"),
    [
        ("unknown", "", "", "", EarlierCall(ID, outcome_unknown=True)),
        ("unknown", "400", "", "", EarlierCall(outcome_unknown=True)),
        ("unknown", "200", "unreadable-answer", "", EarlierCall(ID, outcome_unknown=True)),
        ("failed", "503", "", "", EarlierCall(ID)),
        ("failed", "302", "", "", EarlierCall(ID)),
        ("deferred", "429", "", "", EarlierCall(ID)),
        ("failed", "404", "", "", EarlierCall()),
        ("accepted", "202", "", "", EarlierCall()),
        ("deferred", "429", "", f"{READING}busy", EarlierCall(ID, is_read=True)),
    ],
)
def test_a_request_id_is_reused_unless_a_business_answer_ended_it(
    status: str, http_status: str, code: str, description: str, expected: EarlierCall
) -> None:
    results = {
        "status": status,
        "http_status": http_status,
        "error_code": code,
        "error_description": description,
        "request_id": ID.upper(),
    }
    cells = (C, S, E, *(results.get(name, "") for name in RESULT_COLUMNS))
    assert earlier_call(LAYOUT, cells) == expected


def test_a_file_that_is_not_a_results_file_has_no_earlier_calls() -> None:
    assert earlier_call(READER.layout, (C, S, E, "", "")) == EarlierCall()

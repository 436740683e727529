"""The columns of a results file, by which it is recognized when it is an input."""

import pytest

from bulkreact.sheets.columns import find_layout
from bulkreact.sheets.result_columns import COLUMN_VERSIONS, RESULT_COLUMNS, find_result_columns

# Every set that a version has written: lines are added here, and never changed.
WRITTEN = (
    "row,status,http_status,error_code,error_description,advice,attempts,request_id,correlation_id,started_at,finished_at",
)
LATER = (*COLUMN_VERSIONS, (*RESULT_COLUMNS, "invented"))


def test_the_sets_that_were_ever_written_are_all_known() -> None:
    assert tuple(",".join(columns) for columns in COLUMN_VERSIONS) == WRITTEN
    assert ",".join(RESULT_COLUMNS) == WRITTEN[-1]


@pytest.mark.parametrize("written", WRITTEN)
def test_results_of_every_version_are_recognized(written: str) -> None:
    columns = written.split(",")
    assert find_result_columns(["note", *columns]) == {name: index for index, name in enumerate(columns, 1)}
    ids = ("customer_id", "subscription_id", "entitlement_id")
    assert find_layout((*ids, "note", *columns)).header == (*ids, "note")


@pytest.mark.parametrize("written", WRITTEN)
def test_results_stay_recognized_when_a_column_is_added(written: str) -> None:
    columns = written.split(",")
    assert list(find_result_columns(["note", *columns], LATER)) == columns
    assert list(find_result_columns(["note", *columns, "invented"], LATER)) == [*columns, "invented"]


def test_a_table_that_lacks_one_of_these_columns_is_no_results_file() -> None:
    assert find_result_columns(WRITTEN[0].replace(",advice", "").split(",")) == {}

"""The columns of a results file, by which it is recognized when it is an input."""

from bulkreact.sheets.result_columns import find_result_columns

FIRST_VERSION = "row,status,http_status,error_code,error_description,advice,attempts,request_id,correlation_id,started_at,finished_at"


def test_results_of_every_version_are_recognized() -> None:
    columns = FIRST_VERSION.split(",")
    assert find_result_columns(["note", *columns]) == {name: index for index, name in enumerate(columns, 1)}


def test_a_table_that_lacks_one_of_these_columns_is_no_results_file() -> None:
    assert find_result_columns(FIRST_VERSION.replace(",advice", "").split(",")) == {}

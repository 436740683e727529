"""Problems in message: one by one, or together where the same happens again and again."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bulkreact.sheets.input.guid_cells import guid_error
from bulkreact.sheets.input.row_errors import CellError, RowError, format_errors, split_message


def problem(number: int, cell: str = "4.892E+92") -> RowError:
    return RowError(number, (guid_error("entitlement_id", cell),))


COLUMNS = ("customer_id", "entitlement_id", "kind")
_reasons = st.text("a:; ()'", min_size=1).map(lambda text: f"is {text}")
_errors = st.builds(CellError, st.just("x"), st.just(""), st.text("1E+;' kind"), _reasons, st.sampled_from(["", "Do"]))


@given(st.lists(_errors, max_size=3))
def test_a_message_comes_apart_into_its_cells(errors: list[CellError]) -> None:
    errors = [replace(error, column=column) for error, column in zip(errors, COLUMNS, strict=False)]
    phrases = {error.column: error.message for error in errors}
    assert split_message("; ".join(phrases.values()), COLUMNS) == phrases


def test_a_message_of_the_whole_row_names_no_cell() -> None:
    assert split_message("the row has content but no ids", COLUMNS) == {}


def test_few_rows_get_a_line_each_in_their_order() -> None:
    lines = list(format_errors([problem(9), problem(3, "abc"), problem(7)]))
    assert [line.partition(":")[0] for line in lines] == ["row 3", "row 7", "row 9"]
    assert lines[1] == (
        "row 7: entitlement_id is not a GUID: '4.892E+92' (Excel changed this cell; the original is lost. "
        "Format the column as text and paste it again)"
    )


def test_an_error_of_many_rows_gets_one_line() -> None:
    damaged = [problem(number, f"{number}.5E+10") for number in (2, 3, 4, 9)]
    lines = list(format_errors([*damaged, problem(5, "abc")]))
    assert len(lines) == 2
    assert lines[0].startswith("rows 2-4, 9 (4 rows, for example 2): entitlement_id is not a GUID: '2.5E+10' (Excel")
    assert lines[1] == "row 5: entitlement_id is not a GUID: 'abc'"


def test_a_long_list_of_rows_is_cut() -> None:
    (line,) = format_errors([problem(number) for number in range(2, 4000, 2)])
    assert ", … (1,999 rows, for example 2): " in line
    assert len(line) < 300


def test_the_most_telling_error_gives_the_code_and_all_are_reported() -> None:
    error = RowError(
        2, (guid_error("customer_id", ""), guid_error("subscription_id", "x"), guid_error("entitlement_id", "1E+9"))
    )
    assert error.code == "invalid-subscription-id"
    assert error.message.startswith("customer_id is empty; subscription_id is not a GUID: 'x'; entitlement_id is not")


def test_an_error_of_the_whole_row_is_reported_by_its_reason() -> None:
    assert CellError("no-ids", "", "", "the row has content: but no ids").message == "the row has content: but no ids"

"""The sum of a column is exact, and a column that can be read in two ways has none."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkreact.models import TypedCell
from bulkreact.sheets.column_sum import ColumnAdder, ColumnSum


def add_up(*cells: str) -> ColumnSum[str]:
    """Add up cells from row 2 on, all under one key."""
    adder: ColumnAdder[str] = ColumnAdder("Amount", 0)
    for row, cell in enumerate(cells, 2):
        adder.add("all", row, cell)
    return adder.result()


@pytest.mark.parametrize(
    ("cells", "total"),
    [
        (["0.10", "0.20", "1.234"], "1.534"),
        (["0,10", "0,20", "1.234"], "1234.30"),
        (["1", "2", ""], "3"),
        (["12.5", "2"], "14.50"),
        (["10.00", "-10.00"], "0.00"),
        (["99999999999999999999.99", "0.01"] * 50, "5000000000000000000000.00"),
        ([], "0"),
    ],
)
def test_one_cell_shows_how_all_are_read(cells: list[str], total: str) -> None:
    result = add_up(*cells)
    assert (result.problem, result.to_text(result.total("all"))) == ("", total)


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        (["1", "abc", "x"], "row 3 ('abc') has something else than an amount (2 such rows)"),
        (["1.50", "1,5"], "row 2 ('1.50') has a decimal point, row 3 ('1,5') a decimal comma"),
        (["7", "1.234"], "row 3 ('1.234') may have a decimal or a thousands separator"),
        (["5 EUR", "5 \u20ac", "5 USD"], "several currencies: EUR in row 2 ('5 EUR'), USD in row 4 ('5 USD')"),
        (["a\x1b[2J" * 20], "row 2 ('a\\x1b[2Ja"),
    ],
)
def test_a_column_that_cannot_be_read_for_sure_has_no_sum(cells: list[str], problem: str) -> None:
    result = add_up(*cells)
    assert problem in result.problem
    assert result.public_problem == re.sub(r" \('.*?'\)", "", result.problem)
    assert (result.totals, "\x1b" in result.problem) == ({}, False)


@pytest.mark.parametrize(
    ("cell", "blank", "total"),
    [("5,00", 0, "5.00"), ("see note", 1, "0"), ("5.25", 1, "0"), ("5 $", 0, "5"), ("", 1, "0")],
)
def test_the_cells_of_an_invalid_row_show_nothing_about_the_column(cell: str, blank: int, total: str) -> None:
    adder: ColumnAdder[str] = ColumnAdder("Amount", 0)
    adder.add("invalid", 2, cell, is_invalid=True)
    adder.add("sent", 3, "1,50 \u20ac")
    result = adder.result()
    assert (result.problem, result.blank, result.currency) == ("", blank, "EUR")
    assert (result.total("sent"), result.total("invalid")) == (Decimal("1.50"), Decimal(total))


def test_empty_cells_are_counted_and_a_currency_is_shown() -> None:
    result = add_up("5,00 \u20ac", " ", "1.000,5", "")
    assert (result.blank, result.currency, result.format(result.total("all"))) == (2, "EUR", "EUR 1,005.50")


def test_all_totals_have_the_decimals_of_the_finest() -> None:
    adder: ColumnAdder[str] = ColumnAdder("Amount", 0)
    for row, (key, cell) in enumerate([("a", "5"), ("b", "1.25")]):
        adder.add(key, row, cell)
    result = adder.result()
    assert [result.to_text(result.total(key)) for key in ("a", "b")] == ["5.00", "1.25"]


@pytest.mark.parametrize("cells", [["1.234", "0,5"], ["1.234", "0.5"]])
def test_a_cell_alone_is_read_as_the_column_shows(cells: list[str]) -> None:
    result = add_up(*cells, "")
    assert sum(result.read(cell, 0) for cell in (*cells, "")) == result.total("all")


@pytest.mark.parametrize(("cell", "total"), [("1.234", "1234"), ("0.5", "0.50"), ("abc", "")])
def test_what_was_known_of_the_column_holds_unless_its_cells_show_otherwise(cell: str, total: str) -> None:
    adder: ColumnAdder[str] = ColumnAdder("Amount", 0, ",")
    adder.add("all", 2, cell)
    result = adder.result()
    assert ["" if result.problem else result.to_text(result.total("all"))] == [total]


def test_numbers_of_a_workbook_show_no_style() -> None:
    adder: ColumnAdder[str] = ColumnAdder("Amount", 0)
    adder.add("all", 2, "1.234", [TypedCell(0, "1.234", 0)])
    adder.add("all", 3, "1.234,5")
    assert adder.result().total("all") == Decimal("1235.734")


@given(st.lists(st.decimals(min_value=-(10**15), max_value=10**15, places=2), min_size=1))
def test_the_sum_is_the_same_in_both_styles(numbers: list[Decimal]) -> None:
    point = [f"{number:,.2f}" for number in numbers]
    comma = [cell.translate(str.maketrans(",.", ".,")) for cell in point]
    expected = sum(map(int, (number.scaleb(2) for number in numbers)))
    assert [add_up(*cells).total("all").scaleb(2) for cells in (point, comma)] == [expected, expected]

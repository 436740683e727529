"""Texts of cells that are no text, and what stands for them in a workbook again."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkreact.models import CellType, ColumnType, TypedCell
from bulkreact.typed_cells import format_date, format_duration, format_iso_date, format_number, parse_cell, type_cells


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        ("7", "7"),
        ("7.0", "7"),
        ("007", "7"),
        ("-0", "0"),
        (" 5 ", "5"),
        ("416.06", "416.06"),
        ("0.10000000000000001", "0.1"),
        ("1E-7", "1e-07"),
        ("1.50", "1.5"),
        ("123456789012345", "123456789012345"),
        ("1234567890123456789", "1.2345678901234568e+18"),
        ("no number", "no number"),
    ],
)
def test_a_number_is_as_it_would_be_typed(stored: str, text: str) -> None:
    assert format_number(stored) == text


@pytest.mark.parametrize(
    ("stored", "text", "of_1904"),
    [
        ("46082", "2026-03-01", "2030-03-02"),
        ("46082.520833333336", "2026-03-01 12:30:00", "2030-03-02 12:30:00"),
        ("46082.123456789", "2026-03-01 02:57:46.667000", "2030-03-02 02:57:46.667000"),
        ("46081.99999999999", "2026-03-01", "2030-03-02"),
        ("0.28125", "06:45:00", "06:45:00"),
        ("59", "1900-02-28", "1904-02-29"),
        ("61", "1900-03-01", "1904-03-02"),
        ("-1", "-1", "1903-12-31"),
        ("2958466", "2958466", "2958466"),
        ("1e300", "1e+300", "1e+300"),
        ("text", "text", "text"),
    ],
)
def test_a_date_is_in_iso_8601(stored: str, text: str, of_1904: str) -> None:
    assert format_date(stored, counts_from_1904=False) == text
    assert format_date(stored, counts_from_1904=True) == of_1904


def test_a_duration_has_days_and_hours() -> None:
    assert format_duration("1.5") == "1 day, 12:00:00"
    assert format_duration("0.25") == "6:00:00"
    assert format_duration("1e300") == "1e300"


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        ("2026-03-01", "2026-03-01"),
        ("2026-03-01T00:00:00", "2026-03-01"),
        ("2026-03-01T12:30:00.000Z", "2026-03-01 12:30:00"),
        ("12:30:00", "12:30:00"),
        ("soon", "soon"),
    ],
)
def test_a_date_that_is_stored_as_text_is_like_others(stored: str, text: str) -> None:
    assert format_iso_date(stored) == text


@given(st.datetimes(min_value=datetime(1900, 3, 1), max_value=datetime(9999, 12, 30)))  # noqa: DTZ001 - cells have no zone
def test_what_is_stored_for_the_text_of_a_date_has_that_text(moment: datetime) -> None:
    text = moment.replace(microsecond=moment.microsecond // 1000 * 1000).isoformat(sep=" ")
    stored = parse_cell(text, CellType.DATE)
    assert format_date(stored, counts_from_1904=False) == text.removesuffix(" 00:00:00")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_comes_back_exactly(number: float) -> None:
    assert float(parse_cell(format_number(repr(number)), CellType.NUMBER)) == number


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("nan", CellType.NUMBER),
        ("inf", CellType.NUMBER),
        ("1 2", CellType.NUMBER),
        ("<v>", CellType.NUMBER),
        ("yes", CellType.TRUTH_VALUE),
        ("tomorrow", CellType.DATE),
        ("12", CellType.DATE),
        ("", CellType.DATE),
    ],
)
def test_other_text_stays_text(text: str, kind: CellType) -> None:
    assert parse_cell(text, kind) == ""


def test_the_types_of_columns_describe_cells_that_can_be_read_as_such() -> None:
    columns = (
        ColumnType(0, CellType.NUMBER, "0.00"),
        ColumnType(1, CellType.DATE, 14),
        ColumnType(3, CellType.DATE, 14),
    )
    exact = TypedCell(3, "46082.1", 14)
    assert type_cells(columns, ("12.5", "tomorrow", "7", "2026-03-01"), (exact,)) == (
        exact,
        TypedCell(0, "12.5", "0.00"),
    )
    assert type_cells(columns, ("", "2026-03-01", "", "2026-03-01")) == (
        TypedCell(1, "46082", 14),
        TypedCell(3, "46082", 14),
    )

"""Amounts as people write them: read exactly, in both styles where both are possible, and never guessed."""

from decimal import Decimal

import pytest

from bulkreact.models import TypedCell
from bulkreact.sheets.amounts import read_amount


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("1,234.50", "1234.50"),
        ("1'234.50", "1234.50"),
        ("1\u2019234.50", "1234.50"),
        ("1,23,456.00", "123456.00"),
        ("0.500", "0.500"),
        (".5", "0.5"),
        ("1,234,567", "1234567"),
        ("$ -12.50", "-12.50"),
        ("(12.50)", "-12.50"),
        ("12.50-", "-12.50"),
        ("12345678901234567890.12", "12345678901234567890.12"),
    ],
)
def test_an_amount_with_a_decimal_point(cell: str, number: str) -> None:
    amount = read_amount(cell)
    assert amount
    assert (amount.with_point, amount.with_comma) == (Decimal(number), None)


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("1.234,50", "1234.50"),
        ("1 234,50", "1234.50"),
        ("1\u00a0234,50\u00a0\u20ac", "1234.50"),
        ("1\u202f234,50", "1234.50"),
        ("1.234.567", "1234567"),
        (",5", "0.5"),
        ("\u221212,5", "-12.5"),
        ("-12,50 EUR", "-12.50"),
        ("\uff11\uff12\uff0c\uff15", "12.5"),
    ],
)
def test_an_amount_with_a_decimal_comma(cell: str, number: str) -> None:
    amount = read_amount(cell)
    assert amount
    assert (amount.with_point, amount.with_comma) == (None, Decimal(number))


@pytest.mark.parametrize(
    ("cell", "with_point", "with_comma"),
    [("1.234", "1.234", "1234"), ("1,234", "1234", "1.234"), ("12", "12", "12"), ("1 234", "1234", "1234")],
)
def test_an_amount_that_reads_in_both_styles_keeps_both(cell: str, with_point: str, with_comma: str) -> None:
    amount = read_amount(cell)
    assert amount
    assert (amount.with_point, amount.with_comma) == (Decimal(with_point), Decimal(with_comma))


@pytest.mark.parametrize(
    "cell",
    [
        *(
            "abc",
            "12 apples",
            "99%",
            "1e5",
            "1,2,3",
            "1.234 567",
            "1,2345,678",
            "01.234,5.6",
            "12.-",
            "--5",
            "-5-",
            "(-5)",
        ),
        *(
            "(5",
            "5)",
            "EUR 5 EUR",
            "5 XYZ",
            "EUR",
            "-",
            ".",
            "1..5",
            "2026-03-01",
            "1/2",
            "=1+1",
            "'5",
            "\u0661\u0662",
            "9" * 41,
        ),
        *("nan", "inf", "0x10", "1_000", "\u00bd", "5\n6"),
    ],
)
def test_what_is_no_amount_is_not_read(cell: str) -> None:
    assert read_amount(cell) is None


@pytest.mark.parametrize(
    ("cell", "currency"),
    [
        ("5", ""),
        ("5 \u20ac", "EUR"),
        ("eur 5", "EUR"),
        ("5 Kr.", "kr"),
        ("R$5", "BRL"),
        ("$5", "$"),
        ("US$5", "USD"),
        ("5 z\u0142", "PLN"),
    ],
)
def test_a_currency_is_known_by_its_code_or_symbol(cell: str, currency: str) -> None:
    amount = read_amount(cell)
    assert amount
    assert amount.currency == currency


@pytest.mark.parametrize(
    ("text", "typed", "number", "currency"),
    [
        ("1.234", TypedCell(2, "1.234", "0.00"), "1.234", ""),
        ("0.30000000000000004", TypedCell(2, "0.30000000000000004", 4), "0.3", ""),
        ("1e+16", TypedCell(2, "1E+16", 0), "1E+16", ""),
        ("12.5", TypedCell(2, "12.5", '#,##0.00\\ "\u20ac"'), "12.5", "EUR"),
        ("12.5", TypedCell(2, "12.5", "[$USD-409]\\ 0.00"), "12.5", "USD"),
        ("12.5", TypedCell(2, "12.5", "[$-407]#,##0.00;[Red]-#,##0.00"), "12.5", ""),
    ],
)
def test_a_number_of_a_workbook_is_what_the_workbook_stores(
    text: str, typed: TypedCell, number: str, currency: str
) -> None:
    amount = read_amount(text, 2, [TypedCell(1, "7", 0), typed])
    assert amount
    assert (amount.with_point, amount.with_comma, amount.currency) == (Decimal(number), Decimal(number), currency)


@pytest.mark.parametrize(
    ("text", "typed"), [("2026-03-01", TypedCell(2, "46082", 14)), ("TRUE", TypedCell(2, "1", 0, is_truth_value=True))]
)
def test_dates_and_truth_values_are_no_amounts(text: str, typed: TypedCell) -> None:
    assert read_amount(text, 2, [typed]) is None

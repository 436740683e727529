"""The column with the names of customers, found by what people call it, and names as they are shown."""

import pytest

from bulkreact.sheets.columns import ColumnError, HeaderRule, find_layout
from bulkreact.sheets.customer_names import customer_name_column, format_customer_name
from bulkreact.sheets.header_aliases import column_of
from bulkreact.sheets.result_columns import RESULT_COLUMNS
from tests.support.ids import HEADER, guid

NAMES = ["customer_name", "CustomerName", "Kundenname", "Nom du client", "Nombre del cliente", "Nome cliente"]
OTHER_NAMES = ["Nome do cliente", "Klantnaam", "Nazwa klienta", "顧客名", "Company Name", "Raison sociale", "Kunde"]


@pytest.mark.parametrize("name", [*NAMES, *OTHER_NAMES])
def test_the_column_is_found_by_what_people_call_it(name: str) -> None:
    assert customer_name_column([*HEADER, "note", f" {name.upper()}: "]) == 4
    assert column_of(name) is None


@pytest.mark.parametrize(
    ("header", "column"),
    [
        (["Kunde", "Kundenname", "Firmenname"], 1),
        (["note", "Firma", "Kunde"], 1),
        ([*HEADER, "Offer name", "name"], None),
        ([], None),
    ],
)
def test_a_header_that_says_name_is_preferred_and_nothing_is_guessed(header: list[str], column: int | None) -> None:
    assert customer_name_column(header) == column


def test_another_column_can_be_chosen() -> None:
    rule = HeaderRule({"customer_name": "Status"})
    layout = find_layout([*HEADER, "customer_name", "Status"], rule)
    assert (layout.name_header, layout.optional) == ("input.Status", {})
    assert customer_name_column(layout.header, layout.name_header) == 4
    assert customer_name_column(layout.header, "no such column") == 3


@pytest.mark.parametrize("chosen", ["Nobody", "advice"])
def test_a_choice_that_is_no_column_of_the_sender_is_refused(chosen: str) -> None:
    with pytest.raises(ColumnError, match=f"--map customer_name={chosen}: "):
        find_layout([*HEADER, *RESULT_COLUMNS], HeaderRule({"customer_name": chosen}))


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("  Kessler\n  Metallbau ", "Kessler Metallbau"),
        ("a\x1b[2Jb\u202ec", "a\\x1b[2Jb\\u202ec"),
        ("x" * 5000, "x" * 79 + "…"),
        (" \t ", ""),
        (guid(7).upper(), ""),
        (f"{{{guid(7)}}}", ""),
    ],
)
def test_a_name_is_shown_on_one_short_line_and_an_id_is_none(cell: str, name: str) -> None:
    assert format_customer_name(cell) == name

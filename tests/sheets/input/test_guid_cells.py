"""Ids as people paste them."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkreact.sheets.input.guid_cells import EXAMPLES, are_canonical, guid_error, normalize
from tests.support.ids import guid

GOOD = "5eed0000-0000-4000-8000-a0000000002a"


def normalize_cell(cell: str) -> str:
    return str(normalize(pd.Series([cell], dtype=str)).iloc[0])


@pytest.mark.parametrize(
    "cell",
    [
        GOOD,
        GOOD.upper(),
        f"  {GOOD}\t",
        f"\u00a0{GOOD}\u200b",
        f"\ufeff{GOOD}",
        f"{{{GOOD}}}",
        f'"{GOOD}"',
        f"'{GOOD}",
        GOOD.replace("-", ""),
        f"{{{GOOD.replace('-', '').upper()}}}",
        GOOD.replace("-", "\u2013"),
        f"urn:uuid:{GOOD}",
        f"URN:UUID:{GOOD.upper()}",
        f"\u201c{GOOD}\u201d",
        f"\u00ab {GOOD} \u00bb",
        GOOD[:9] + "\u200b" + GOOD[9:],
        f"\u202a{GOOD}\u202c",
        GOOD.translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)}),
    ],
)
def test_a_guid_in_strange_clothes_is_recognised(cell: str) -> None:
    assert normalize_cell(cell) == GOOD


@pytest.mark.parametrize(
    "cell",
    [
        "",
        " ",
        "x",
        GOOD[:-1],
        GOOD + "0",
        GOOD.replace("-", "", 1),
        GOOD.replace("a", "g"),
        "00000000-0000-0000-0000-000000000000",
        f"{GOOD}/../..",
        f"{GOOD}\n{GOOD}",
        f"{GOOD}?x=1",
        GOOD.replace("0", "\u0660"),
        "4.892E+92",
    ],
)
def test_anything_else_is_refused(cell: str) -> None:
    assert normalize_cell(cell) == ""


def test_good_and_bad_cells_keep_their_positions() -> None:
    cells = pd.Series([guid(1), "x", guid(2).upper(), "", f" {guid(3)}"], index=[7, 3, 5, 9, 1], dtype=str)
    assert normalize(cells).to_dict() == {7: guid(1), 3: "", 5: guid(2), 9: "", 1: guid(3)}


@pytest.mark.parametrize(
    ("cell", "code", "message"),
    [
        ("", "missing-customer-id", "customer_id is empty"),
        ("\u00a0", "missing-customer-id", "customer_id is empty"),
        ("abc", "invalid-customer-id", "customer_id is not a GUID: 'abc'"),
        ("4.892E+92", "damaged-by-excel", "Excel changed this cell; the original is lost"),
        ("#NAME?", "damaged-by-excel", "'#NAME?'"),
        ("########", "damaged-by-excel", "the original is lost"),
        ("4,89E92", "damaged-by-excel", "Format the column as text"),
        ("#BEZUG!", "damaged-by-excel", "'#BEZUG!'"),
        ("#\u00bfNOMBRE?", "damaged-by-excel", "the original is lost"),
        ("#N/A", "damaged-by-excel", "the original is lost"),
        ("12345678901234500000", "damaged-by-excel", "the original is lost"),
        ("01.03.2026", "damaged-by-excel", "the original is lost"),
        ("2026-03-01 00:00:00", "damaged-by-excel", "the original is lost"),
        ("3/1/26", "damaged-by-excel", "the original is lost"),
        ("Mrz 26", "damaged-by-excel", "the original is lost"),
        ("12-Mar-2026", "damaged-by-excel", "the original is lost"),
        (GOOD[:-1], "invalid-customer-id", "looks cut off"),
        (GOOD[2:], "invalid-customer-id", "looks cut off"),
        (GOOD + GOOD, "invalid-customer-id", "is not a GUID"),
        ("ann@contoso.example", "invalid-customer-id", "is not a GUID: 'ann@contoso.example'"),
        ("00000000-0000-0000-0000-000000000000", "invalid-customer-id", "nil GUID"),
        ("\x1b[2J" + "x" * 500, "invalid-customer-id", "'?[2Jxxx"),
    ],
)
def test_an_unusable_cell_is_explained(cell: str, code: str, message: str) -> None:
    reason = guid_error("customer_id", cell)
    assert reason.code == code
    assert message in reason.message
    assert len(reason.message) < 250


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("clothes", ["{}", "{{{}}}", " {} "])
def test_the_templates_examples_name_nothing(example: str, clothes: str) -> None:
    cell = clothes.format(example.upper())
    assert normalize_cell(cell) == ""
    reason = guid_error("entitlement_id", cell)
    assert reason.code == "invalid-entitlement-id"
    assert reason.message.startswith("entitlement_id is the template's example, put your own there")


CELLS = (
    GOOD,
    guid(1),
    GOOD.upper(),
    GOOD[:-1],
    f"{GOOD}a",
    f"{GOOD}\n",
    f"{GOOD}\n{GOOD}",
    "",
    "\n",
    "0" * 36,
    "ü" * 18,
    "\ud800",
    EXAMPLES[1],
    "00000000-0000-0000-0000-000000000000",
)


@given(st.lists(st.sampled_from(CELLS), max_size=4))
def test_a_column_is_canonical_when_each_of_its_cells_is(cells: list[str]) -> None:
    assert are_canonical(cells) == all(cell in CELLS[:2] for cell in cells)

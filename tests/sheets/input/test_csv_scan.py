"""The first pass over a text table: as csv reads it, whatever is quoted and wherever a part of the file ends."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkreact.errors import InputRefusedError
from bulkreact.sheets.columns import HeaderRule
from bulkreact.sheets.input.header_search import FoundHeader
from bulkreact.sheets.input.read_limits import ReadLimits
from bulkreact.sheets.input.text import csv_scan as scan_module
from bulkreact.sheets.input.text.clean_text import CleanText
from bulkreact.sheets.input.text.csv_scan import CutOffRow, Scan, scan_records

LIMITS = ReadLimits()
RULE = HeaderRule({"customer_id": "a", "subscription_id": "b"}, ("customer_id", "subscription_id"))


def scan(text: str, part: int = 1 << 16) -> Scan:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan_module, "_CHUNK", part)
        return scan_records(CleanText(io.BytesIO(text.encode()), "utf-8", ",", LIMITS), "input.csv", ",", RULE, LIMITS)


@given(
    records=st.lists(
        st.lists(st.sampled_from(["", " ", "x", '"q"', '"\n"', '"a,""\r"', '","']), max_size=5), max_size=30
    ),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    last=st.booleans(),
    part=st.integers(1, 60),
)
def test_it_finds_what_csv_finds_wherever_a_part_ends(
    records: list[list[str]], end: str, last: bool, part: int
) -> None:
    text = end.join(["title", "", "a,b,,,", *map(",".join, records)]) + end * last
    parsed = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    used = max(width for record in parsed[2:] for width, cell in enumerate(record, 1) if cell.strip())
    header = ("a", "b", "", "", "")
    found = FoundHeader(3, header, known=2, complete=True)
    cut = not text.endswith(("\n", "\r")) and len(parsed[-1]) < 2 and bool(parsed[-1][0].strip())
    cut_off = CutOffRow(len(parsed), 1) if cut else None
    scanned = scan(text, part)
    expected = Scan(header[: max(2, used)], found, max(map(len, parsed)), len(parsed), scanned.longest, cut_off)
    assert scanned == expected
    assert scanned.longest >= max(len(",".join(record)) for record in parsed)


@pytest.mark.parametrize("part", [1, 7, 1 << 16])
def test_columns_without_a_name_count_up_to_the_last_one_in_use(part: int) -> None:
    assert scan("a,b,,,\n1,2,,,\n1,2,,3,\n1,2\n", part).header == ("a", "b", "", "")
    assert scan('a,b,,,\n1,2,,,\n1,2,,"3",\n1,2\n', part).header == ("a", "b", "", "")
    assert scan("a,b,,,\n1,2,, ,\n1,2\n", part).header == ("a", "b")


@pytest.mark.parametrize("part", [1, 7, 1 << 16])
@pytest.mark.parametrize("torn", ['"never closed,1\n1,2\n', '1,"x"y\n'])
def test_broken_quotes_below_many_plain_lines_are_reported_with_their_line(torn: str, part: int) -> None:
    with pytest.raises(InputRefusedError, match="line 2002 or later"):
        scan("a,b\n" + "1,2\n" * 2000 + torn, part)

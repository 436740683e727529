"""Detects what separates the cells of a text table. No I/O."""

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice

from msgspec import Struct

from bulkreact.guids import is_guid
from bulkreact.sheets.columns import HeaderRule
from bulkreact.sheets.input.header_search import TITLE_LINES, find_header

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
_SEP = re.compile(r'"?sep=([^\w\r\n"])"?[;,\t ]*(?:\r\n|\r|\n|$)', re.IGNORECASE)


class CsvDialect(Struct, frozen=True):
    """The format of a text file; ``marked`` with a byte order mark, ``has_sep_line`` if it begins with Excel's ``sep=``."""

    encoding: str
    delimiter: str
    compressed: bool
    marked: bool = False
    has_sep_line: bool = False


def find_sep_line(head: str) -> str | None:
    """Return the delimiter in Excel's line ``sep=`` at the beginning of a file."""
    match = _SEP.match(head)
    return match[1] if match else None


def detect_delimiter(head: str, rule: HeaderRule) -> str:
    """Return the delimiter with which the first records name most columns, else have most ids, else most cells."""
    return max(DELIMITERS.values(), key=lambda delimiter: _rank(list(first_records(head, delimiter)), rule))


def _rank(records: list[list[str]], rule: HeaderRule) -> tuple[bool, int, int, int]:
    found = find_header(enumerate(records), rule)
    if found is None:
        return False, 0, 0, 0
    ids = sum(is_guid(cell.strip()) for record in records for cell in record)
    return found.complete, found.known, ids, len(found.cells)


def first_records(head: str, delimiter: str) -> Iterator[list[str]]:
    """Yield the first records with content, as far as they can be parsed."""
    try:
        records = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
        yield from islice((record for record in records if any(map(str.strip, record))), TITLE_LINES + 1)
    except csv.Error:
        return

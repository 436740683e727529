"""Scans a text table once for its header, its width and length, and for what makes its cells uncertain."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TextIO

from bulkreact.errors import InputRefusedError
from bulkreact.sheets.columns import HeaderRule
from bulkreact.sheets.input.header_search import FoundHeader, find_header

_CHUNK = 1 << 16
# The length of a C long on every platform: only the file itself limits a cell.
_CELL_LIMIT = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Scan:
    """The result of a scan; ``records`` counts blank ones too, ``found`` is None if there are no others."""

    header: tuple[str, ...]
    found: FoundHeader | None
    width: int
    records: int


def scan_records(file: TextIO, name: str, delimiter: str, rule: HeaderRule) -> Scan:
    """Read all records once; InputRefusedError if a quotation mark is not closed."""
    csv.field_size_limit(_CELL_LIMIT)
    scanner = _Scanner(file, delimiter)
    try:
        found, below = scanner.scan_to_header(rule)
        header = found.cells if found else ()
        # Columns at the end with neither a name nor a cell are ignored.
        named = len("\0".join(header).rstrip("\0 \t").split("\0")) if found and found.complete else len(header)
        scanner.scan_to_end(named, below)
    except csv.Error as error:
        raise InputRefusedError(
            f"{name} is not a proper CSV file: line {scanner.records + 1} or later: {error}. "
            "Look for a quotation mark that is not closed, or a stray one inside a cell."
        ) from None
    return Scan(header[: max(named, scanner.used)], found, scanner.width, scanner.records)


class _Scanner:
    """Counts records, and tracks the widest one and the number of columns in use."""

    def __init__(self, file: TextIO, delimiter: str) -> None:
        self.records = self.width = self.used = 0
        self._file = file
        self._delimiter = delimiter

    def scan_to_header(self, rule: HeaderRule) -> tuple[FoundHeader | None, list[Sequence[str]]]:
        """Return the header and the records below it that had to be read to find it."""
        content: list[tuple[int, Sequence[str]]] = []
        found = find_header(self._first_records(content), rule)
        return found, [record for number, record in content if found and number > found.number]

    def _first_records(self, content: list[tuple[int, Sequence[str]]]) -> Iterator[tuple[int, Sequence[str]]]:
        """Yield records with their numbers, and append those with content to a list."""
        for record in csv.reader(self._file, delimiter=self._delimiter, strict=True):
            self._count(record)
            if any(map(str.strip, record)):
                content.append((self.records, record))
                yield self.records, record

    def scan_to_end(self, named: int, below: Iterable[Sequence[str]]) -> None:
        """Read all other records; note which columns after the ``named`` ones are used, also by those ``below``."""
        self._record_used_columns(below, named)
        while chunk := self._file.read(_CHUNK):
            text = chunk + self._file.readline()
            if '"' in text:
                self._scan_quoted(text, named)
                continue
            # Without quotes a line is a record and need not be parsed.
            lines = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
            width = max(map(str.count, lines, repeat(self._delimiter))) + 1
            if width > named:
                self._record_used_columns((line.split(self._delimiter) for line in lines), named)
            self.width = max(self.width, width)
            self.records += len(lines)

    def _scan_quoted(self, text: str, named: int) -> None:
        """Read the records in a text; the last one may end in the file after it."""
        lines = list(io.StringIO(text, newline=""))
        reader = csv.reader(chain(lines, self._file), delimiter=self._delimiter, strict=True)
        for record in reader:
            self._count(record)
            if len(record) > named:
                self._record_used_columns((record,), named)
            if reader.line_num >= len(lines):
                break

    def _count(self, record: Sequence[str]) -> None:
        self.records += 1
        self.width = max(self.width, len(record))

    def _record_used_columns(self, records: Iterable[Sequence[str]], named: int) -> None:
        for record in records:
            for column in range(len(record), max(named, self.used), -1):
                if record[column - 1].strip():
                    self.used = column
                    break

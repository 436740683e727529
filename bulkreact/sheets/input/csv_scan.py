"""Scans a text table once for the position of its header, its width and length, and unbalanced quotes."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TextIO

from bulkreact.errors import InputRefusedError

# The header is within at most this many rows with content.
TITLE_LINES = 20
_CHUNK = 1 << 16

HeaderTest = Callable[[Sequence[str]], bool]


@dataclass(frozen=True, slots=True)
class Scan:
    """The result of a scan; records are counted from 0, including blank ones."""

    header: tuple[str, ...]
    header_index: int
    width: int
    records: int


def scan_records(file: TextIO, name: str, delimiter: str, is_header: HeaderTest) -> Scan:
    """Read all records once; InputRefusedError if a quotation mark is not closed or a cell is too long."""
    scanner = _Scanner(file, delimiter)
    try:
        header, header_index = scanner.scan_to_header(is_header)
        # Columns at the end with neither a name nor a cell are ignored.
        named = len("\0".join(header).rstrip("\0 \t").split("\0")) if header and is_header(header) else len(header)
        scanner.scan_to_end(named)
    except csv.Error as error:
        raise InputRefusedError(
            f"{name} is not a proper CSV file: line {scanner.records + 1} or later: {error}. "
            "Look for a quotation mark that is not closed, or a stray one inside a cell."
        ) from None
    return Scan(header[: max(named, scanner.used)], header_index, scanner.width, scanner.records)


class _Scanner:
    """Counts records, and tracks the widest one and the number of columns in use."""

    def __init__(self, file: TextIO, delimiter: str) -> None:
        self.records = self.width = self.used = 0
        self._file = file
        self._delimiter = delimiter

    def scan_to_header(self, is_header: HeaderTest) -> tuple[tuple[str, ...], int]:
        """Return the header and its index; without one, the first record with content."""
        first: tuple[tuple[str, ...], int] = ((), 0)
        titles = 0
        for record in csv.reader(self._file, delimiter=self._delimiter, strict=True):
            self._count(record)
            if any(cell.strip() for cell in record):
                titles += 1
                candidate = tuple(record), self.records - 1
                if is_header(record):
                    return candidate
                first = first if first[0] else candidate
            if titles > TITLE_LINES:
                break
        return first

    def scan_to_end(self, named: int) -> None:
        """Read all other records; note which columns after the ``named`` ones are used."""
        while chunk := self._file.read(_CHUNK):
            text = chunk + self._file.readline()
            if '"' in text or len(text) > csv.field_size_limit():
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

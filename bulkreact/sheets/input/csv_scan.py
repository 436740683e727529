"""The first pass over a text table: where its header is, how wide it is and how long, and whether its quotes hold."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TextIO

from bulkreact.errors import InputRefusedError

# How far below the top a header is looked for: this many lines with something in them may stand above it.
TITLE_LINES = 20
_PART = 1 << 16

HeaderTest = Callable[[Sequence[str]], bool]


@dataclass(frozen=True, slots=True)
class Scan:
    """What the pass found; records are counted from 0, blank ones included."""

    header: tuple[str, ...]
    header_at: int
    width: int
    records: int


def scan_records(file: TextIO, name: str, delimiter: str, wanted: HeaderTest) -> Scan:
    """Go over all records once: what is torn is found before anything is made of the file, InputRefusedError."""
    scanner = _Scanner(file, delimiter)
    try:
        header, header_at = scanner.to_header(wanted)
        # Columns at the end that have neither a name nor a cell are none.
        named = len("\0".join(header).rstrip("\0 \t").split("\0")) if header and wanted(header) else len(header)
        scanner.to_end(named)
    except csv.Error as error:
        raise InputRefusedError(
            f"{name} is not a proper CSV file: line {scanner.records + 1} or later: {error}. "
            "Look for a quotation mark that is not closed, or a stray one inside a cell."
        ) from None
    return Scan(header[: max(named, scanner.used)], header_at, scanner.width, scanner.records)


class _Scanner:
    """How far the pass has come: records so far, the widest of them, and up to where one of them has something in it."""

    def __init__(self, file: TextIO, delimiter: str) -> None:
        self.records = self.width = self.used = 0
        self._file = file
        self._delimiter = delimiter

    def to_header(self, wanted: HeaderTest) -> tuple[tuple[str, ...], int]:
        """Return the header and its place, the first record with something in it where there is none."""
        first: tuple[tuple[str, ...], int] = ((), 0)
        titles = 0
        for record in csv.reader(self._file, delimiter=self._delimiter, strict=True):
            self._count(record)
            if any(cell.strip() for cell in record):
                titles += 1
                found = tuple(record), self.records - 1
                if wanted(record):
                    return found
                first = first if first[0] else found
            if titles > TITLE_LINES:
                break
        return first

    def to_end(self, named: int) -> None:
        """Go over all other records; in columns behind so many it is worth knowing whether they are used."""
        while part := self._file.read(_PART):
            # Whole lines are easier, whatever they end with.
            text = part + self._file.readline()
            if '"' in text or len(text) > csv.field_size_limit():
                self._to_end_of(text, named)
                continue
            # Without quotes a line is a record, and need not be taken apart.
            lines = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
            width = max(map(str.count, lines, repeat(self._delimiter))) + 1
            if width > named:
                self._note_used((line.split(self._delimiter) for line in lines), named)
            self.width = max(self.width, width)
            self.records += len(lines)

    def _to_end_of(self, text: str, named: int) -> None:
        """Go over the records in a text and to the end of the last one, which may be in the file behind it."""
        lines = list(io.StringIO(text, newline=""))
        reader = csv.reader(chain(lines, self._file), delimiter=self._delimiter, strict=True)
        for record in reader:
            self._count(record)
            if len(record) > named:
                self._note_used((record,), named)
            if reader.line_num >= len(lines):
                break

    def _count(self, record: Sequence[str]) -> None:
        self.records += 1
        self.width = max(self.width, len(record))

    def _note_used(self, records: Iterable[Sequence[str]], named: int) -> None:
        for record in records:
            for place in range(len(record), max(named, self.used), -1):
                if record[place - 1].strip():
                    self.used = place
                    break

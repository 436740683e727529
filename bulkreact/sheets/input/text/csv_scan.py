"""Scans a text table once for its header, its width and length, and for what makes its cells uncertain."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING

from msgspec import Struct

from bulkreact.errors import FileRefusedError
from bulkreact.sheets.columns import HeaderRule
from bulkreact.sheets.input.header_search import FoundHeader, find_header
from bulkreact.sheets.input.read_limits import ReadLimits, UnreadableError
from bulkreact.sheets.input.text.clean_text import CleanText
from bulkreact.sheets.input.text.short_rows import ShortRows
from bulkreact.wording import plural

if TYPE_CHECKING:
    import _csv

_CHUNK = 1 << 16
# Above the names of the columns: as many as a sheet has rows.
_MOST_BLANK = 1_048_576
_C_LONG = 2**31 - 1
_TOO_LONG = "field larger than"
_STRAY_MARK = "Look for a quotation mark that is not closed"


class CutOffRow(Struct, frozen=True):
    """A last row that has fewer ``cells`` than the header, and no line end."""

    number: int
    cells: int


class Scan(Struct, frozen=True):
    """The result of a scan; ``records`` counts blank ones too, ``found`` is None if there are no others.

    ``width`` is the number of cells in the widest record, ``longest`` at most that of the characters in the longest.
    """

    header: tuple[str, ...]
    found: FoundHeader | None
    width: int
    records: int
    longest: int
    cut_off: CutOffRow | None = None


def scan_records(file: CleanText, name: str, delimiter: str, rule: HeaderRule, limits: ReadLimits) -> Scan:
    """Read all records once; FileRefusedError if a quotation mark is not closed, or ids could be in other columns.

    UnreadableError if there is more than the limits allow.
    """
    csv.field_size_limit(min(limits.cell, _C_LONG))
    scanner = _RecordScanner(file, name, delimiter, limits)
    try:
        found, below = scanner.scan_to_header(rule)
        header = found.cells if found else ()
        # Columns at the end with neither a name nor a cell are ignored.
        named = len("\0".join(header).rstrip("\0 \t").split("\0")) if found and found.complete else len(header)
        scanner.scan_to_end(header[:named], below, rule)
    except csv.Error as error:
        if _TOO_LONG in str(error):
            near = f"{{}} characters in a cell near row {scanner.records + 1}"
            raise limits.error("cell", near, _STRAY_MARK) from None
        raise FileRefusedError.plain(
            f"{name} is not a proper CSV file: line {scanner.records + 1} or later: {error}. "
            f"{_STRAY_MARK}, or a stray one inside a cell."
        ) from None
    width, records = scanner.width, scanner.records
    cut_off = CutOffRow(records, len(scanner.last)) if file.ends_in_line and scanner.is_short(scanner.last) else None
    return Scan(header[: max(named, scanner.used)], found, width, records, scanner.longest, cut_off)


class _RecordScanner:
    """Counts records, and tracks the widest one, the last one and the number of columns in use."""

    def __init__(self, file: CleanText, name: str, delimiter: str, limits: ReadLimits) -> None:
        self.records = self.width = self.used = 0
        self.longest = 1
        self.last: Sequence[str] = ()
        self._file = file
        self._name = name
        self._delimiter = delimiter
        self._limits = limits
        # Those with content; and the characters of the lines that belong to the record being read.
        self._filled = self._length = 0
        self._header: Sequence[str] = ()
        # The last of the short records without their ids, and how many cells they have if they are one.
        self._broken, self._broken_cells = 0, 0
        self._short_rows = ShortRows((), HeaderRule())

    def scan_to_header(self, rule: HeaderRule) -> tuple[FoundHeader | None, list[tuple[int, Sequence[str]]]]:
        """Return the header, and the records below it that had to be read to find it with their numbers."""
        content: list[tuple[int, Sequence[str]]] = []
        found = find_header(self._first_records(content), rule)
        return found, [item for item in content if found and item[0] > found.number]

    def _first_records(self, content: list[tuple[int, Sequence[str]]]) -> Iterator[tuple[int, Sequence[str]]]:
        """Yield records with their numbers, and append those with content to a list."""
        for record in self._parse(self._file):
            self._count(record)
            if self.records - len(content) > _MOST_BLANK:
                raise UnreadableError(f"has more than {_MOST_BLANK:,} blank rows. Delete them.")
            if any(map(str.strip, record)):
                content.append((self.records, record))
                yield self.records, record

    def scan_to_end(self, header: Sequence[str], below: Iterable[tuple[int, Sequence[str]]], rule: HeaderRule) -> None:
        """Check the records ``below`` the header and all others; note which columns after the header's are used."""
        self._header = header
        self._short_rows = ShortRows(header, rule)
        for number, record in below:
            self._check(number, record)
        while chunk := self._file.read(_CHUNK):
            text = chunk + self._file.readline()
            if '"' in text:
                self._scan_quoted(text)
            else:
                self._scan_plain(text)

    def is_short(self, record: Sequence[str]) -> bool:
        """Return whether a record has content, but fewer cells than the header."""
        return len(record) < len(self._header) and any(map(str.strip, record))

    def _scan_plain(self, text: str) -> None:
        # Without quotes a line is a record and need not be parsed.
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        lines = text.removesuffix("\n").split("\n")
        counts = list(map(str.count, lines, repeat(self._delimiter)))
        width, named = max(counts) + 1, len(self._header)
        blank = f"{self._delimiter} \t"
        self._filled += sum(map(bool, map(str.strip, lines, repeat(blank))))
        self._note_size(len(lines), width, max(map(len, lines)))
        if width > named or (self._short_rows.possible and min(counts) + 1 < named):
            for number, line in enumerate(lines, self.records - len(lines) + 1):
                self._check(number, line.split(self._delimiter))
        self.last = lines[-1].split(self._delimiter)

    def _scan_quoted(self, text: str) -> None:
        """Read the records in a text; the last one may end in the file after it."""
        lines = list(io.StringIO(text, newline=""))
        reader = self._parse(chain(lines, self._file))
        for record in reader:
            self._count(record)
            if len(record) != len(self._header):
                self._check(self.records, record)
            if reader.line_num >= len(lines):
                break

    def _parse(self, lines: Iterable[str]) -> "_csv.Reader":
        return csv.reader(map(self._note_line, lines), delimiter=self._delimiter, strict=True)

    def _note_line(self, line: str) -> str:
        # A cell with line breaks continues the record, and each of its cells may be short enough.
        self._length += len(line)
        self._limits.check("row", self._length, "{} characters in a row", _STRAY_MARK)
        return line

    def _count(self, record: Sequence[str]) -> None:
        self._filled += any(record)
        self._note_size(1, len(record), self._length)
        self._length = 0
        self.last = record

    def _note_size(self, records: int, width: int, longest: int) -> None:
        """Count records with at most ``width`` cells; UnreadableError if there are more than the limits allow."""
        self.records += records
        self.width = max(self.width, width)
        self.longest = max(self.longest, longest)
        self._limits.check("row", longest, "{} characters in a row")
        self._limits.check("columns", self.width, "{} columns")
        self._limits.check("cells", self.records * self.width, "{} cells")
        self._limits.check_rows(self._filled)

    def _check(self, number: int, record: Sequence[str]) -> None:
        """Note which columns a wide record uses; FileRefusedError for a short one that can be read in two ways."""
        named = len(self._header)
        if self._short_rows.possible and (self._completes_broken(number, record) or self._is_ambiguous(record)):
            problem = (
                f"{self._name}: row {number} has {plural(len(record), 'cell')}, fewer than the {named} of the header, and its "
                "ids may belong to other columns than those above them. Look for a header with a comma in it: put "
                "quotation marks around it. Or look for a line break inside a row."
            )
            header = ", ".join(map(repr, self._header))[:500]
            raise FileRefusedError(f"{problem} The header has: {header}.", public=problem)
        for column in range(len(record), max(named, self.used), -1):
            if record[column - 1].strip():
                self.used = column
                break

    def _is_ambiguous(self, record: Sequence[str]) -> bool:
        return self.is_short(record) and self._short_rows.is_ambiguous(record)

    def _completes_broken(self, number: int, record: Sequence[str]) -> bool:
        """Return whether a record and those before it, which lack their ids, look like one with line breaks in it."""
        before = self._broken_cells if self._broken == number - 1 else 0
        if not any(map(str.strip, record)):
            self._broken, self._broken_cells = number, before
            return False
        cells = len(record) + max(0, before - 1)
        lacks_ids = self.is_short(record) and self._short_rows.lacks_ids(record)
        self._broken, self._broken_cells = (number, cells) if lacks_ids else (0, 0)
        return before > 0 and len(record) < cells == len(self._header)

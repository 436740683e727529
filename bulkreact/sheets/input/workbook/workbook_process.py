"""The process in which a workbook is read, as ``workbook_reader`` starts it: a library that dies costs one file.

It answers a job with the first rows of the sheets, and the choice of one with its table. What it does not expect ends it.
"""

import io
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import IO

import msgspec
from python_calamine import CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from bulkreact.sheets.input.read_limits import ReadLimits, UnreadableError
from bulkreact.sheets.input.unpacked_file import open_unpacked
from bulkreact.sheets.input.workbook.sheet_structure import SheetStructure, read_structure
from bulkreact.sheets.input.workbook.workbook_messages import (
    Choice,
    Heads,
    Job,
    Refusal,
    Reply,
    Rows,
    SheetHead,
    TableHead,
    TypedValue,
)
from bulkreact.sheets.input.workbook.workbook_parts import SAVE_AGAIN, WorkbookParts, WorkbookRefusedError, damage_error
from bulkreact.wording import plural

_MOST_UNPACKED = 512 << 20
# In bytes: for the program itself, and for each byte of the workbook's parts. Honest workbooks take half of that.
_MEMORY, _MEMORY_RATIO = 512 << 20, 24
# In characters and cells.
_CHUNK_SIZE = 4 << 20
_MOST_HEADS = 64 << 20
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?")
_DAYS_UNTIL_1904 = 1462
# Spreadsheets keep only the first digits of larger whole numbers.
_EXACT = 1e15

Cell = str | float | bool | date | datetime | time | timedelta


def main() -> None:
    """Answer the job and the choice on standard input, a line each; the argument is the workbook's path."""
    # The program that reads the answers handles signals for both.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests = sys.stdin.buffer
    job = msgspec.json.decode(requests.readline(), type=Job)
    _limit_memory(job.limits.memory)
    try:
        workbook = _Workbook(Path(sys.argv[1]), job)
        _send(Heads(workbook.heads()))
        if line := requests.readline():
            for reply in workbook.table(msgspec.json.decode(line, type=Choice)):
                _send(reply)
    except WorkbookRefusedError as error:
        _send(Refusal(str(error), error.public))
    except UnreadableError as error:
        _send(Refusal(str(error), str(error)))


def _limit_memory(memory: int) -> None:
    """Limit the memory where the system can, and leave no dump of it; elsewhere ``process_watch`` does."""
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - Windows has none

        for kind, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CORE, 0)):
            hard = resource.getrlimit(kind)[1]
            # macOS refuses limits below what is in use.
            with suppress(OSError, ValueError):
                resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _send(reply: Reply) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(reply) + b"\n")
    sys.stdout.buffer.flush()


class _Workbook:
    """A workbook, and of its sheets the one that was read last."""

    def __init__(self, path: Path, job: Job) -> None:
        self._job = job
        file = _open_file(path, job)
        self._parts = WorkbookParts(file, job.limits)
        _limit_memory(min(job.limits.memory, _MEMORY + _MEMORY_RATIO * self._parts.size))
        file.seek(0)
        self._book = CalamineWorkbook.from_filelike(file)
        self._loaded: tuple[str, CalamineSheet, SheetStructure] | None = None

    def heads(self) -> list[SheetHead]:
        """Return the first rows with content of every sheet that may have the table."""
        heads = []
        size = 0
        names = self._names()
        # Another sheet than the table's may have any number of rows.
        limits = replace(self._job.limits, max_rows=self._job.limits.max_rows if len(names) == 1 else None)
        for name in names:
            rows = list(islice(self._rows_with_content(name, limits), self._job.head_rows))
            size += sum(_text_length(cells, self._job.limits) for _, cells in rows)
            if size > _MOST_HEADS:
                raise WorkbookRefusedError.plain(f"has too much text in the first rows of its sheets. {SAVE_AGAIN}")
            heads.append(SheetHead(name, rows))
        return heads

    def table(self, choice: Choice) -> Iterator[Reply]:
        """Yield the table below a header in chunks, without blank rows, and without hidden ones that are to be skipped."""
        _, sheet, structure = self._load(choice.sheet, self._job.limits)
        self._job.limits.check_rows(structure.filled_rows)
        header = next((cells for _, cells in _rows(sheet, structure, choice.header_row)), [])
        used = _used_columns(sheet, structure, choice.header_row, header)
        first, end = (min(used), max(used) + 1) if used else (0, 0)
        skipped = self._hidden_rows(sheet, structure, choice.header_row)
        yield TableHead(_cut(header, first, end), first, structure.merged, self._parts.number_formats)
        below = _rows(sheet, structure, choice.header_row + 1)
        shown = ((number, _cut(cells, first, end)) for number, cells in below if number not in skipped)
        rows = ((number, cells) for number, cells in shown if _has_content(cells))
        typed = _TypedCells(structure.typed, first, end, counts_from_1904=self._parts.counts_from_1904)
        yield from _chunks(rows, typed, self._job.limits)

    def _names(self) -> list[str]:
        """Return the sheets in which to look for the table."""
        sheets = [sheet for sheet in self._book.sheets_metadata if sheet.typ is SheetTypeEnum.WorkSheet]
        if not sheets:
            raise damage_error("it lists no sheet")
        self._job.limits.check("sheets", len(sheets), "{} sheets")
        names = [sheet.name for sheet in sheets]
        if self._job.sheet is not None:
            if self._job.sheet not in names:
                raise WorkbookRefusedError(f"has no sheet {self._job.sheet!r}; it has: {', '.join(map(repr, names))}.")
            return [self._job.sheet]
        return [sheet.name for sheet in sheets if sheet.visible is SheetVisibleEnum.Visible] or names[:1]

    def _load(self, name: str, limits: ReadLimits) -> tuple[str, CalamineSheet, SheetStructure]:
        if self._loaded is None or self._loaded[0] != name:
            self._loaded = None
            with self._parts.open_sheet(name) as part:
                structure = read_structure(part, name, limits)
            sheet = self._book.get_sheet_by_name(name)
            read = None if sheet.start is None else (sheet.start, sheet.end)
            if read != structure.rectangle:
                raise damage_error(f"the cells of sheet {name!r} can be understood in two ways")
            self._loaded = name, sheet, structure
        return self._loaded

    def _rows_with_content(self, name: str, limits: ReadLimits) -> Iterator[tuple[int, list[str]]]:
        _, sheet, structure = self._load(name, limits)
        return ((number, cells) for number, cells in _rows(sheet, structure) if _has_content(cells))

    def _hidden_rows(self, sheet: CalamineSheet, structure: SheetStructure, header_row: int) -> set[int]:
        """Return the hidden rows to skip; WorkbookRefusedError if there are some and the user has not decided."""
        if not structure.hidden or self._job.hidden == "include":
            return set()
        below = _rows(sheet, structure, header_row + 1)
        numbers = [number for number, cells in below if number in structure.hidden and _has_content(cells)]
        if numbers and self._job.hidden is None:
            count = plural(len(numbers), "hidden row")
            rest = "Say whether they are meant: --hidden-rows include or --hidden-rows skip."
            raise WorkbookRefusedError(
                f"has in sheet {sheet.name!r} {count} with data; the first is row {numbers[0] + 1}. {rest}",
                public=f"has {count} with data. {rest}",
            )
        return set(numbers)


def _open_file(path: Path, job: Job) -> IO[bytes]:
    """Open a workbook, unpacked into memory if it is compressed."""
    if not job.compressed:
        return path.open("rb")
    limits = replace(job.limits, bytes=min(job.limits.bytes, _MOST_UNPACKED))
    with open_unpacked(path, limits, compressed=True) as packed:
        return io.BytesIO(packed.read())


def _used_columns(sheet: CalamineSheet, structure: SheetStructure, header_row: int, header: list[str]) -> set[int]:
    """Return the columns with a name or with a cell that is not blank."""
    used = {index for index, name in enumerate(header) if name.strip()}
    if used and structure.first_column >= min(used) and structure.last_column <= max(used) and not structure.texts:
        return used
    for _, cells in _rows(sheet, structure, header_row + 1):
        if len(cells) > max(used, default=-1) + 1 or min(used, default=0):
            used.update(index for index, cell in enumerate(cells) if index not in used and cell.strip())
    return used


def _rows(sheet: CalamineSheet, structure: SheetStructure, first: int = 0) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows from the ``first`` on with their numbers, counted from 0; cells as text."""
    left = [""] * (sheet.start[1] if sheet.start else 0)
    number = -1
    for number, values in enumerate(sheet.iter_rows() if sheet.start else ()):
        if number >= first:
            cells = [*left, *map(_text, values)]
            _insert(cells, structure.texts.get(number, {}))
            yield number, cells
    # Formulas that were never calculated may be below all values.
    for later in sorted(row for row in structure.texts if row > max(number, first - 1)):
        cells = []
        _insert(cells, structure.texts[later])
        yield later, cells


class _TypedCells:
    """The numbers and truth values of the table in the columns from ``first`` to ``end``."""

    def __init__(self, typed: Mapping[int, list[int | str]], first: int, end: int, *, counts_from_1904: bool) -> None:
        self._typed = typed
        self._first, self._end = first, end
        self._counts_from_1904 = counts_from_1904

    def of(self, number: int, cells: list[str]) -> list[TypedValue]:
        """Return those of a row, their columns counted from the first of the table."""
        flat = self._typed.get(number, ())
        found = []
        for column, value, style, is_truth_value in zip(
            *(islice(flat, start, None, 4) for start in range(4)), strict=True
        ):
            index = int(column) - self._first
            if self._first <= int(column) < self._end and (shown := self._value(str(value), cells[index])):
                found.append((index, shown, int(style) if str(style).isdigit() else 0, bool(is_truth_value)))
        return found

    def _value(self, value: str, text: str) -> str:
        """Return what stands for a cell in a workbook that counts from 1900; empty if it is no number."""
        if not _NUMBER.fullmatch(value) or not isfinite(float(value)):
            return ""
        return repr(float(value) + _DAYS_UNTIL_1904) if self._counts_from_1904 and _DATE.match(text) else value


def _chunks(rows: Iterator[tuple[int, list[str]]], typed: _TypedCells, limits: ReadLimits) -> Iterator[Rows]:
    """Yield the rows in chunks, the last without any."""
    chunk = Rows([], [], [])
    size = 0
    for number, cells in rows:
        chunk.numbers.append(number)
        chunk.cells.append(cells)
        chunk.typed.append(typed.of(number, cells))
        size += _text_length(cells, limits) + len(cells)
        if size > _CHUNK_SIZE:
            yield chunk
            chunk, size = Rows([], [], []), 0
    if chunk.numbers:
        yield chunk
    yield Rows([], [], [])


def _text_length(cells: list[str], limits: ReadLimits) -> int:
    """Return the characters in a row; UnreadableError if they are too many."""
    length = sum(map(len, cells))
    limits.check("row", length, "{} characters in a row", "Shorten its cells")
    if length > limits.cell:
        limits.check("cell", max(map(len, cells)), "{} characters in a cell", "Shorten it")
    return length


def _insert(cells: list[str], texts: dict[int, str]) -> None:
    """Put texts that calamine does not report into their cells."""
    for column, text in texts.items():
        cells.extend([""] * (column + 1 - len(cells)))
        cells[column] = text


def _cut(cells: list[str], first: int, end: int) -> list[str]:
    """Return the cells of some columns; missing ones are empty."""
    return cells[first:end] + [""] * (end - max(first, len(cells)))


def _has_content(cells: list[str]) -> bool:
    return any(map(str.strip, cells))


def _text(cell: Cell) -> str:
    """Return a cell as it would be typed: whole numbers without a point, dates as ISO 8601."""
    match cell:
        case str():
            return cell
        case bool():
            return "TRUE" if cell else "FALSE"
        case int() | float():
            return str(int(cell)) if float(cell).is_integer() and abs(cell) < _EXACT else repr(float(cell))
        case datetime():
            return cell.date().isoformat() if cell.time() == time() else cell.isoformat(sep=" ")
        case _:
            return cell.isoformat() if isinstance(cell, date | time) else str(cell)

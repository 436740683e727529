"""What is exchanged with the process that reads a workbook, as lines of JSON."""

import msgspec

from bulkreact.errors import RefusalFacts
from bulkreact.models import ColumnType, TypedCell
from bulkreact.sheets.input.read_limits import ReadLimits

# A rectangle of cells that are merged: first row, first column, last row, last column, counted from 0.
MergedRange = tuple[int, int, int, int]


class Job(msgspec.Struct, frozen=True):
    """How to read a workbook: the named ``sheet`` or every visible one; ``hidden`` decides about hidden rows."""

    compressed: bool
    sheet: str | None
    hidden: str | None
    head_rows: int
    limits: ReadLimits


class SheetHead(msgspec.Struct, frozen=True):
    """The first rows of a sheet that have content, with their numbers, counted from 0."""

    sheet: str
    rows: list[tuple[int, tuple[str, ...]]]


class Heads(msgspec.Struct, frozen=True, tag=True):
    """The candidates for the sheet with the table, and the names of all sheets."""

    sheets: list[SheetHead]
    names: list[str]


class Choice(msgspec.Struct, frozen=True):
    """The sheet to read and the row of its header."""

    sheet: str
    header_row: int


class TableHead(msgspec.Struct, frozen=True, tag=True):
    """The header of the chosen table; ``first_column`` is the first with a name or a cell.

    ``widths`` are those of its columns, in characters, as far as the sheet has some.
    """

    header: tuple[str, ...]
    first_column: int
    merged: list[MergedRange]
    widths: list[float | None]


class Rows(msgspec.Struct, frozen=True, tag=True):
    """Some of the rows below the header, in order, as long as the header; no rows at the end.

    ``types`` has for each row the index of the types of its columns among ``column_types``, ``others`` by row numbers
    the typed cells that these do not describe.
    """

    numbers: list[int]
    cells: list[tuple[str, ...]]
    types: list[int]
    column_types: list[tuple[ColumnType, ...]]
    others: dict[int, list[TypedCell]]


class Refusal(msgspec.Struct, frozen=True, tag=True):
    """Why the workbook cannot be read: a sentence that begins behind its name, and what to do.

    ``public`` quotes nothing of the workbook, unlike the ``message``; it may be empty.
    """

    message: str
    public: str
    facts: RefusalFacts


Reply = Heads | TableHead | Rows | Refusal

"""Makes a table of the rows below the header of a sheet, in chunks as they are sent. No I/O."""

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from operator import lt

from msgspec.json import Decoder, encode

from bulkreact.errors import RefusalCode, RefusalFacts
from bulkreact.models import ColumnType, TypedCell
from bulkreact.sheets.input.read_limits import ReadLimits
from bulkreact.sheets.input.workbook.column_types import ColumnTypes
from bulkreact.sheets.input.workbook.sheet_parser import MOST_COLUMNS, ColumnWidth
from bulkreact.sheets.input.workbook.sheet_rows import SheetRow, SheetRows
from bulkreact.sheets.input.workbook.workbook_messages import Choice, Job, Reply, Rows, TableHead
from bulkreact.sheets.input.workbook.workbook_parts import WorkbookRefusedError, damage_error
from bulkreact.wording import plural

# In characters and cells.
_CHUNK_SIZE = 4 << 20
# A large rectangle with less than one value in twenty cells has a cell far away from the others.
_FEW_CELLS, _MOST_SPARSE = 2_000_000, 20


class SheetTable:
    """The table below a header; its chunks are encoded as they are filled, and complete when the sheet was read.

    Its columns are those with a name or a cell. They are chosen when the first chunk is full: ``is_wider`` says that a
    later row has a cell in another one, so that the sheet must be read again. ``columns`` are known from an earlier time.
    """

    def __init__(self, choice: Choice, job: Job, columns: frozenset[int] = frozenset()) -> None:
        self.columns = set(columns)
        self.is_wider = False
        self._choice = choice
        self._limits = job.limits
        self._hidden_choice = job.hidden
        self._hidden: list[int] = []
        self._extent = _Extent(choice.sheet, job.limits)
        self._range: tuple[int, int] | None = None
        self._types = ColumnTypes(0, 0)
        self._header: tuple[str, ...] = ()
        self._pending: list[SheetRow] = []
        self._pending_size = 0
        self._chunks: list[bytes] = []

    def read(self, rows: SheetRows) -> Iterator[Reply | bytes]:
        """Return the header and the chunks of a sheet; WorkbookRefusedError or UnreadableError if it has no such table."""
        header_row = self._choice.header_row
        for batch in rows.batches():
            self._extent.add(batch)
            if header := [row.cells for row in batch if row.number == header_row]:
                self._header = header[0]
                self._use([index for index, name in enumerate(self._header) if name.strip()])
            self._add([row for row in batch if row.number > header_row and has_content(row.cells)])
        self._extent.check()
        self._check_hidden()
        self._flush()
        first, end = self._range or (0, 0)
        widths = _widths_of(rows.parser.widths, first, end)
        head = TableHead(_cut(self._header, first, end), first, rows.parser.merged, widths)
        return self._replies(head)

    def _replies(self, head: TableHead) -> Iterator[Reply | bytes]:
        yield head
        yield from self._chunks if self._extent.is_in_order else _sort(self._chunks)
        yield Rows([], [], [], [], {})

    def _add(self, rows: Sequence[SheetRow]) -> None:
        if self._hidden_choice != "include" and (hidden := [row.number for row in rows if row.is_hidden]):
            self._hidden += hidden
            rows = [row for row in rows if not row.is_hidden]
        for shape in {row.shape for row in rows}:
            if unused := [column for column in shape.columns if column not in self.columns]:
                alike = [row.cells for row in rows if row.shape is shape]
                self._use([column for column in unused if any(cells[column].strip() for cells in alike)])
        for row in rows:
            self._pending.append(row)
            self._pending_size += text_length(row.cells, self._limits) + len(row.cells)
            if self._pending_size > _CHUNK_SIZE:
                self._flush()

    def _use(self, columns: Sequence[int]) -> None:
        if columns:
            self.columns.update(columns)
            first, end = self._range or (min(columns), max(columns) + 1)
            self.is_wider |= min(columns) < first or max(columns) >= end

    def _flush(self) -> None:
        """Encode the rows that have been added."""
        self._extent.check_limits()
        if self._range is None:
            self._range = (min(self.columns), max(self.columns) + 1) if self.columns else (0, 0)
            self._types = ColumnTypes(*self._range)
        pending, self._pending, self._pending_size = self._pending, [], 0
        if pending and not self.is_wider:
            self._chunks.append(encode(self._chunk(pending, *self._range)))

    def _chunk(self, pending: Sequence[SheetRow], first: int, end: int) -> Rows:
        chunk = Rows([row.number for row in pending], [_cut(row.cells, first, end) for row in pending], [], [], {})
        indexes: dict[tuple[ColumnType, ...], int] = {}
        types, index = None, 0
        for row in pending:
            before, types = types, self._types.update(row.shape, row.cells)
            if types is not before:
                index = indexes.setdefault(types, len(indexes))
            chunk.types.append(index)
            if row.others:
                chunk.others[row.number] = [_shift(cell, first) for cell in row.others if first <= cell.column < end]
        chunk.column_types.extend(indexes)
        return chunk

    def _check_hidden(self) -> None:
        """Refuse hidden rows with content if the user has not decided about them."""
        if self._hidden and self._hidden_choice is None:
            count = plural(len(self._hidden), "hidden row")
            rest = "Say whether they are meant: --hidden-rows include or --hidden-rows skip."
            raise WorkbookRefusedError(
                f"has in sheet {self._choice.sheet!r} {count} with data; the first is row {min(self._hidden) + 1}. {rest}",
                public=f"has {count} with data. {rest}",
                facts=RefusalFacts(RefusalCode.HIDDEN_ROWS, hidden_rows=len(self._hidden)),
            )


class _Extent:
    """The rows of a sheet that have values, and the smallest rectangle around these."""

    def __init__(self, sheet: str, limits: ReadLimits) -> None:
        self.is_in_order = True
        self._sheet = sheet
        self._limits = limits
        self._numbers = array("L")
        self._last_row = self._last_column = -1
        self._first_column = MOST_COLUMNS
        self._values = 0

    def add(self, rows: Sequence[SheetRow]) -> None:
        """Take note of rows, each of which has a value."""
        numbers = [row.number for row in rows]
        self.is_in_order = self.is_in_order and all(map(lt, [self._last_row, *numbers], numbers))
        self._numbers.extend(numbers)
        self._limits.check_rows(len(self._numbers))
        self._last_row = max(self._last_row, *numbers)
        filled = [row.shape.columns for row in rows]
        self._values += sum(map(len, filled))
        self._first_column = min(self._first_column, *(columns[0] for columns in filled))
        self._last_column = max(self._last_column, *(columns[-1] for columns in filled))

    def check(self) -> None:
        """Refuse a sheet with a cell far away from the others, with a row that occurs twice, or with too many cells."""
        most = max(_FEW_CELLS, self._values * _MOST_SPARSE)
        if self._height * (self._last_column - self._first_column + 1) > most:
            raise WorkbookRefusedError(
                f"has in sheet {self._sheet!r} a cell far away from the others: row {self._last_row + 1}, column "
                f"{self._last_column + 1}. Delete it (in Excel, Ctrl+End goes there), or copy the table into a new sheet."
            )
        if not self.is_in_order and (repeated := Counter(self._numbers).most_common(1))[0][1] > 1:
            raise damage_error(f"row {repeated[0][0] + 1} of sheet {self._sheet!r} occurs twice")
        self.check_limits()

    def check_limits(self) -> None:
        """Raise UnreadableError if there are too many cells so far."""
        self._limits.check("columns", self._last_column + 1, "{} columns")
        self._limits.check("cells", (self._last_column + 1) * self._height, "{} cells")

    @property
    def _height(self) -> int:
        return self._last_row - min(self._numbers) + 1 if self._numbers else 0


def text_length(cells: Sequence[str], limits: ReadLimits) -> int:
    """Return the characters in a row; UnreadableError if they are too many."""
    length = len("".join(cells))
    if length > min(limits.row, limits.cell):
        limits.check("row", length, "{} characters in a row", "Shorten its cells")
        limits.check("cell", max(map(len, cells)), "{} characters in a cell", "Shorten it")
    return length


def has_content(cells: Sequence[str]) -> bool:
    """Return whether any cell is not blank."""
    return any(map(str.strip, cells))


def _cut(cells: tuple[str, ...], first: int, end: int) -> tuple[str, ...]:
    """Return the cells of some columns; missing ones are empty."""
    if not first and len(cells) == end:
        return cells
    return cells[first:end] + ("",) * (end - max(first, len(cells)))


def _shift(cell: TypedCell, first: int) -> TypedCell:
    return TypedCell(cell.column - first, cell.value, cell.number_format, cell.is_truth_value)


def _widths_of(widths: Sequence[ColumnWidth], first: int, end: int) -> list[float | None]:
    """Return the widths of some columns; None for those that have none of their own."""
    found: list[float | None] = [None] * (end - first)
    for width in widths:
        columns = range(max(width.first, first) - first, min(width.last + 1, end) - first)
        found[columns.start : columns.stop] = [width.width] * len(columns)
    return found


def _sort(chunks: Sequence[bytes]) -> Iterator[Rows]:
    """Yield the rows of a sheet whose rows are in another order, in one chunk."""
    ordered = Rows([], [], [], [], {})
    rows: list[tuple[int, tuple[str, ...], int]] = []
    for chunk in map(Decoder(Rows).decode, chunks):
        types = [index + len(ordered.column_types) for index in chunk.types]
        rows += zip(chunk.numbers, chunk.cells, types, strict=True)
        ordered.column_types.extend(chunk.column_types)
        ordered.others.update(chunk.others)
    for number, cells, kind in sorted(rows):
        ordered.numbers.append(number)
        ordered.cells.append(cells)
        ordered.types.append(kind)
    if rows:
        yield ordered

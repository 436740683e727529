"""Reads an input file in chunks, all cells as text, and checks every row; sends and stores nothing."""

import hashlib
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import pandas as pd
from msgspec.structs import replace

from bulkreact.errors import FileRefusedError, InputRefusedError, RefusalCode, RefusalFacts
from bulkreact.models import ColumnType, InputRow, Kind, Target
from bulkreact.partnercenter.response_bodies import DESCRIPTION_LENGTH
from bulkreact.plain_rows import PlainRows
from bulkreact.sheets.columns import ID_COLUMNS, HeaderRule
from bulkreact.sheets.formula_guard import unguard
from bulkreact.sheets.input import guid_cells, row_checks
from bulkreact.sheets.input.carried_types import CarriedTypes
from bulkreact.sheets.input.earlier_results import EarlierResults
from bulkreact.sheets.input.input_options import InputOptions
from bulkreact.sheets.input.plain_columns import digest_lines, find_plain_rows
from bulkreact.sheets.input.read_limits import ReadLimits, refusing, too_many_rows
from bulkreact.sheets.input.repeated_headers import RepeatedHeaders
from bulkreact.sheets.input.row_errors import CellError, RowError, format_ranges
from bulkreact.sheets.input.row_options import RowOptionsReader
from bulkreact.sheets.input.source_format import SourceFormat, source_format
from bulkreact.sheets.input.table import blank_rows, layout_of, open_table
from bulkreact.sheets.input.totals import is_total, leave_out_totals

_ERRORS_LISTED = 1000
_SAMPLE_ROWS = 20


class InputFile:
    """One input file; the counts are complete after ``rows`` has been read.

    ``errors`` are the first 1,000, or all with ``all_errors``; ``on_error`` gets each of them, also those of totals,
    which are left out in the end. ``sample`` has the first rows with content as they are. ``sha256`` is of the file's
    bytes; ``digest`` of the kinds and normalized ids of the valid rows, in order.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_rows: int,
        name: str = "",
        options: InputOptions | None = None,
        all_errors: bool = False,
    ) -> None:
        self.path = path
        self.name = name or str(path)
        self._max_rows = max_rows
        self.on_error: Callable[[RowError], None] = lambda _: None
        self.sample: list[tuple[str, ...]] = []
        self._errors_listed = sys.maxsize if all_errors else _ERRORS_LISTED
        options = options or InputOptions()
        options = replace(options, limits=replace(options.limits, max_rows=max_rows))
        self._limits, self._expected_sha256 = options.limits, options.sha256
        self.sha256 = self._hash()
        rule = HeaderRule(options.columns, ID_COLUMNS if options.kind is Kind.AZURE else ID_COLUMNS[:2], options.summed)
        self._table = open_table(path, self.name, options, rule)
        self._layout = layout = layout_of(self.name, self._table, rule)
        self._options = RowOptionsReader(layout, options.kind, options.restore_auto_renew)
        self._guarded = self._table.guarded and bool(layout.results)
        self._headers = RepeatedHeaders(self.name, self._table.header, self._table.found, rule)
        self._ids_only = (
            options.kind is Kind.AZURE
            and not layout.results
            and not layout.optional
            and all(map(str.strip, layout.header))
        )
        self._other_columns = [index for index in layout.carried_columns if index not in layout.ids]
        self._types = CarriedTypes(layout)
        self._digest = hashlib.sha256()
        self.count = 0
        self.unread_dates = 0
        self.codes: Counter[str] = Counter()
        self.errors: list[RowError] = []
        # The codes of rows that read like totals, and the numbers of those that are.
        self._totals: dict[int, str] = {}
        self._left_out: list[int] = []
        self._earlier = EarlierResults(self.name, layout)

    @property
    def facts(self) -> RefusalFacts:
        """Return what a program needs to know of the file if it is refused."""
        return RefusalFacts(header=self._table.header, sheets=self._table.sheets, rows=self.count)

    @property
    def source(self) -> SourceFormat:
        """Return how the file is laid out."""
        return source_format(self._table, self._layout)

    def check_bytes(self) -> None:
        """Raise FileRefusedError if the file has been replaced by another one since its rows were read."""
        if self._expected_sha256:
            self._hash()

    def _hash(self) -> str:
        found = sha256_of(self.path, self.name, self._limits)
        if self._expected_sha256 and found != self._expected_sha256:
            raise FileRefusedError.plain(
                f"{self.name} is not the file that --sha256 names: its SHA-256 is {found}. Nothing was sent.",
                RefusalCode.OTHER_BYTES,
            )
        return found

    @property
    def header(self) -> tuple[str, ...]:
        """Return the names of the columns carried into the results."""
        return self._layout.header

    @property
    def name_header(self) -> str:
        """Return the column that was chosen for the names of customers, by its name in the results."""
        return self._layout.name_header

    @property
    def sum_header(self) -> str:
        """Return the column whose amounts are summed, by its name in the results; empty if none is."""
        return self._layout.sum_header

    @property
    def column_widths(self) -> tuple[float | None, ...]:
        """Return the widths that the sender chose for the columns of the header; empty if there are none."""
        widths = [self._table.widths[index] for index in self._layout.carried_columns] if self._table.widths else []
        return tuple(widths) if any(widths) else ()

    @property
    def remark(self) -> str:
        """Return what was guessed about the file, and its totals, empty if nothing that matters to the user."""
        totals = ""
        if self._left_out:
            rows = "a total, row" if len(self._left_out) == 1 else "totals, rows"
            totals = f"{self.name} has {rows} {format_ranges(self._left_out)}: left out, as no row with ids follows."
        return " ".join(filter(None, (self._table.remark, totals, self._earlier.remark)))

    @property
    def from_spreadsheet(self) -> bool:
        """Return whether a spreadsheet program probably saved the file."""
        return self._table.from_spreadsheet

    @property
    def digest(self) -> str:
        """Return the digest over the rows read so far."""
        return self._digest.hexdigest()

    def add_errors(self, errors: Iterable[RowError]) -> None:
        """Count rows as invalid for a reason that only the whole file shows."""
        for error in errors:
            self._record(error)
        self.errors.sort(key=lambda error: error.number)

    def rows(self) -> Iterator[InputRow]:
        """Return every row with content; InputRefusedError if there are too many."""
        return chain.from_iterable(self._batches())

    def rows_in_bulk(self) -> Iterator[InputRow | PlainRows]:
        """Yield the same rows, plain ones together."""
        for rows in self._batches():
            yield from (rows,) if isinstance(rows, PlainRows) else rows

    def _batches(self) -> Iterator[PlainRows | list[InputRow]]:
        for rows in self._batches_without_totals():
            left = max(0, self._max_rows - self.count)
            self.count += len(rows)
            yield rows if len(rows) <= left else list(rows)[:left]
        if self.count > self._max_rows:
            facts = self.facts._replace(code=RefusalCode.TOO_MANY_ROWS)
            raise FileRefusedError(f"{self.name} {too_many_rows(f'{self.count:,}', self._max_rows)}", facts=facts)

    def _batches_without_totals(self) -> Iterator[PlainRows | list[InputRow]]:
        self._left_out = yield from leave_out_totals(map(self._rows_of, self._table.chunks()), self._totals)
        self.codes -= Counter(self._totals[number] for number in self._left_out)
        self.errors = [error for error in self.errors if error.number not in self._left_out]

    def _rows_of(self, chunk: pd.DataFrame) -> PlainRows | list[InputRow]:
        if (missing := _SAMPLE_ROWS - len(self.sample)) > 0:
            head = chunk.loc[~blank_rows(chunk)].head(missing)
            self.sample += [cells[: len(self._table.header)] for cells in _cells(head)]
        types = self._table.common_types
        if types is not None and (plain := self._plain_rows(chunk, self._types.of_columns(types))):
            return plain
        rows = list(self._checked_rows(chunk))
        return rows if types == () else [self._types.add(row, self._table.cell_types(row.number - 1)) for row in rows]

    def _plain_rows(self, chunk: pd.DataFrame, types: tuple[ColumnType, ...]) -> PlainRows | None:
        if not self._ids_only or len(chunk.columns) != len(self._layout.carried_columns):
            return None
        columns = [chunk[index].tolist() for index in chunk.columns]
        rows = find_plain_rows((chunk.index + 1).tolist(), columns, self._layout.ids, types)
        self._digest.update(digest_lines(rows).encode() if rows else b"")
        return rows

    def _checked_rows(self, chunk: pd.DataFrame) -> Iterator[InputRow]:
        indexes = [index for index in self._layout.ids if index is not None]
        chunk = chunk.loc[~blank_rows(chunk)]
        ids = [guid_cells.normalize(chunk[index]).tolist() for index in indexes]
        if len(ids) < len(ID_COLUMNS):
            ids.append([""] * len(chunk))
        has_line_breaks = _has_line_breaks(chunk, range(len(chunk.columns)))
        for number, cells, guids in zip((chunk.index + 1).tolist(), _cells(chunk), zip(*ids, strict=True), strict=True):
            # The names of columns are no ids.
            if ("" in guids or self._headers.may_stand_beside) and self._headers.repeats(number, cells):
                continue
            if has_line_breaks and (swallowed := row_checks.find_swallowed(cells, self._layout)):
                yield self._invalid_row(number, cells, [swallowed])
            else:
                yield self._checked_row(number, cells, guids)

    def _checked_row(self, number: int, cells: Sequence[str], guids: tuple[str, ...]) -> InputRow:
        if self._guarded:
            cells = [unguard(cell) for cell in cells]
        if errors := self._find_errors(number, cells, guids):
            return self._invalid_row(number, cells, errors)
        carried = tuple(cells[index] for index in self._layout.carried_columns)
        options = self._options.read(cells)
        self.unread_dates += options.unread_dates
        customer_id, subscription_id, entitlement_id = guids
        target = Target(customer_id, subscription_id, entitlement_id if options.kind is Kind.AZURE else "")
        self._digest.update(target.digest_line.encode())
        call = self._earlier.add(number, cells, target)
        return InputRow(
            number,
            carried,
            target,
            request_id=call.request_id,
            request_id_is_for_read=call.is_read,
            outcome_unknown=call.outcome_unknown,
            restore_auto_renew=options.restore_auto_renew,
            deadline=options.deadline,
        )

    def _invalid_row(self, number: int, cells: Sequence[str], errors: Sequence[CellError]) -> InputRow:
        error = RowError(number, tuple(errors))
        self._record(error)
        carried = tuple(cells[index] for index in self._layout.carried_columns)
        ids = ["" if index is None else cells[index] for index in self._layout.ids]
        if error.code != row_checks.SWALLOWED_ROWS and is_total(carried, ids):
            self._totals[number] = error.code
        return InputRow(number, carried, None, error.code, error.message[:DESCRIPTION_LENGTH])

    def _find_errors(self, number: int, cells: Sequence[str], guids: tuple[str, ...]) -> list[CellError]:
        cut = self._table.cut_off
        if cut and number == cut.number and (error := row_checks.find_cut_off(cut.cells, self._layout)):
            return [error]
        errors = row_checks.find_errors(cells, guids, self._options, width=len(self._table.header))
        return row_checks.explain_merged(errors, self._merged_ids(number)) if errors else []

    def _merged_ids(self, number: int) -> dict[str, str]:
        """Return the merged cells to which ids of a row belong, by their columns."""
        ids = zip(ID_COLUMNS, self._layout.ids, strict=True)
        ranges = {column: self._table.merged_range(number - 1, index) for column, index in ids if index is not None}
        return {column: merged for column, merged in ranges.items() if merged}

    def _record(self, error: RowError) -> None:
        self.codes[error.code] += 1
        self.on_error(error)
        if len(self.errors) < self._errors_listed:
            self.errors.append(error)


def _has_line_breaks(chunk: pd.DataFrame, columns: Iterable[int]) -> bool:
    return any(guid_cells.has_line_break("".join(chunk[column].tolist())) for column in columns)


def _cells(chunk: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    return zip(*(chunk[column].tolist() for column in chunk.columns), strict=True)


def sha256_of(path: Path, name: str, limits: ReadLimits) -> str:
    """Return the SHA-256 of a file; InputRefusedError if it cannot be read, or is too large to be."""
    try:
        with path.open("rb") as file, refusing(name):
            limits.check("bytes", os.fstat(file.fileno()).st_size, "{} bytes")
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise InputRefusedError(f"{name} does not exist.") from None
    except IsADirectoryError:
        raise InputRefusedError(f"{name} is a folder; name a file in it.") from None
    except OSError as error:
        raise InputRefusedError(f"{name} cannot be read: {error.strerror}.") from None

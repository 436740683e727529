"""Reads an input file in chunks, everything as text, and checks every row; it sends nothing and keeps nothing."""

import hashlib
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import pandas as pd

from bulkreact.errors import InputRefusedError
from bulkreact.models import InputRow, Kind, Status, Target
from bulkreact.partnercenter.error_codes.local_codes import READING, UNREADABLE
from bulkreact.partnercenter.response_bodies import DESCRIPTION_LENGTH
from bulkreact.sheets.columns import ID_COLUMNS, ColumnError, ColumnLayout, is_header, layout
from bulkreact.sheets.formula_guard import unguard
from bulkreact.sheets.input import guid_cells, row_options
from bulkreact.sheets.input.csv_scan import Wanted
from bulkreact.sheets.input.csv_table import TextTable
from bulkreact.sheets.input.input_options import InputOptions
from bulkreact.sheets.input.row_errors import CellError, RowError
from bulkreact.sheets.input.row_options import RowOptionsReader

_PROBLEMS_KEPT = 1000
_ZIP = b"PK\x03\x04"
_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0"
_NOT_BUSINESS = {"", "401", "408", "429"}


class Table(Protocol):
    """What a file has been found to hold, as texts."""

    @property
    def header(self) -> tuple[str, ...]:
        """Return the names of the columns, empty when there is nothing in the file."""
        ...

    @property
    def remark(self) -> str:
        """Return what was guessed, where that may matter to people."""
        ...

    @property
    def guarded(self) -> bool:
        """Tell whether the cells of a results file of this kind bear the formula guard."""
        ...

    @property
    def from_spreadsheet(self) -> bool:
        """Tell whether a spreadsheet has saved the file, by all appearances."""
        ...

    def chunks(self) -> Iterator[pd.DataFrame]:
        """Yield the rows below the header; their index is the row that a spreadsheet shows, counted from 0."""
        ...


class InputFile:
    """One input file; ``rows`` reads it, afterwards the counts are complete.

    ``problems`` are the first ones, or all of them if that is asked for. ``sha256`` is of the file's bytes; ``digest`` of the kind and the canonical ids in order, invalid rows left out.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_rows: int,
        name: str = "",
        options: InputOptions | None = None,
        all_problems: bool = False,
    ) -> None:
        self.path = path
        self.name = name or str(path)
        self.sha256 = digest_of_bytes(path)
        self._max_rows = max_rows
        self._problems_kept = sys.maxsize if all_problems else _PROBLEMS_KEPT
        options = options or InputOptions()
        self._table = _table(path, self.name, options)
        self._layout = _layout_of(self.name, self._table, options)
        self._wishes = RowOptionsReader(self._layout, kind=options.kind, restore_auto_renew=options.restore_auto_renew)
        self._guarded = self._table.guarded and bool(self._layout.results)
        self._plain = (
            not (self._guarded or self._layout.results or self._layout.optional) and options.kind is Kind.AZURE
        )
        self._digest = hashlib.sha256()
        self.count = 0
        self.codes: Counter[str] = Counter()
        self.problems: list[RowError] = []

    @property
    def header(self) -> tuple[str, ...]:
        """Return the names of the columns that are carried into the results."""
        return self._layout.header

    @property
    def remark(self) -> str:
        """Return what was guessed about the file, where that may matter to people."""
        return self._table.remark

    @property
    def unread_dates(self) -> int:
        """Return how many cells so far should say when something was cancelled or is deleted, and do not."""
        return self._wishes.unread_dates

    @property
    def from_spreadsheet(self) -> bool:
        """Tell whether a spreadsheet has saved the file, by all appearances."""
        return self._table.from_spreadsheet

    @property
    def digest(self) -> str:
        """Return the digest over the rows read so far."""
        return self._digest.hexdigest()

    def add(self, problems: Iterable[RowError]) -> None:
        """Count rows as invalid in which something is wrong that only the whole file tells."""
        for problem in problems:
            self._note(problem)
        self.problems.sort(key=lambda problem: problem.number)

    def rows(self) -> Iterator[InputRow]:
        """Yield every row with content; InputRefusedError when there are more than allowed."""
        for chunk in self._table.chunks():
            for row in self._rows_of(chunk):
                self.count += 1
                if self.count <= self._max_rows:
                    yield row
        if self.count > self._max_rows:
            raise InputRefusedError(
                f"{self.name} has {self.count:,} rows, more than the {self._max_rows:,} that --max-rows allows. "
                "Check that it is the right file; if it is, raise --max-rows."
            )

    def _rows_of(self, chunk: pd.DataFrame) -> Iterator[InputRow]:
        places = [place for place in self._layout.ids if place is not None]
        ids = [chunk[place].tolist() for place in places]
        good = [guid_cells.are_canonical(column) for column in ids]
        if not any(good):
            # A row with an id in it is neither.
            chunk = chunk.loc[~(_blank(chunk, places) | self._repeated(chunk, places))]
        if not all(good):
            ids = [guid_cells.normalize(chunk[place]).tolist() for place in places]
        if len(ids) < len(ID_COLUMNS):
            ids.append([""] * len(chunk))
        numbers = (chunk.index + 1).tolist()
        rows = zip(*(chunk[column].tolist() for column in chunk.columns), strict=True)
        # Most rows have nothing but ids in which nothing is wrong, and whose cells are kept as they are.
        plain = self._plain and len(chunk.columns) == len(self._layout.carried_columns)
        if plain and all(good):
            targets = list(map(Target, *ids))
            self._digest.update("".join([target.digest_line for target in targets]).encode())
            yield from map(InputRow, numbers, rows, targets)
            return
        for number, cells, customer_id, subscription_id, entitlement_id in zip(numbers, rows, *ids, strict=True):
            if plain and customer_id and subscription_id and entitlement_id:
                target = Target(customer_id, subscription_id, entitlement_id)
                self._digest.update(target.digest_line.encode())
                row = InputRow(number, cells, target)
            else:
                row = self._row(number, list(cells), [customer_id, subscription_id, entitlement_id])
            yield row

    def _repeated(self, chunk: pd.DataFrame, places: list[int]) -> "pd.Series[bool]":
        """Tell which rows are the header once more."""
        repeated = pd.Series(data=True, index=chunk.index)
        for place in places:
            name = self._table.header[place].strip().casefold()
            repeated &= chunk[place].str.strip().str.casefold() == name
            if not repeated.any():
                break
        return repeated

    def _row(self, number: int, given: list[str], found: list[str]) -> InputRow:
        cells = [unguard(cell) for cell in given] if self._guarded else given
        kept = tuple(cells[place] for place in self._layout.carried_columns)
        if problem := self._problem(number, cells, found):
            self._note(problem)
            return InputRow(number, kept, None, problem.code, problem.words[:DESCRIPTION_LENGTH])
        wanted = self._wishes.of(cells)
        customer_id, subscription_id, entitlement_id = found
        target = Target(customer_id, subscription_id, entitlement_id if wanted.kind is Kind.AZURE else "")
        self._digest.update(target.digest_line.encode())
        request_id, of_read, lost = self._carried(cells)
        return InputRow(
            number,
            kept,
            target,
            request_id=request_id,
            request_id_is_for_read=of_read,
            outcome_unknown=lost,
            restore_auto_renew=wanted.restore_auto_renew,
            deadline=wanted.deadline,
        )

    def _note(self, problem: RowError) -> None:
        self.codes[problem.code] += 1
        if len(self.problems) < self._problems_kept:
            self.problems.append(problem)

    def _problem(self, number: int, cells: list[str], found: list[str]) -> RowError | None:
        extra = [cell for cell in cells[len(self._table.header) :] if cell.strip()]
        if extra:
            surplus = ", ".join(map(repr, extra))
            return RowError(
                number,
                (CellError("ragged-row", "", surplus, f"the row has more cells than the header; surplus: {surplus}"),),
            )
        ids = ["" if place is None else cells[place] for place in self._layout.ids]
        if all(map(guid_cells.is_blank, ids)):
            return RowError(number, (CellError("no-ids", "", "", "the row has content but no ids"),))
        defects = row_options.defects(self._wishes.layout, cells)
        # Where nobody can tell what is wanted, nothing is missing yet.
        unclear = any(one.code in row_options.UNCLEAR for one in defects)
        itself = unclear or self._wishes.kind_of(cells) is Kind.SUBSCRIPTION
        needed = list(zip(ID_COLUMNS, ids, found, strict=True))[: 2 if itself else None]
        defects = [*(guid_cells.explain(column, cell) for column, cell, guid in needed if not guid), *defects]
        return RowError(number, tuple(defects)) if defects else None

    def _carried(self, cells: list[str]) -> tuple[str, bool, bool]:
        """Return the request id to go on with, when a results file says that it got no business answer.

        With it whether it belongs to a reading, and whether an answer was lost.
        """
        places = self._layout.results
        if not places:
            return "", False, False
        request_id, status, http_status, code, words = (
            cells[places[name]].strip()
            for name in ("request_id", "status", "http_status", "error_code", "error_description")
        )
        lost = status == Status.UNKNOWN
        # Any other answer ended the id, even where it left the row unknown; a proxy's page is none.
        open_ended = http_status in _NOT_BUSINESS or http_status[:1] in {"3", "5"} or code == UNREADABLE
        carried = request_id.lower() if open_ended and guid_cells.is_guid(request_id) else ""
        return carried, words.startswith(READING.strip()), lost


def _blank(chunk: pd.DataFrame, places: list[int]) -> "pd.Series[bool]":
    """Tell which rows have nothing in them; whoever has an id is soon found out."""
    blank = pd.Series(data=True, index=chunk.index)
    for column in (*places, *set(range(len(chunk.columns))).difference(places)):
        blank &= chunk[column].str.strip() == ""
        if not blank.any():
            break
    return blank


def digest_of_bytes(path: Path) -> str:
    """Return the SHA-256 of a file; InputRefusedError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise InputRefusedError(f"{path} does not exist.") from None
    except IsADirectoryError:
        raise InputRefusedError(f"{path} is a folder; name a file in it.") from None
    except OSError as error:
        raise InputRefusedError(f"{path} cannot be read: {error.strerror}.") from None


def _table(path: Path, name: str, options: InputOptions) -> Table:
    return open_table(
        path, name, options, lambda header: is_header(header, options.columns, entitlements=options.kind is Kind.AZURE)
    )


def open_table(path: Path, name: str, options: InputOptions, wanted: Wanted) -> Table:
    """Return the table in a file, text or workbook, whose header is ``wanted``; InputRefusedError when there is none."""
    with path.open("rb") as file:
        start = file.read(len(_ZIP))
    if start.startswith(_OLD_WORKBOOK):
        raise InputRefusedError(
            f"{name} is an Excel workbook of the old kind, or one with a password. Save it as .xlsx without a password."
        )
    if start.startswith(_ZIP):
        from bulkreact.sheets.input.xlsx_table import WorkbookTable  # noqa: PLC0415 - most inputs are none

        return WorkbookTable(path, name, wanted, sheet=options.sheet, hidden=options.hidden_rows)
    if options.sheet or options.hidden_rows:
        raise InputRefusedError(f"{name} is no workbook: --sheet and --hidden-rows are for those.")
    return TextTable(path, name, wanted, delimiter=options.delimiter, encoding=options.encoding)


def _layout_of(name: str, table: Table, options: InputOptions) -> ColumnLayout:
    if not table.header:
        return ColumnLayout((0, 0, 0), {}, (), (), {})
    try:
        return layout(table.header, options.columns, guarded=table.guarded, entitlements=options.kind is Kind.AZURE)
    except ColumnError as error:
        raise InputRefusedError(f"{name}: {str(error).rstrip('.')}.") from None

"""Reads tables in Excel workbooks in chunks, all cells as text; ``workbook_process`` does it, in a process of its own."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from bulkreact.errors import FileRefusedError
from bulkreact.models import ColumnType, TypedCell
from bulkreact.sheets.columns import HeaderRule
from bulkreact.sheets.input.carried_types import CellTypes
from bulkreact.sheets.input.header_search import TITLE_LINES, FoundHeader, find_header
from bulkreact.sheets.input.input_options import InputOptions
from bulkreact.sheets.input.workbook.merged_cells import MergedCells
from bulkreact.sheets.input.workbook.workbook_messages import Choice, Job, SheetHead
from bulkreact.sheets.input.workbook.workbook_reader import WorkbookReader

_SHEETS_NAMED = 10


class WorkbookTable:
    """A table in the named sheet of a workbook, or in the first visible sheet with a header that follows the rule.

    ``options.hidden_rows`` decides about hidden rows with data; without it the workbook is refused.
    InputRefusedError if there is no such table. Results in a workbook have no formula guard. ``remark`` names other
    sheets that have such a table too.
    """

    guarded = False
    delimiter = encoding = None
    from_spreadsheet = True
    cut_off = None

    def __init__(
        self,
        path: Path,
        name: str,
        rule: HeaderRule,
        options: InputOptions,
        *,
        compressed: bool = False,
    ) -> None:
        self._path = path
        self._name = name
        self._job = Job(compressed, options.sheet, options.hidden_rows, TITLE_LINES + 1, options.limits)
        reader = WorkbookReader(path, name, self._job)
        self._reader: WorkbookReader | None = reader
        tables = [(head.sheet, _find_header(head, rule)) for head in reader.heads]
        chosen, self.found = _choose(tables)
        complete = [sheet for sheet, found in tables if found and found.complete]
        self.remark = _describe_others(name, chosen, [sheet for sheet in complete if sheet != chosen])
        self._choice = Choice(chosen, self.found.number - 1 if self.found else 0)
        self.sheet, self.sheets = chosen, reader.sheets
        try:
            head = reader.choose(self._choice)
        except FileRefusedError as error:
            header = tuple(self.found.cells) if self.found else ()
            error.facts = error.facts._replace(header=header, sheets=self.sheets)
            raise
        self.first_column = head.first_column
        self.header = tuple(head.header)
        self._merged = MergedCells(head.merged, head.first_column)
        self.widths = tuple(head.widths)
        self.common_types: tuple[ColumnType, ...] | None = ()
        self._column_types: dict[int, tuple[ColumnType, ...]] = {}
        self._others: dict[int, list[TypedCell]] = {}

    def merged_range(self, number: int, index: int) -> str:
        """Return the merged cells to which a cell belongs, like ``A2:A5``, empty if to none."""
        return self._merged.find(number, index)

    def chunks(self) -> Iterator[pd.DataFrame]:
        """Yield the rows below the header; their index is the row that a spreadsheet shows, counted from 0."""
        reader = self._reader or self._open_again()
        self._reader = None
        for rows in reader.rows():
            types = [rows.column_types[index] for index in rows.types]
            self._column_types = dict(zip(rows.numbers, types, strict=True))
            self._others = rows.others
            self.common_types = None if rows.others or len(rows.column_types) > 1 else rows.column_types[0]
            yield pd.DataFrame(rows.cells, index=rows.numbers, dtype=str)

    def cell_types(self, number: int) -> CellTypes:
        """Return what the cells of a row of the chunk that was read last are besides text."""
        return self._column_types[number], self._others.get(number, ())

    def _open_again(self) -> WorkbookReader:
        reader = WorkbookReader(self._path, self._name, self._job)
        reader.choose(self._choice)
        return reader


def _find_header(head: SheetHead, rule: HeaderRule) -> FoundHeader | None:
    return find_header(((number + 1, cells) for number, cells in head.rows), rule)


def _choose(tables: Sequence[tuple[str, FoundHeader | None]]) -> tuple[str, FoundHeader | None]:
    """Return the first sheet with a header, or with the row that is most similar to one."""
    best = tables[0]
    for sheet, found in tables:
        if found and (best[1] is None or (found.complete, found.known) > (best[1].complete, best[1].known)):
            best = sheet, found
        if found and found.complete:
            break
    return best


def _describe_others(name: str, sheet: str, others: Sequence[str]) -> str:
    if not others:
        return ""
    names = ", ".join(map(repr, others[:_SHEETS_NAMED]))
    if len(others) > _SHEETS_NAMED:
        names += f" and {len(others) - _SHEETS_NAMED:,} more"
    return f"{name}: sheet {sheet!r} is read; {names} has such columns as well. --sheet chooses another."

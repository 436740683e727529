"""Reads an input in order to fill in entitlement ids: its rows unchanged, and which of them lack an id."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from bulkreact.sheets.columns import CANDIDATES, ID_COLUMNS, KIND, ColumnError, HeaderRule, check_header, column_index
from bulkreact.sheets.formula_guard import guard, unguard
from bulkreact.sheets.header_aliases import header_key
from bulkreact.sheets.input import guid_cells
from bulkreact.sheets.input.input_options import InputOptions
from bulkreact.sheets.input.repeated_headers import RepeatedHeaders
from bulkreact.sheets.input.table import Table, blank_rows, header_error, id_columns, open_table
from bulkreact.sheets.result_columns import find_result_columns

# A row of any other kind has no entitlement.
_AZURE = {"", "azure"}
_CUSTOMER, _SUBSCRIPTION, _ENTITLEMENT = ID_COLUMNS


class CompletionRow(Struct, frozen=True):
    """A row with its cells; ``parent_ids`` are customer and Azure plan if it lacks a required entitlement id."""

    number: int
    cells: tuple[str, ...]
    parent_ids: tuple[str, str] | None


class CompletionLayout(Struct, frozen=True):
    """The column indexes of a table of ``width`` columns; ``added`` columns, which it lacks, come after those."""

    customer: int
    subscription: int
    entitlement: int
    candidates: int
    kind: int | None
    width: int
    added: tuple[str, ...]

    def complete_row(self, number: int, cells: Sequence[str], customer_id: str, subscription_id: str) -> CompletionRow:
        """Return a row with cells for the added columns; ids are normalized, and empty if unusable."""
        surplus = list(cells[self.width :])
        while surplus and not surplus[-1].strip():
            surplus.pop()
        # After all columns, surplus cells are reported when the file is read again.
        whole = (*cells[: self.width], *([""] * len(self.added)), *surplus)
        kind = "" if self.kind is None else cells[self.kind].strip().casefold()
        lacks_id = guid_cells.is_blank(whole[self.entitlement]) and kind in _AZURE and not surplus
        known = customer_id and subscription_id and not any(map(guid_cells.holds_rows, cells))
        return CompletionRow(number, whole, (customer_id, subscription_id) if known and lacks_id else None)


def completion_layout(header: Sequence[str], named: Mapping[str, str]) -> CompletionLayout:
    """Return the columns of a header with customer and subscription; ColumnError if a name is ambiguous."""
    customer, subscription, entitlement = (column_index(header, column, named.get(column)) for column in ID_COLUMNS)
    if customer is None or subscription is None:
        raise ColumnError(f"missing in the header: {_CUSTOMER} or {_SUBSCRIPTION}")
    kinds = [index for index, name in enumerate(header) if header_key(name) == KIND]
    candidates = [index for index, name in enumerate(header) if header_key(name) == CANDIDATES]
    added = [*([_ENTITLEMENT] if entitlement is None else []), *([] if candidates else [CANDIDATES])]
    width = len(header)
    return CompletionLayout(
        customer,
        subscription,
        width if entitlement is None else entitlement,
        candidates[-1] if candidates else width + len(added) - 1,
        kinds[0] if len(kinds) == 1 else None,
        width,
        tuple(added),
    )


class InputWithMissingIds:
    """A table with customers and subscriptions; InputRefusedError if the file has none.

    ``text`` is true if it will be written as text: then cells are guarded unless they come from text.
    """

    def __init__(self, path: Path, name: str, options: InputOptions, *, text: bool) -> None:
        rule = HeaderRule(options.columns, (_CUSTOMER, _SUBSCRIPTION))
        table = self._table = open_table(path, name, options, rule)
        try:
            check_header(table.header, rule, lambda: id_columns(table))
            self._layout = completion_layout(table.header, options.columns)
        except ColumnError as error:
            raise header_error(name, table, error) from None
        self._headers = RepeatedHeaders(name, table.header, table.found, rule)
        self._text = text
        self._convert = _conversion(self._table, text=text)
        self.remark = self._table.remark
        self.header = tuple(map(self._convert, (*self._table.header, *self._layout.added)))

    def rows(self) -> Iterator[CompletionRow]:
        """Yield every row with content; InputRefusedError if one names the columns in another order."""
        for chunk in self._table.chunks():
            rows = chunk.loc[~blank_rows(chunk)]
            ids = (guid_cells.normalize(rows[i]).tolist() for i in (self._layout.customer, self._layout.subscription))
            for number, cells, *pair in zip(rows.index, rows.to_numpy().tolist(), *ids, strict=True):
                self._headers.repeats(int(number) + 1, cells)
                yield self._layout.complete_row(int(number) + 1, list(map(self._convert, cells)), *pair)

    def fill(self, row: CompletionRow, entitlement_id: str, candidates: str) -> list[str]:
        """Return the cells of a row that lacked an id, with the id found."""
        cells = list(row.cells)
        cells[self._layout.entitlement] = entitlement_id
        cells[self._layout.candidates] = guard(candidates) if self._text else candidates
        return cells


def _conversion(table: Table, *, text: bool) -> Callable[[str], str]:
    """Return the conversion of cells between files: add the guard for text, remove it from results for a workbook.

    From text to text cells are unchanged: a results file keeps its guard.
    """
    if text and not table.guarded:
        return guard
    return unguard if table.guarded and not text and find_result_columns(table.header) else str

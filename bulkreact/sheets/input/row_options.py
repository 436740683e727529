"""Reads the optional columns of an input row: kind, auto-renew, deadlines. No I/O."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from bulkreact.models import Kind
from bulkreact.partnercenter.subscription import FIRST_YEAR, NEVER
from bulkreact.sheets.columns import CANCELLED_ON, CANDIDATES, DEADLINE, KIND, RESTORE_AUTO_RENEW, ColumnLayout
from bulkreact.sheets.input.guid_cells import is_blank
from bulkreact.sheets.input.row_errors import CellError
from bulkreact.timestamps import iso_seconds, parse_time

_AMBIGUOUS = "ambiguous-row"
_INVALID_KIND = "invalid-kind"
# With these it is unknown which ids the row needs.
UNCLEAR = frozenset({_AMBIGUOUS, _INVALID_KIND})
# How long after the date in a column the target is deleted (page *Cancel an Azure subscription*).
_DATES = {DEADLINE: timedelta(), CANCELLED_ON: timedelta(days=90)}
_KINDS = frozenset(Kind)
TRUTH_VALUES = ("yes", "no", "true", "false", "1", "0")
_YES = TRUTH_VALUES[::2]
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ].*)?", re.ASCII)


class RowOptions(Struct, frozen=True):
    """The options of one row; ``deadline`` (UTC, ISO 8601) is when its target is permanently deleted, empty if unknown.

    ``unread_dates`` is how many of its dates could not be read.
    """

    kind: Kind
    restore_auto_renew: bool
    deadline: str = ""
    unread_dates: int = 0


class RowOptionsReader(Struct, frozen=True):
    """Reads the optional columns of rows; ``default_kind`` None means that the ids of a row decide its kind."""

    layout: ColumnLayout
    default_kind: Kind | None
    restore_auto_renew: bool

    def read(self, cells: Sequence[str]) -> RowOptions:
        """Return the options of a valid row."""
        kind = self.kind(cells)
        restore = self._cell(cells, RESTORE_AUTO_RENEW).lower()
        return RowOptions(
            kind,
            (restore in _YES if restore else self.restore_auto_renew) and kind is Kind.SUBSCRIPTION,
            *self._deadline(cells),
        )

    def kind(self, cells: Sequence[str]) -> Kind:
        """Return the kind of a row; a cell that names no kind counts as empty."""
        kind = self._cell(cells, KIND).lower()
        if kind in _KINDS:
            return Kind(kind)
        if self.default_kind:
            return self.default_kind
        return Kind.SUBSCRIPTION if self._has_no_entitlement(cells) else Kind.AZURE

    def find_errors(self, cells: Sequence[str]) -> list[CellError]:
        """Return what is wrong with the optional cells of a row."""
        errors = []
        kind = self._cell(cells, KIND)
        if kind and kind.lower() not in _KINDS:
            reason = "is no kind of subscription: it takes azure, subscription or nothing"
            errors.append(CellError(_INVALID_KIND, KIND, kind, reason, "Correct it"))
        restore = self._cell(cells, RESTORE_AUTO_RENEW)
        if restore and restore.lower() not in TRUTH_VALUES:
            reason = "is not understood: it takes true or false, yes or no, 1 or 0, or nothing"
            errors.append(CellError("invalid-restore-auto-renew", RESTORE_AUTO_RENEW, restore, reason, "Correct it"))
        candidates = self._cell(cells, CANDIDATES)
        if candidates and self._has_no_entitlement(cells):
            reason = "are several: none has been chosen"
            remedy = "Put the id of one into entitlement_id"
            errors.append(CellError(_AMBIGUOUS, CANDIDATES, candidates, reason, remedy))
        return errors

    def _deadline(self, cells: Sequence[str]) -> tuple[str, int]:
        """Return the earliest deadline of a row, and how many of its dates could not be read."""
        dates = [(cell, delay) for column, delay in _DATES.items() if (cell := self._cell(cells, column))]
        deadlines = [date + delay for cell, delay in dates if (date := _parse_date(cell))]
        return iso_seconds(min(deadlines)) if deadlines else "", len(dates) - len(deadlines)

    def _cell(self, cells: Sequence[str], column: str) -> str:
        index = self.layout.optional.get(column)
        return "" if index is None else cells[index].strip()

    def _has_no_entitlement(self, cells: Sequence[str]) -> bool:
        index = self.layout.ids[2]
        return index is None or is_blank(cells[index])


def _parse_date(cell: str) -> datetime | None:
    """Return an ISO 8601 date in UTC; any other format would be ambiguous."""
    date = parse_time(cell) if _DATE.fullmatch(cell) else None
    return date if date and FIRST_YEAR <= date.year < NEVER else None

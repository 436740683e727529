"""What a row of an input says besides its ids: what it wants back, what is to be done then, and how long there is; pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bulkreact.models import Kind
from bulkreact.partnercenter.subscription import FIRST_YEAR, NEVER, moment_text
from bulkreact.sheets.columns import CANCELLED_ON, CANDIDATES, DEADLINE, KIND, RESTORE_AUTO_RENEW, ColumnLayout
from bulkreact.sheets.input.guid_cells import is_blank
from bulkreact.sheets.input.row_errors import CellError

_AMBIGUOUS = "ambiguous-row"
_INVALID_KIND = "invalid-kind"
UNCLEAR = frozenset({_AMBIGUOUS, _INVALID_KIND})
# So long after its cancellation an Azure subscription is deleted for good (page *Cancel an Azure subscription*).
KEPT_AFTER_CANCELLATION = timedelta(days=90)
_YES = frozenset({"true", "yes", "1"})
_NO = frozenset({"false", "no", "0"})
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ].*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class RowOptions:
    """What one row wants; ``deadline`` (UTC, ISO 8601) is when its target is deleted for good, empty if nobody says."""

    kind: Kind
    restore_auto_renew: bool
    deadline: str


class RowOptionsReader:
    """Reads what rows want; what they do not say themselves is as for all."""

    def __init__(self, layout: ColumnLayout, *, kind: Kind | None, restore_auto_renew: bool) -> None:
        self.layout = layout
        self._kind = kind
        self._restore_auto_renew = restore_auto_renew
        self.unread_dates = 0
        # Most files say nothing of that kind, and their rows are many.
        self._same = RowOptions(kind, restore_auto_renew and kind is Kind.SUBSCRIPTION, "") if kind else None
        self._says_nothing = not layout.optional

    def of(self, cells: Sequence[str]) -> RowOptions:
        """Return what a row wants in whose cells nothing is wrong."""
        if self._same and self._says_nothing:
            return self._same
        kind = self.kind_of(cells)
        word = _cell(self.layout, cells, RESTORE_AUTO_RENEW).lower()
        restore = word in _YES if word else self._restore_auto_renew
        return RowOptions(kind, restore and kind is Kind.SUBSCRIPTION, self._deadline(cells))

    def kind_of(self, cells: Sequence[str]) -> Kind:
        """Return what a row wants back; a word that is no kind says nothing."""
        word = _cell(self.layout, cells, KIND).lower()
        if word in set(Kind):
            return Kind(word)
        if self._kind:
            return self._kind
        return Kind.SUBSCRIPTION if _has_no_entitlement(self.layout, cells) else Kind.AZURE

    def _deadline(self, cells: Sequence[str]) -> str:
        moments = []
        for column, rest in ((DEADLINE, timedelta()), (CANCELLED_ON, KEPT_AFTER_CANCELLATION)):
            cell = _cell(self.layout, cells, column)
            moment = _moment(cell)
            if moment:
                moments.append(moment + rest)
            self.unread_dates += bool(cell) and moment is None
        return moment_text(min(moments)) if moments else ""


def defects(layout: ColumnLayout, cells: Sequence[str]) -> list[CellError]:
    """Return what is wrong with what a row says besides its ids."""
    found: list[CellError] = []
    if not layout.optional:
        return found
    word = _cell(layout, cells, KIND)
    if word and word.lower() not in set(Kind):
        reason = "is no kind of subscription: it takes azure, subscription or nothing"
        found.append(CellError(_INVALID_KIND, KIND, word, reason, "Correct it"))
    word = _cell(layout, cells, RESTORE_AUTO_RENEW)
    if word and word.lower() not in _YES | _NO:
        reason = "is not understood: it takes true or false, yes or no, 1 or 0, or nothing"
        found.append(CellError("invalid-restore-auto-renew", RESTORE_AUTO_RENEW, word, reason, "Correct it"))
    candidates = _cell(layout, cells, CANDIDATES)
    if candidates and _has_no_entitlement(layout, cells):
        reason = "are several: nobody has chosen one"
        remedy = "Put the id of one into entitlement_id"
        found.append(CellError(_AMBIGUOUS, CANDIDATES, candidates, reason, remedy))
    return found


def _cell(layout: ColumnLayout, cells: Sequence[str], column: str) -> str:
    place = layout.optional.get(column)
    return "" if place is None else cells[place].strip()


def _has_no_entitlement(layout: ColumnLayout, cells: Sequence[str]) -> bool:
    place = layout.ids[2]
    return place is None or is_blank(cells[place])


def _moment(cell: str) -> datetime | None:
    """Read a date as computers write it; any other way of writing it could be read in two ways."""
    if not _DATE.fullmatch(cell):
        return None
    try:
        moment = datetime.fromisoformat(cell)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if FIRST_YEAR <= moment.year < NEVER else None

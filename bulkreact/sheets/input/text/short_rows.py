"""Finds rows with fewer cells than the header that can be read in two ways. No I/O."""

from collections.abc import Sequence

from bulkreact.guids import count_guids
from bulkreact.models import Kind
from bulkreact.sheets.columns import ID_COLUMNS, KIND, HeaderRule

_KINDS = frozenset(Kind)
# A row may have no entitlement and no kind.
_MAY_BE_BLANK = {ID_COLUMNS[2], KIND}


class ShortRows:
    """Tells which short rows also fit the header if one of its unknown names belongs to the one before it.

    That is what a comma in a header without quotes looks like: ``Name, legal,customer_id``.
    """

    def __init__(self, header: Sequence[str], rule: HeaderRule) -> None:
        known = rule.find_columns(header)
        self._width = len(header)
        self._columns = sorted((known[column], column) for column in (*ID_COLUMNS, KIND) if column in known)
        unknown = {*range(len(header))} - {*known.values()}
        starts = (-1, *(index for index, _ in self._columns))
        self._unknown_between = [
            len(unknown & {*range(start, end)}) for start, (end, _) in zip(starts, self._columns, strict=False)
        ]

    @property
    def possible(self) -> bool:
        """Return whether a row can be ambiguous: not if all unknown names are behind the columns that matter."""
        return any(self._unknown_between)

    def is_ambiguous(self, cells: Sequence[str]) -> bool:
        """Return whether the ids of a row are also where they would be without some of the unknown names."""
        missing = self._width - len(cells)
        # How far the columns so far may be shifted to the left, and whether that moves an id that every row has.
        states = {(0, False)}
        for (index, column), between in zip(self._columns, self._unknown_between, strict=True):
            required = column not in _MAY_BE_BLANK
            states = {
                (shift, moved or (required and shift > 0))
                for least, moved in states
                for shift in range(least, min(missing, least + between) + 1)
                if _is_plausible(column, "".join(cells[index - shift : index - shift + 1]), may_be_blank=moved)
            }
        return any(shift for shift, _ in states)

    def lacks_ids(self, cells: Sequence[str]) -> bool:
        """Return whether a row lacks an id that every row has."""
        required = [index for index, column in self._columns if column not in _MAY_BE_BLANK]
        return any(not count_guids("".join(cells[index : index + 1])) for index in required)


def _is_plausible(column: str, cell: str, *, may_be_blank: bool) -> bool:
    if column in _MAY_BE_BLANK and not cell.strip():
        return may_be_blank
    return cell.strip().lower() in _KINDS if column == KIND else count_guids(cell) > 0

"""Decides in which order a workbook has the columns of results, and which of them stay visible. No I/O."""

from collections.abc import Collection, Sequence

from msgspec import Struct

from bulkreact.sheets.result_columns import RESULT_COLUMNS

_VISIBLE = ("status", "advice")
# In characters: what may be frozen on the left of these two, so that there is room for the rest of a laptop's screen.
_MOST_FROZEN = 80
_MOST_IDS = 130
# For advice, which is a sentence: the whole of it is seen in the cell that is chosen.
ADVICE_WIDTH = 30
# In per cent, where more than half of the screen is frozen.
_SMALLER = 75
_HALF = 90


class InputColumns(Struct, frozen=True):
    """What is known of an input's columns: that with the names of customers, those with ids, and the sender's widths."""

    name: int | None = None
    ids: Collection[int] = ()
    widths: Sequence[float | None] = ()


class SheetLayout(Struct, frozen=True):
    """The columns of a sheet, by their indexes among the input's and the result columns; the first ones are frozen."""

    order: tuple[int, ...]
    frozen: int
    zoom: int = 100


def lay_out(columns: int, widths: Sequence[float], known: InputColumns) -> SheetLayout:
    """Return the layout for an input of so many columns: status and advice are beside the customer, if that is near.

    Else they are right after the ids; before everything if not even those leave room on a screen. ``widths`` are those
    of all columns.
    """
    position = 0
    if known.ids and sum(widths[: max(known.ids) + 1]) <= _MOST_IDS:
        position = max(known.ids) + 1
    if known.name is not None and sum(widths[: known.name + 1]) <= _MOST_FROZEN:
        position = known.name + 1
    visible = [columns + RESULT_COLUMNS.index(name) for name in _VISIBLE]
    others = [index for index in range(columns + len(RESULT_COLUMNS)) if index not in visible]
    order = (*others[:position], *visible, *others[position:])
    frozen = position + len(visible)
    is_wide = sum(widths[index] for index in order[:frozen]) > _HALF
    return SheetLayout(order, frozen, _SMALLER if is_wide else 100)

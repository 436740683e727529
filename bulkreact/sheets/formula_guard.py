"""The formula guard: cells from outside must not become formulas when a spreadsheet opens the results; pure."""

import re
from collections.abc import Iterable

# However many quotes stand before: otherwise '=1 and ''=1 would be written alike and could not be told apart again.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_BEGINNINGS = frozenset("'=+-@\t\r")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:[.,][0-9]+)*|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?%?")


def guard(cell: str) -> str:
    """Put ``'`` before a cell that a spreadsheet would calculate; numbers are left alone."""
    return f"'{cell}" if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell


def guard_cells(cells: Iterable[str]) -> list[str]:
    """Return the cells of a row as they are written; few of them need a closer look."""
    return [guard(cell) if cell[:1] in _BEGINNINGS else cell for cell in cells]


def unguard(cell: str) -> str:
    """Take one guard off again: the exact reverse of ``guard``."""
    return cell[1:] if cell.startswith("'") and guard(cell[1:]) == cell else cell

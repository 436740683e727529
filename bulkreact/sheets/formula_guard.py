"""The formula guard: keeps a spreadsheet from calculating input cells when it opens the results. No I/O."""

import re
from collections.abc import Iterable

# Leading quotes count too, so that guard and unguard stay exact inverses: '=1 and ''=1 must differ when guarded.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_FIRST_CHARACTERS = frozenset("'=+-@\t\r")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:[.,][0-9]+)*|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?%?")


def guard(cell: str) -> str:
    """Put ``'`` before a cell that a spreadsheet would calculate; numbers are unchanged."""
    return f"'{cell}" if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell


def guard_cells(cells: Iterable[str]) -> list[str]:
    """Guard the cells of a row; the first character decides for most."""
    return [guard(cell) if cell[:1] in _FIRST_CHARACTERS else cell for cell in cells]


def unguard(cell: str) -> str:
    """Remove one guard: the exact inverse of ``guard``."""
    return cell[1:] if cell.startswith("'") and guard(cell[1:]) == cell else cell

"""The formula guard: keeps a spreadsheet from calculating input cells when it opens the results. No I/O.

A spreadsheet that opens the file with another delimiter splits cells, so that each of their parts may be a formula too.
"""

import re
from collections.abc import Iterable

_SEPARATORS = r";|\t\r\n"
_NUMBER = r"[+-]?(?:[0-9]+(?:[.,][0-9]+)*|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?%?"
# Excel takes those of full width for formulas too, in East Asian languages.
FULL_WIDTH_SIGNS = frozenset("\uff1d\uff0b\uff0d\uff20")
_SIGNS = rf"=+\-@{''.join(sorted(FULL_WIDTH_SIGNS))}"
# Guards count too, so that guard and unguard stay exact inverses: '=1 and ''=1 must differ when guarded. Spreadsheets
# drop NUL; and, of a part, quotation marks that close at once.
_IN_FRONT, _IN_FRONT_OF_PART = "'\0", "'\0\""
_CELL = rf"(?=[{_IN_FRONT}]*[{_SIGNS}\t\r\n])(?!{_NUMBER}\Z)"
_PART = rf"(?=[{_IN_FRONT_OF_PART}]*[{_SIGNS}])(?!{_NUMBER}(?:[{_SEPARATORS}]|\Z))"
_UNGUARDED = re.compile(rf"\A{_CELL}|(?<=[{_SEPARATORS}]){_PART}")
_FIRST_CHARACTERS = frozenset("'\0=+-@") | FULL_WIDTH_SIGNS
_GUARD = re.compile(rf"\A'{_CELL}|(?<=[{_SEPARATORS}])'{_PART}")


def guard(cell: str) -> str:
    """Put ``'`` before a cell, or a part of one, that a spreadsheet would calculate; numbers are unchanged."""
    return _UNGUARDED.sub("'", cell) if _may_need_guard(cell) else cell


def guard_cells(cells: Iterable[str]) -> list[str]:
    """Guard the cells of a row."""
    return [guard(cell) for cell in cells]


def unguard(cell: str) -> str:
    """Remove one guard of a cell and of each of its parts: the exact inverse of ``guard``."""
    return _GUARD.sub("", cell) if "'" in cell else cell


def _may_need_guard(cell: str) -> bool:
    """Return in a fifth of the time whether a cell may begin with a formula, or consists of parts."""
    return cell[:1] in _FIRST_CHARACTERS or ";" in cell or "|" in cell or "\t" in cell or "\r" in cell or "\n" in cell

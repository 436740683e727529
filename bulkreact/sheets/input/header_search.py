"""Finds the header among the first rows of a table. No I/O."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from bulkreact.guids import count_guids
from bulkreact.sheets.columns import HeaderRule
from bulkreact.sheets.input.guid_cells import holds_rows

# The header is within at most this many rows with content, plus one.
TITLE_LINES = 20


class FoundHeader(Struct, frozen=True):
    """The row that names most columns; ``number`` is the row that a spreadsheet shows.

    ``known`` is the number of columns it names; ``complete`` if none is missing. ``problem`` says why the rows down to
    it cannot be trusted, empty if they can.
    """

    number: int
    cells: tuple[str, ...]
    known: int = 0
    complete: bool = False
    problem: str = ""


def find_header(rows: Iterable[tuple[int, Sequence[str]]], rule: HeaderRule) -> FoundHeader | None:
    """Return the header of a table, None if all rows are blank; ``rows`` are read no further than necessary.

    | in the first rows | the header is |
    |---|---|
    | some name all required columns | the first of them, or one directly below, titles apart, that names more |
    | some name a few | the one that names most |
    | none names any | the last row above the first ids |
    """
    above: list[FoundHeader] = []
    best: FoundHeader | None = None
    for number, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        columns = rule.find_columns(cells)
        row = FoundHeader(number, tuple(cells), len(columns), not rule.find_missing(columns))
        if best and best.complete and not (columns or _is_title(cells)):
            break
        above.append(row)
        if best is None or (row.complete, row.known) > (best.complete, best.known):
            best = row
        if len(above) > TITLE_LINES:
            break
    if best is None:
        return None
    if not best.known:
        best = _last_above_ids(above)
    return FoundHeader(best.number, best.cells, best.known, best.complete, _find_problem(above, best, rule))


def _is_title(cells: Sequence[str]) -> bool:
    return sum(bool(cell.strip()) for cell in cells) == 1 and not _count_ids(cells)


def _count_ids(cells: Sequence[str]) -> int:
    return sum(map(count_guids, cells))


def _last_above_ids(rows: Sequence[FoundHeader]) -> FoundHeader:
    first = next((index for index, row in enumerate(rows) if _count_ids(row.cells)), 0)
    return rows[max(first - 1, 0)]


def _find_problem(rows: Sequence[FoundHeader], header: FoundHeader, rule: HeaderRule) -> str:
    """Return which row with ids would be lost above the header, or inside one of its cells."""
    if any(map(holds_rows, header.cells)):
        return (
            f"row {header.number} has a cell with several lines of ids: a quotation mark that opens in this row closes "
            "rows later. Delete or double the stray quotation mark"
        )
    few = min(len(rule.required), 2)
    lost = [row.number for row in rows if row.number < header.number and _count_ids(row.cells) >= few]
    if not (lost and header.complete):
        return ""
    return (
        f"row {lost[0]} has ids, but stands above the row that names the columns, row {header.number}. "
        "Put the names above all ids, or delete what is above them"
    )

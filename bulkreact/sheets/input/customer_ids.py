"""Reads which customers a file names: in its customer column, or one id per line."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from bulkreact.errors import InputRefusedError
from bulkreact.guids import count_guids
from bulkreact.sheets.columns import ColumnError, HeaderRule, column_index
from bulkreact.sheets.input import guid_cells
from bulkreact.sheets.input.input_file import sha256_of
from bulkreact.sheets.input.input_options import InputOptions
from bulkreact.sheets.input.row_errors import RowError, format_errors
from bulkreact.sheets.input.table import Table, header_error, open_table

_COLUMN = "customer_id"


def customer_ids(path: Path, options: InputOptions) -> list[str]:
    """Return the customers' ids normalized, each once; InputRefusedError lists the cells that are not ids."""
    # Explains why a file cannot be read at all.
    sha256_of(path, str(path), options.limits)
    named = options.columns.get(_COLUMN)

    table = open_table(path, str(path), options, HeaderRule({_COLUMN: named} if named else {}, (_COLUMN,)))
    try:
        cells = dict(_cells(path, table, named))
    except ColumnError as error:
        raise header_error(str(path), table, error) from None
    if not cells:
        raise InputRefusedError(f"{path} names no customers.")
    ids = guid_cells.normalize(pd.Series(cells, dtype=str)).tolist()
    invalid = [(number, cell) for (number, cell), guid in zip(cells.items(), ids, strict=True) if not guid]
    if invalid:
        errors = (RowError(number, (guid_cells.guid_error(_COLUMN, cell),)) for number, cell in invalid)
        lines = "".join(f"\n  {line}" for line in format_errors(errors))
        raise InputRefusedError(f"{path} does not name customers by their ids alone:{lines}")
    return list(dict.fromkeys(ids))


def _cells(path: Path, table: Table, named: str | None) -> Iterator[tuple[int, str]]:
    """Yield row number and cell for everything that must be an id."""
    index = column_index(table.header, _COLUMN, named)
    names = [name for name in table.header if name.strip()]
    if index is None and len(names) > 1:
        raise InputRefusedError(
            f"{path} has no column {_COLUMN}, and more than one id a line. Name the column with --map {_COLUMN}=HEADER."
        )
    if index is None and names:
        # The first row is an id, not a header.
        yield table.found.number if table.found else 1, names[0]
    # Concatenated files repeat their header.
    header = table.header[index].strip() if index is not None else ""
    for chunk in table.chunks():
        _refuse_swallowed(path, chunk)
        for number, cell in chunk[index or 0].items():
            if cell.strip() not in {"", header}:
                yield int(str(number)) + 1, cell


def _refuse_swallowed(path: Path, chunk: pd.DataFrame) -> None:
    """Raise InputRefusedError if a cell holds other rows."""
    for column in chunk.columns:
        for number, cell in chunk[column].items():
            if guid_cells.has_line_break(cell) and count_guids(cell):
                raise InputRefusedError(
                    f"{path}: row {int(str(number)) + 1} has a cell with several lines and an id: a quotation mark that "
                    "opens in this row closes rows later. Delete or double it."
                )

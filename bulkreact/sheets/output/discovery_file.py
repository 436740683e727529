"""Writes discovered subscriptions as an input file."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from msgspec.structs import astuple

from bulkreact.models import Discovered
from bulkreact.sheets.formula_guard import guard_cells
from bulkreact.sheets.output import table_writer

COLUMNS = tuple(Discovered.__struct_fields__)


def write(path: Path, items: Iterable[Discovered]) -> None:
    """Write an input file, as a workbook if ``path`` ends in .xlsx; raises OSError if it cannot be written."""
    is_text = path.suffix.lower() != table_writer.WORKBOOK
    table_writer.write(path, COLUMNS, _guard_rows(items) if is_text else map(astuple, items), title="Subscriptions")


def write_lines(file: TextIO, items: Iterable[Discovered]) -> None:
    """Write an input file as CSV into a stream that does not translate line ends."""
    table_writer.write_lines(file, COLUMNS, _guard_rows(items))


def _guard_rows(items: Iterable[Discovered]) -> Iterator[list[str]]:
    return (guard_cells(astuple(item)) for item in items)

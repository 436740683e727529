"""Reads the rows of a sheet: those that are written as most programs do, without a parser, which takes six times as long."""

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from operator import lt
from typing import IO

from msgspec import Struct

from bulkreact.models import TypedCell
from bulkreact.sheets.input.workbook.cell_values import CellReader, RowShape
from bulkreact.sheets.input.workbook.sheet_parser import MOST_COLUMNS, MOST_ROWS, SheetParser, column_number, hides_row
from bulkreact.sheets.input.workbook.xml_text import decode_plain, resolve_entities, split_blocks

_END = "</row>"
_START = re.compile(r'\s*<row r="([1-9][0-9]{0,6})"')
_FORMULA = re.compile("<f[^<>]*(?:(?<=/)>|>[^<]*</f>)")
_INLINE = (("<is><t>", "<is><v>"), ('<is><t xml:space="preserve">', "<is><v>"), ("</t></is>", "</v></is>"))
# A row without its number, values and formulas; most rows of a table have the same.
_ROW_PATTERN = re.compile(
    r'\s*<row r=""([^<>]*[^<>/])?>((?:\s*<c r="[A-Z]{1,3}"[^<>]*>(?:(?<=/>)|(?:(?:<f/>)?(?:<v>|<is><v></is>))?</c>))*)\s*'
)
_CELL_PATTERN = re.compile(r'<c r="([A-Z]{1,3})"([^<>]*)>(<f/>)?(<is>)?(<v>)?')
_ATTRIBUTE = re.compile(r'\s([A-Za-z0-9:]+)="([^"&]*)"')
_STYLE = re.compile("[0-9]{1,6}")
_KNOWN = {"t", "s", "cm", "vm", "ph"}
_MOST_SHAPES = 1_000
# A regular expression for a whole row takes 50 µs per cell to make, and saves half a µs in each row that it matches.
_OFTEN, _MOST_CELLS = 100, 256
# At once: some rows may be as wide as a sheet.
_MOST_ROWS_READ = 512
_VALUE, _NUMBER = "([^<]*)", "([1-9][0-9]{0,6})"


class SheetRow(Struct, frozen=True, gc=False):
    """A row of a sheet; ``number`` is counted from 0, and ``cells`` are its texts from the first column on."""

    number: int
    is_hidden: bool
    shape: RowShape
    cells: tuple[str, ...]
    others: list[TypedCell]


class _StoredRow(Struct, frozen=True, gc=False):
    """A row with what is stored for its cells."""

    number: int
    is_hidden: bool
    shape: RowShape
    values: Sequence[str]


class _Pattern(Struct):
    """What rows have in common that differ in their numbers and values.

    ``references`` is how often the number of a row occurs, ``tags`` how many there are but those at the ends of values,
    ``rows`` how many rows have been read with it.
    """

    shape: RowShape
    is_hidden: bool
    references: int
    has_formula: bool
    tags: int
    rows: int = 0


class SheetRows:
    """The rows of a sheet that have cells, as they come; WorkbookRefusedError if they contradict each other.

    ``parser`` has what else is in the sheet, when all rows have been read.
    """

    def __init__(self, part: IO[bytes], sheet: str, reader: CellReader, number_formats: Sequence[str | int]) -> None:
        self._part = part
        self._reader = reader
        self._number_formats = number_formats
        self.parser = SheetParser(sheet)
        self._patterns: dict[str, _Pattern] = {}
        # By the tags in the rows that they match.
        self._expressions: dict[int, tuple[re.Pattern[str], _Pattern]] = {}
        self._shapes: dict[tuple[tuple[int, ...], tuple[tuple[str, str], ...]], RowShape] = {}

    def __iter__(self) -> Iterator[SheetRow]:
        """Yield the rows."""
        return chain.from_iterable(self.batches())

    def batches(self) -> Iterator[list[SheetRow]]:
        """Yield the rows in batches: short ones at first, for those who want only the first rows."""
        count = 0
        for rows in self._stored_rows():
            while rows:
                size = max(1, min(count, _MOST_ROWS_READ))
                yield self._read(rows[:size])
                del rows[:size]
                count += size

    def _stored_rows(self) -> Iterator[list[_StoredRow]]:
        for block in split_blocks(self._part, _END.encode()):
            text = decode_plain(block) if self.parser.is_between_rows and block.endswith(_END.encode()) else None
            if text is None:
                yield self._parse(block)
                continue
            rows = []
            for piece in text.split(_END)[:-1]:
                row = self._read_plain(piece) if self.parser.is_between_rows else None
                if row is None:
                    rows += self._parse(f"{piece}{_END}".encode())
                    continue
                self.parser.skip_row(row.number)
                if row.values:
                    rows.append(row)
            yield rows
        yield self._parse(b"", is_final=True)

    def _parse(self, block: bytes, *, is_final: bool = False) -> list[_StoredRow]:
        self.parser.feed(block, is_final=is_final)
        return [
            _StoredRow(row.number, row.is_hidden, self._shape(row.columns, row.types), row.values)
            for row in self.parser.rows
        ]

    def _read(self, rows: Sequence[_StoredRow]) -> list[SheetRow]:
        values: dict[RowShape, list[Sequence[str]]] = {}
        for row in rows:
            values.setdefault(row.shape, []).append(row.values)
        texts = {shape: self._reader.read(shape, values[shape]) for shape in values}
        return [SheetRow(row.number, row.is_hidden, row.shape, *next(texts[row.shape])) for row in rows]

    def _read_plain(self, text: str) -> _StoredRow | None:
        """Return a row, None if it is not written as most programs do."""
        expression, pattern = self._expressions.get(text.count("<"), (None, None))
        if expression and pattern and (match := expression.fullmatch(text)):
            number, *values = match.groups()
        else:
            pattern, number, values = self._find_pattern(text)
        if pattern is None or int(number) > MOST_ROWS:
            return None
        # A formula without a value was never calculated.
        if pattern.has_formula and "" in values:
            return None
        if "&" in text:
            resolved = resolve_entities("\0".join(values))
            if resolved is None:
                return None
            values = resolved.split("\0") if values else []
        return _StoredRow(int(number) - 1, pattern.is_hidden, pattern.shape, values)

    def _find_pattern(self, text: str) -> tuple[_Pattern | None, str, list[str]]:
        """Return the pattern of a row with its number and values; None if it is not written as most programs do."""
        plain = text
        if "<is>" in text:
            for tag, replaced in _INLINE:
                plain = plain.replace(tag, replaced)
        if "<f" in text:
            plain = _FORMULA.sub("<f/>", plain)
        parts = plain.replace("</v>", "<v>").split("<v>")
        start, values = _START.match(parts[0]), parts[1::2]
        if start is None or len(parts) % 2 == 0:
            return None, "", []
        number = f'{start[1]}"'
        rest = "<v>".join(parts[::2])
        key = rest.replace(number, '"')
        pattern = self._pattern(key)
        # The number must have been that of the row and of each cell, and no end of a style's number.
        if pattern is None or rest.count(number) != pattern.references:
            return None, "", []
        # No value may have an element inside.
        if plain.count("<") != pattern.tags + len(values):
            return None, "", []
        pattern.rows += 1
        if pattern.rows % _OFTEN == 0 and len(values) <= _MOST_CELLS:
            self._expressions[text.count("<")] = re.compile(_expression(key)), pattern
        return pattern, start[1], values

    def _pattern(self, text: str) -> _Pattern | None:
        pattern = self._patterns.get(text)
        if pattern is None and (row := _ROW_PATTERN.fullmatch(text)):
            pattern = self._read_pattern(row[1] or "", row[2], text.count("<"))
        if pattern is not None:
            if len(self._patterns) > _MOST_SHAPES:
                self._patterns.clear()
            self._patterns[text] = pattern
        return pattern

    def _read_pattern(self, attributes: str, cells: str, tags: int) -> _Pattern | None:
        columns: list[int] = []
        types: list[tuple[str, str]] = []
        found = _CELL_PATTERN.findall(cells)
        for letters, described, _, inline, value in found:
            known = _read_attributes(described.removesuffix("/"))
            if known is None or known.keys() - _KNOWN:
                return None
            if value:
                columns.append(column_number(letters))
                types.append(("inlineStr" if inline else known.get("t", "n"), known.get("s", "0")))
        all_columns = [column_number(letters) for letters, *_ in found]
        if not all(map(lt, all_columns, [*all_columns[1:], MOST_COLUMNS])):
            return None
        row = _read_attributes(attributes)
        if row is None:
            return None
        return _Pattern(self._shape(columns, types), hides_row(row), len(found) + 1, "<f/>" in cells, tags)

    def _shape(self, columns: list[int], types: list[tuple[str, str]]) -> RowShape:
        key = tuple(columns), tuple(types)
        if key not in self._shapes:
            if len(self._shapes) > _MOST_SHAPES:
                self._shapes.clear()
            self._shapes[key] = RowShape(columns, [(stored, self._number_format(style)) for stored, style in types])
        return self._shapes[key]

    def _number_format(self, style: str) -> str | int:
        known = _STYLE.fullmatch(style) and int(style) < len(self._number_formats)
        return self._number_formats[int(style)] if known else 0


def _expression(key: str) -> str:
    """Return a regular expression for the rows with a pattern: their groups are the number and the values."""
    text = re.sub(r'(<c\\ r="[A-Z]+)"', r'\1\\1"', re.escape(key).replace('r=""', f'r="{_NUMBER}"', 1))
    inline = f'<is><t(?: xml:space="preserve")?>{_VALUE}</t></is>'
    text = text.replace("<is><v></is>", inline).replace("<v>", f"<v>{_VALUE}</v>")
    return text.replace("<f/>", _FORMULA.pattern)


def _read_attributes(text: str) -> dict[str, str] | None:
    """Return attributes by their names, None if they are not plain."""
    pairs = _ATTRIBUTE.findall(text)
    attributes = dict(pairs)
    return None if _ATTRIBUTE.sub("", text).strip() or len(attributes) < len(pairs) else attributes

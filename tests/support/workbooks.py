"""Made-up workbooks, written part by part as other programs write them."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from openpyxl.utils import get_column_letter

from tests.support.ids import HEADER, guid, row

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
_TYPES = (
    f'{_DECLARATION}<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>'
)
SHEET_PART = "xl/worksheets/sheet1.xml"
TABLE = [("Name", *HEADER), *((f"Contoso {number}", *row(guid(number))) for number in (1, 2, 3))]


def cell(text: str, reference: str = "") -> str:
    """Return a cell with its text inside."""
    position = f' r="{reference}"' if reference else ""
    return f'<c{position} t="inlineStr"><is><t>{text}</t></is></c>'


def row_xml(cells: Sequence[str], number: int | None = None, attributes: str = "", *, numbered: bool = True) -> str:
    """Return a row; with a ``number`` its cells carry references, and ``numbered`` the row as well."""
    content = "".join(cell(text, f"{chr(ord('A') + i)}{number}" if number else "") for i, text in enumerate(cells))
    position = f' r="{number}"' if number and numbered else ""
    return f"<row{position}{attributes}>{content}</row>"


def sheet_xml(rows: Sequence[str] | None = None, after: str = "", declaration: str = _DECLARATION) -> str:
    """Return a sheet with these rows, else with a header and three rows; ``after`` follows them."""
    if rows is None:
        rows = [row_xml(cells, number) for number, cells in enumerate(TABLE, 1)]
    return f'{declaration}<worksheet xmlns="{_MAIN}"><sheetData>{"".join(rows)}</sheetData>{after}</worksheet>'


def write_workbook(
    path: Path, *sheets: str | bytes, parts: Mapping[str, str | bytes] | None = None, book: str | None = None
) -> Path:
    """Write a workbook with these sheets, named A, B, …; ``parts`` are added or replaced, ``book`` lists the sheets."""
    numbers = range(1, len(sheets) + 1)
    entries = "".join(f'<sheet name="{chr(64 + n)}" sheetId="{n}" r:id="rId{n}"/>' for n in numbers)
    links = "".join(
        f'<Relationship Id="rId{n}" Type="{_DOCUMENT}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n in numbers
    )
    content: dict[str, str | bytes] = {
        "[Content_Types].xml": _TYPES,
        "_rels/.rels": f'{_DECLARATION}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_DOCUMENT}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'{_DECLARATION}<workbook xmlns="{_MAIN}" xmlns:r="{_DOCUMENT}">'
        f"<sheets>{entries if book is None else book}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'{_DECLARATION}<Relationships xmlns="{_PACKAGE}/relationships">{links}'
        "</Relationships>",
    }
    content |= {f"xl/worksheets/sheet{n}.xml": sheet for n, sheet in zip(numbers, sheets, strict=True)}
    return write_zip(path, content | dict(parts or {}))


def write_zip(path: Path, content: Mapping[str, str | bytes]) -> Path:
    """Write a zip archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def columns_of(sheet: Any) -> dict[str, Any]:  # noqa: ANN401 - openpyxl has no types
    """Return the columns of a sheet by their letters; a file keeps equal ones that are neighbours only once."""
    return {
        get_column_letter(index): column
        for column in sheet.column_dimensions.values()
        for index in range(column.min, column.max + 1)
    }

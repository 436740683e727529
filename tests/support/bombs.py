"""Files that are small to send and large to read."""

import gzip
import zlib
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

_MEMBER = 1 << 24
_LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
_SHEET = (
    f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">{_LAUGHS}]>'
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    '<row r="1"><c r="A1" t="inlineStr"><is><t>&l9;</t></is></c></row></sheetData></worksheet>'
)


def endless_line(gigabytes: int) -> bytes:
    """Return a .csv.gz of one line of so many GB: the same member again and again."""
    return gzip.compress(b"x" * _MEMBER) * (gigabytes * 1_000_000_000 // _MEMBER + 1)


def many_rows(gigabytes: int) -> bytes:
    """Return a .csv.gz of short lines, of so many GB."""
    return gzip.compress(b"a,b,c\n" * (_MEMBER // 6)) * (gigabytes * 1_000_000_000 // _MEMBER + 1)


def nested_archive(depth: int) -> bytes:
    """Return an archive in an archive in an archive …, the innermost with a megabyte of zeros."""
    content, name = bytes(1_000_000), "zeros"
    for level in range(depth):
        file = BytesIO()
        with ZipFile(file, "w", ZIP_DEFLATED) as archive:
            for copy in range(10):
                archive.writestr(f"{name}-{copy}", content)
        content, name = file.getvalue(), f"archive-{level}.zip"
    return content


def many_entries(count: int, *, said: int | None = None) -> bytes:
    """Return an archive whose directory names the same empty file so many times, and says that it has fewer."""
    name, crc = b"xl/a.xml", zlib.crc32(b"")
    local = b"PK\x03\x04" + bytes(10) + crc.to_bytes(4, "little") + bytes(8) + b"\x08\x00\x00\x00" + name
    entry = b"PK\x01\x02" + bytes(12) + crc.to_bytes(4, "little") + bytes(8) + b"\x08\x00" + bytes(16) + name
    size, at = len(entry) * count, len(local)
    wide = (
        b"PK\x06\x06"
        + (44).to_bytes(8, "little")
        + bytes(12)
        + (count if said is None else said).to_bytes(8, "little") * 2
    )
    wide += size.to_bytes(8, "little") + at.to_bytes(8, "little")
    locator = b"PK\x06\x07" + bytes(4) + (at + size).to_bytes(8, "little") + (1).to_bytes(4, "little")
    return local + entry * count + wide + locator + b"PK\x05\x06" + bytes(4) + b"\xff" * 12 + bytes(2)


def laughing_workbook() -> bytes:
    """Return a workbook with a cell of a billion laughs."""
    file = BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", _TYPES)
        archive.writestr("_rels/.rels", _RELATIONS.format(kind="officeDocument", target="xl/workbook.xml"))
        archive.writestr("xl/workbook.xml", _WORKBOOK)
        archive.writestr(
            "xl/_rels/workbook.xml.rels", _RELATIONS.format(kind="worksheet", target="worksheets/sheet1.xml")
        )
        archive.writestr("xl/worksheets/sheet1.xml", _SHEET)
    return file.getvalue()


_OFFICE = "http://schemas.openxmlformats.org"
_RELATIONS = (
    f'<Relationships xmlns="{_OFFICE}/package/2006/relationships"><Relationship Id="r1" '
    f'Type="{_OFFICE}/officeDocument/2006/relationships/{{kind}}" Target="{{target}}"/></Relationships>'
)
_WORKBOOK = (
    f'<workbook xmlns="{_OFFICE}/spreadsheetml/2006/main" '
    f'xmlns:r="{_OFFICE}/officeDocument/2006/relationships"><sheets><sheet name="A" sheetId="1" r:id="r1"/></sheets></workbook>'
)
_TYPES = (
    f'<Types xmlns="{_OFFICE}/package/2006/content-types"><Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" '
    'ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>'
)

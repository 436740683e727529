"""Recognises the format of a file by its content, whatever its name says; what is no table is refused in words."""

import re
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from bulkreact.errors import FileRefusedError, RefusalCode
from bulkreact.sheets.input.read_limits import ReadLimits, UnreadableError, refusing
from bulkreact.sheets.input.unpacked_file import open_unpacked

_START_LENGTH = 4096
_GZIP = b"\x1f\x8b"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_TAR = slice(257, 262)
_UNPACK = "Unpack it, and run the file inside"
_EXPORT = "Export the table as CSV, or save it as .xlsx"
_SAVE_AS_WORKBOOK = "Open it in Excel and save it as .xlsx"
_CONTAINER = b"\xd0\xcf\x11\xe0"
# The stream that containers of encrypted workbooks have, and those of old ones have not.
_ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
_PIECE = 1 << 20
_OLD_EXCEL = ("an Excel workbook of the old kind", "an Excel worksheet of the oldest kind")
_OTHER_FORMATS = {
    _CONTAINER: (
        "an Excel workbook of the old kind (.xls), or one with a password",
        "Save it as .xlsx without a password",
    ),
    b"\x09\x00\x04\x00": ("an Excel worksheet of the oldest kind (.xls)", _SAVE_AS_WORKBOOK),
    b"\x09\x02\x06\x00": ("an Excel worksheet of the oldest kind (.xls)", _SAVE_AS_WORKBOOK),
    b"\x09\x04\x06\x00": ("an Excel worksheet of the oldest kind (.xls)", _SAVE_AS_WORKBOOK),
    b"\x09\x08\x08\x00": ("an Excel workbook of the old kind (.xls)", _SAVE_AS_WORKBOOK),
    b"\x09\x08\x10\x00": ("an Excel workbook of the old kind (.xls)", _SAVE_AS_WORKBOOK),
    b"PAR1": ("a Parquet file", _EXPORT),
    b"ARROW1": ("an Arrow (Feather) file", _EXPORT),
    b"FEA1": ("a Feather file", _EXPORT),
    b"ORC": ("an ORC file", _EXPORT),
    b"Obj\x01": ("an Avro file", _EXPORT),
    b"SQLite format 3\0": ("a database", _EXPORT),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", _UNPACK),
    b"Rar!\x1a\x07": ("a RAR archive", _UNPACK),
    b"BZh": ("packed with bzip2", "Unpack it, or pack it with gzip instead"),
    b"\xfd7zXZ\0": ("packed with xz", "Unpack it, or pack it with gzip instead"),
    b"\x28\xb5\x2f\xfd": ("packed with Zstandard", "Unpack it, or pack it with gzip instead"),
    b"\x1f\x9d": ("packed with compress", "Unpack it, or pack it with gzip instead"),
    b"%PDF": ("a PDF document", _EXPORT),
    b"\x89PNG": ("a picture", _EXPORT),
    b"\xff\xd8\xff": ("a picture", _EXPORT),
    b"GIF8": ("a picture", _EXPORT),
    b"{\\rtf": ("a text document (.rtf)", _EXPORT),
    b"ID;P": ("a SYLK file (.slk)", _SAVE_AS_WORKBOOK),
    b"TABLE\r\n0,1": ("a DIF file", _SAVE_AS_WORKBOOK),
    b"TABLE\n0,1": ("a DIF file", _SAVE_AS_WORKBOOK),
    b"\x03": ("a dBase file (.dbf)", _EXPORT),
    b"\0\0\x02\0": ("a Lotus worksheet", _SAVE_AS_WORKBOOK),
    b"\0\0\x1a\0": ("a Lotus worksheet", _SAVE_AS_WORKBOOK),
}
_CONTROLS = re.compile(rb"[\0-\x08\x0e-\x1a]")
_XML_TABLE = b"urn:schemas-microsoft-com:office:spreadsheet"
_OPEN_DOCUMENT = b"<office:document"
_JSON = re.compile(rb"\{\s*\"|\[\s*[\[{]")
_HTML = re.compile(rb"<(?:!doctype\s+html|html|head|meta|body|style|table|div|center)\b[^,;\t|]*?[\s>]")
_MARKUP_LEFT_OUT = re.compile(rb"(?:\s+|<!--.*?-->)*", re.DOTALL)
_WEB_ARCHIVE = re.compile(rb"(?:mime-version:|from: <saved by)")
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


class FileFormat(Struct, frozen=True):
    """How a table is stored: in a zip container as workbooks are, or as text; ``is_compressed`` with gzip."""

    is_zip: bool
    is_compressed: bool


def detect_format(path: Path, name: str) -> FileFormat:
    """Return the format of a file; FileRefusedError, saying what it is and what to do, if it is no table."""
    with refusing(name):
        start = _read_start(path, compressed=False)
        if compressed := start.startswith(_GZIP):
            start = _read_start(path, compressed=True)
    if other := _describe_other(start):
        what, remedy = other
        code = RefusalCode.OLD_EXCEL if what.startswith(_OLD_EXCEL) else RefusalCode.NOT_A_TABLE
        if start.startswith(_CONTAINER) and _is_encrypted(path, compressed=compressed):
            code = RefusalCode.PROTECTED
        raise FileRefusedError.plain(f"{name} is {what}, not a table in .csv, .tsv, .txt or .xlsx. {remedy}.", code)
    return FileFormat(start.startswith(_ZIP), compressed)


def _is_encrypted(path: Path, *, compressed: bool) -> bool:
    """Return whether a container has the stream of an encrypted workbook."""
    with open_unpacked(path, ReadLimits(), compressed=compressed) as file, suppress(UnreadableError):
        end = b""
        while piece := file.read(_PIECE):
            if _ENCRYPTED_STREAM in end + piece:
                return True
            end = piece[-len(_ENCRYPTED_STREAM) :]
    return False


def _read_start(path: Path, *, compressed: bool) -> bytes:
    with open_unpacked(path, ReadLimits(), compressed=compressed) as file:
        return file.read(_START_LENGTH)


def _describe_other(start: bytes) -> tuple[str, str] | None:
    """Return what a file is and what to do with it, None if it may be a workbook or text."""
    for mark, description in _OTHER_FORMATS.items():
        # A title may begin with the letters of a mark, but has no control characters.
        if start.startswith(mark) and not (mark.isalnum() and not _CONTROLS.search(start)):
            return description
    if start[_TAR] == b"ustar":
        return "a tar archive", _UNPACK
    if start.startswith(_GZIP):
        return "compressed twice", "Unpack it once"
    return _describe_markup(start)


def _describe_markup(start: bytes) -> tuple[str, str] | None:
    for mark in _BYTE_ORDER_MARKS:
        start = start.removeprefix(mark)
    # Without zeros UTF-16 is recognised as well.
    text = start.replace(b"\0", b"").lower()
    text = text[_MARKUP_LEFT_OUT.match(text).end() :]  # type: ignore[union-attr]
    if text.startswith(b"<?xml"):
        if _XML_TABLE in text:
            return "an XML table of Excel 2003", _SAVE_AS_WORKBOOK
        if _OPEN_DOCUMENT in text:
            return "an OpenDocument spreadsheet (.fods)", _SAVE_AS_WORKBOOK
        return ("a web page (HTML)", _SAVE_AS_WORKBOOK) if b"<html" in text else ("an XML file", _EXPORT)
    if _HTML.match(text):
        return "a web page (HTML)", _SAVE_AS_WORKBOOK
    if _JSON.match(text):
        return "a JSON file", _EXPORT
    if _WEB_ARCHIVE.match(text):
        return "a web archive", _SAVE_AS_WORKBOOK
    return None

"""The parts of a workbook's container: what kind it is, which part holds a sheet, and limits on unpacking."""

import codecs
import os
import posixpath
import re
import zipfile
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import IO, NamedTuple
from xml.parsers import expat

from bulkreact.errors import RefusalFacts
from bulkreact.sheets.input.read_limits import ReadLimits

_BOOK = "xl/workbook.xml"
_STYLES = "xl/styles.xml"
# Excel has no more styles of cells.
_MOST_STYLES = 1 << 16
# Excel knows no longer ones, and has these itself.
_FORMAT_LENGTH = 255
_BUILT_IN = {*map(str, range(59))}
_SHARED_STRINGS = "xl/sharedstrings.xml"
_RELATIONS = "xl/_rels/workbook.xml.rels"
_ENCODING = re.compile(rb"""<\?xml[^>]*?\sencoding\s*=\s*["']([^"']*)["']""")
_READABLE = {"utf-8", "ascii"}
_DECLARATION_LENGTH = 200
_BLOCK = 1 << 16
# A container's last record with its comment, and the two before it that large ones have.
_LONGEST_END = (1 << 16) + 98
# An entry of its directory with a long name.
_LONGEST_ENTRY = 512
_COPY_TABLE = "Copy the table alone into a new workbook, or save it as 'CSV UTF-8'"
SAVE_AGAIN = "Open it in Excel or LibreOffice and save it again as .xlsx, or as 'CSV UTF-8'."
_OTHER_DOCUMENTS = {
    "word/": "a Word document",
    "ppt/": "a PowerPoint presentation",
    "visio/": "a Visio drawing",
    "index/": "a Numbers document",
    "index.zip": "a Numbers document",
}


class SheetPart(NamedTuple):
    """The part that holds a sheet, and whether the sheet is ``visible``."""

    part: str
    state: str


_NO_FACTS = RefusalFacts()


class WorkbookRefusedError(Exception):
    """The workbook cannot be read; the message is a sentence that begins behind its name.

    ``public`` says it without quoting anything of the workbook, as names of sheets; it may be empty.
    """

    def __init__(self, message: str, *, public: str = "", facts: RefusalFacts = _NO_FACTS) -> None:
        super().__init__(message)
        self.public = public
        self.facts = facts

    @classmethod
    def plain(cls, message: str) -> "WorkbookRefusedError":
        """Return a refusal that quotes nothing of the workbook."""
        return cls(message, public=message)


def damage_error(detail: str) -> WorkbookRefusedError:
    """Return the refusal of a damaged workbook."""
    public = f"is no Excel workbook that could be read. {SAVE_AGAIN}"
    return WorkbookRefusedError(f"is no Excel workbook that could be read ({detail}). {SAVE_AGAIN}", public=public)


class WorkbookParts:
    """The parts of a container that is an .xlsx workbook; WorkbookRefusedError for any other, UnreadableError for bombs.

    ``size`` is that of all parts unpacked, in bytes.
    """

    def __init__(self, file: IO[bytes], limits: ReadLimits) -> None:
        limits.check("parts", _count_parts(file), "{} parts", _COPY_TABLE)
        try:
            self._archive = zipfile.ZipFile(file)
        except zipfile.BadZipFile:
            raise damage_error("it is damaged or cut off") from None
        # Some programs write other capitals, or backslashes.
        self._names = {_plain_name(info.filename): info.filename for info in self._archive.infolist()}
        if len(self._names) < len(self._archive.infolist()):
            raise damage_error("one of its parts occurs twice")
        self.size = sum(part.file_size for part in self._archive.infolist())
        self._check_kind()
        self._check_size(limits)
        for name in self._names:
            if name.startswith("xl/") and name.endswith((".xml", ".rels")):
                self._check_encoding(name)

    @cached_property
    def sheets(self) -> dict[str, SheetPart]:
        """Return the sheets with cells, in order, by their names."""
        sheets: dict[str, SheetPart] = {}
        for section, name, attributes in self._elements(_BOOK):
            if (section, name) == ("sheets", "sheet"):
                relation = next((value for key, value in attributes.items() if key.endswith("}id")), "")
                kind, part = self._relations.get(relation, ("", ""))
                if kind in {"", "worksheet"}:
                    sheets[attributes.get("name", "")] = SheetPart(part, attributes.get("state", "visible"))
            elif sheets:
                break
        if len(sheets) > len({sheet.part for sheet in sheets.values()}):
            raise damage_error("two of its sheets are the same part")
        return sheets

    def open_sheet(self, sheet: str) -> IO[bytes]:
        """Open the part of a sheet."""
        name = self.sheets[sheet].part
        if name not in self._names:
            raise damage_error(f"the part of sheet {sheet!r} is missing")
        return self._archive.open(self._names[name])

    def open_shared_strings(self) -> IO[bytes] | None:
        """Open the part with the texts that cells share, None if there is none."""
        parts = [part for kind, part in self._relations.values() if kind == "sharedStrings"]
        name = next(iter(parts), _SHARED_STRINGS)
        return self._archive.open(self._names[name]) if name in self._names else None

    @cached_property
    def number_formats(self) -> list[str | int]:
        """Return the number format of each style of cells: a code, or the number of a built-in one."""
        if _STYLES not in self._names:
            return []
        codes: dict[str, str] = {}
        formats: list[str | int] = []
        for section, name, attributes in self._elements(_STYLES):
            match section, name:
                case "numFmts", "numFmt":
                    codes[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")
                case "cellXfs", "xf":
                    formats.append(_number_format(attributes.get("numFmtId", "0"), codes))
            if len(formats) == _MOST_STYLES:
                break
        return formats

    @cached_property
    def counts_from_1904(self) -> bool:
        """Return whether dates are numbers of days since 1904, as on old Macs, and not since 1900."""
        for section, name, attributes in self._elements(_BOOK):
            if name == "workbookPr":
                return attributes.get("date1904") in {"1", "true"}
            if section == "sheets":
                break
        return False

    def _check_kind(self) -> None:
        if _BOOK in self._names:
            return
        if "xl/workbook.bin" in self._names:
            raise WorkbookRefusedError.plain("is a binary workbook (.xlsb). Open it in Excel and save it as .xlsx.")
        if "mimetype" in self._names and "content.xml" in self._names:
            if "spreadsheet" in self._archive.read("mimetype")[:100].decode("ascii", "replace"):
                raise WorkbookRefusedError.plain(
                    "is an OpenDocument spreadsheet (.ods). Open it in LibreOffice or Excel and save it as .xlsx."
                )
            raise WorkbookRefusedError.plain(
                "is an OpenDocument document, and no spreadsheet. Save the table as .xlsx or CSV."
            )
        for beginning, kind in _OTHER_DOCUMENTS.items():
            if any(name.startswith(beginning) for name in self._names):
                raise WorkbookRefusedError.plain(f"is {kind}, and no workbook. Save the table as .xlsx or CSV.")
        if "[content_types].xml" in self._names:
            raise damage_error(f"it has no {_BOOK}")
        if not self._names:
            raise WorkbookRefusedError.plain("is an empty archive. Name the file that has the table.")
        raise WorkbookRefusedError.plain("is a zip archive, and no workbook. Unpack it, and run the file inside.")

    def _check_size(self, limits: ReadLimits) -> None:
        parts = self._archive.infolist()
        limits.check("parts", len(parts), "{} parts", _COPY_TABLE)
        limits.check("bytes", self.size, "{} bytes, unpacked", _COPY_TABLE)
        for part in parts:
            limits.check_ratio(part.compress_size, part.file_size)
            if part.flag_bits & 1:
                raise WorkbookRefusedError.plain("is encrypted. Save it as .xlsx without a password.")

    def _check_encoding(self, name: str) -> None:
        with self._archive.open(self._names[name]) as part:
            start = part.read(_DECLARATION_LENGTH)
        declared = _ENCODING.match(start.removeprefix(codecs.BOM_UTF8))
        encoding = declared[1].decode("ascii", "replace") if declared else "UTF-8"
        if start[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE} or b"\0" in start[:4]:
            encoding = "UTF-16"
        try:
            readable = codecs.lookup(encoding).name in _READABLE
        except LookupError:
            readable = False
        if not readable:
            raise WorkbookRefusedError(f"is stored in the encoding {encoding!r}, and only UTF-8 is read. {SAVE_AGAIN}")

    @cached_property
    def _relations(self) -> dict[str, tuple[str, str]]:
        """Return the last word of the type of each relation, and the name of its part."""
        return {
            relation.get("Id", ""): (
                relation.get("Type", "").rpartition("/")[2],
                _plain_name(_absolute_name(relation.get("Target", ""))),
            )
            for _, _, relation in self._elements(_RELATIONS)
        }

    def _elements(self, name: str) -> Iterator["_Element"]:
        """Yield the elements of a part below its root; none is kept, however many there are."""
        if name not in self._names:
            raise damage_error(f"it has no {name}")
        outline = _Outline(name)
        with self._archive.open(self._names[name]) as part:
            while block := part.read(_BLOCK):
                yield from outline.parse(block)
        yield from outline.parse(b"", is_final=True)


# The name of the child of the root that it is or belongs to, its own name and its attributes; the strict variant of the
# format has other name spaces, so that names of elements are without.
_Element = tuple[str, str, Mapping[str, str]]


class _Outline:
    """The elements of a part in the order of their beginnings."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._section = ""
        self._depth = 0
        self._found: list[_Element] = []
        self._parser = expat.ParserCreate(namespace_separator="}")
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end

    def parse(self, block: bytes, *, is_final: bool = False) -> list[_Element]:
        """Parse a part of the XML and return the elements that begin in it."""
        self._found = []
        try:
            self._parser.Parse(block, is_final)
        except expat.ExpatError:
            raise damage_error(f"the XML of {self._name} is broken") from None
        return self._found

    def _refuse_doctype(self, *_declaration: object) -> None:
        raise damage_error(f"{self._name} defines entities of its own")

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        name = name.rpartition("}")[2]
        if self._depth == 1:
            self._section = name
        if self._depth:
            self._found.append((self._section, name, attributes))
        self._depth += 1

    def _end(self, _name: str) -> None:
        self._depth -= 1


def _number_format(number: str, codes: Mapping[str, str]) -> str | int:
    if (code := codes.get(number)) and len(code) <= _FORMAT_LENGTH:
        return code
    return int(number) if number in _BUILT_IN else 0


def _count_parts(file: IO[bytes]) -> int:
    """Return how many parts a container says that it has, or must have by the size of its directory.

    To read the directory of a million parts takes half a GB.
    """
    file.seek(max(0, file.seek(0, os.SEEK_END) - _LONGEST_END))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0:
        return 0
    count, size = int.from_bytes(tail[at + 10 : at + 12], "little"), int.from_bytes(tail[at + 12 : at + 16], "little")
    record = tail.rfind(b"PK\x06\x06", 0, at)
    if record >= 0:
        count, size = (int.from_bytes(tail[record + offset : record + offset + 8], "little") for offset in (32, 40))
    return max(count, size // _LONGEST_ENTRY)


def _plain_name(name: str) -> str:
    return name.replace("\\", "/").casefold()


def _absolute_name(target: str) -> str:
    return target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join("xl", target))

"""Text tables as programs save them: encoding, delimiter and header are found, then they are read in chunks, as text."""

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

import pandas as pd

from bulkreact.errors import InputRefusedError
from bulkreact.sheets.input.csv_scan import TITLE_LINES, HeaderTest, scan_records

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
_CHUNK_CELLS = 200_000
_HEAD = 1 << 16
_GZIP = b"\x1f\x8b"
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_WESTERN = "cp1252"
_OTHERS = {
    b"PK\x03\x04": "a compressed workbook or archive",
    b"PK\x05\x06": "an empty archive",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"{\\rtf": "a text document",
    b"SQLite format 3": "a database",
}
# Spreadsheets of the West save neither of them; programs and people who type do.
_PLAIN = {"utf-8", "ascii"}
_OF_SPREADSHEETS = {";", "\t"}
_SEP = re.compile(r'"?sep=([^\w\r\n"])"?[;,\t ]*(?:\r\n|\r|\n|$)', re.IGNORECASE)
# No table has these: they tell a program's own format from text.
_BINARY = re.compile(r"[\0-\x08\x0e-\x1a]")
# A text in UTF-16 without a mark has so many zero bytes in its even, or in its odd, places.
_ZEROS = 0.4

_TORN = (EOFError, gzip.BadGzipFile, zlib.error)


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """How a text is written; ``marked`` if Excel's ``sep=`` stands above it."""

    encoding: str
    delimiter: str
    compressed: bool
    marked: bool = False


class TextTable:
    """A table in a text file; ``wanted`` tells a header from a title.

    InputRefusedError when it is no such file. ``remark`` says what was guessed, where that may matter to people.
    """

    guarded = True

    def __init__(
        self, path: Path, name: str, wanted: HeaderTest, *, delimiter: str | None = None, encoding: str | None = None
    ) -> None:
        self._path = path
        self._name = name
        self._wanted = wanted
        self.remark = ""
        compressed, encodings = _encodings(path, name, encoding)
        for last, one in ((one == encodings[-1], one) for one in encodings):
            try:
                self.form = self._formed(one, delimiter, compressed=compressed)
                with self._opened() as file:
                    self._scan = scan_records(file, name, self.form.delimiter, wanted)
            except UnicodeError as error:
                if last:
                    raise InputRefusedError(_unreadable(name, error, encoding)) from None
                continue
            except _TORN as error:
                raise InputRefusedError(f"{name} cannot be unpacked: {error}. Compress it again.") from None
            break
        if self.form.encoding == _WESTERN and not encoding:
            self.remark = (
                f"{name} is not UTF-8 and was read as Windows' Western encoding ({_WESTERN}). If names look wrong, say "
                "which it is with --encoding, or save the file as 'CSV UTF-8'."
            )

    @property
    def header(self) -> tuple[str, ...]:
        """Return the names of the columns, empty when there is nothing in the file."""
        return self._scan.header

    @property
    def from_spreadsheet(self) -> bool:
        """Tell whether a spreadsheet would save the file like this; what only programs write is plain UTF-8."""
        form = self.form
        plain = codecs.lookup(form.encoding).name in _PLAIN and form.delimiter not in _OF_SPREADSHEETS
        return form.marked or not plain

    def chunks(self) -> Iterator[pd.DataFrame]:
        """Yield the records below the header; their index is the row that a spreadsheet shows, counted from 0."""
        scan = self._scan
        if not scan.header:
            return
        read = 0
        with (
            self._opened() as file,
            pd.read_csv(
                file,
                sep=self.form.delimiter,
                dtype=str,
                header=None,
                names=list(range(scan.width)),
                index_col=False,
                keep_default_na=False,
                na_filter=False,
                skip_blank_lines=False,
                chunksize=max(1, _CHUNK_CELLS // scan.width),
            ) as reader,
        ):
            for chunk in _parsed(self._name, reader):
                read += len(chunk)
                yield chunk if chunk.index[0] > scan.header_at else chunk.loc[chunk.index > scan.header_at]
        if read < scan.records:
            raise InputRefusedError(
                f"{self._name} has {scan.records} lines of data but only {read} could be read. "
                "Look for a broken quotation mark, and save the file again."
            )

    def _formed(self, encoding: str, delimiter: str | None, *, compressed: bool) -> CsvDialect:
        form = CsvDialect(encoding, delimiter or ",", compressed)
        with _open(self._path, form) as text:
            head = text.read(_HEAD)
        # What is UTF-8 by its bytes is text by all appearances; anything at all can be read as the other.
        if encoding == _WESTERN and _BINARY.search(head):
            raise InputRefusedError(f"{self._name} is not a text file, so it has no table that could be read.")
        if mark := _SEP.match(head):
            return CsvDialect(encoding, delimiter or mark[1], compressed, marked=True)
        return form if delimiter else CsvDialect(encoding, _delimiter(head, self._wanted), compressed)

    @contextmanager
    def _opened(self) -> Iterator[TextIO]:
        with _open(self._path, self.form) as text:
            if self.form.marked:
                text.readline()
            yield text


class _WithoutNul(io.TextIOWrapper):
    """Text without the NUL characters that some programs pad it with, read in pieces or line by line."""

    def read(self, size: int | None = -1, /) -> str:
        text = super().read(size)
        # An empty text would mean the end.
        while text and not (kept := text.replace("\0", "")):
            text = super().read(size)
        return kept if text else ""

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        return super().readline(size).replace("\0", "")


@contextmanager
def _open(path: Path, form: CsvDialect) -> Iterator[TextIO]:
    with _bytes(path, compressed=form.compressed) as raw, _WithoutNul(raw, encoding=form.encoding, newline="") as text:
        yield text


def _bytes(path: Path, *, compressed: bool) -> BinaryIO:
    return gzip.open(path) if compressed else path.open("rb")  # type: ignore[return-value]


def _encodings(path: Path, name: str, given: str | None) -> tuple[bool, list[str]]:
    """Return whether a file is compressed, and the encodings that are worth trying."""
    with path.open("rb") as raw:
        compressed = raw.read(len(_GZIP)) == _GZIP
    try:
        with _bytes(path, compressed=compressed) as raw:
            start = raw.read(_HEAD)
    except _TORN as error:
        raise InputRefusedError(f"{name} cannot be unpacked: {error}. Compress it again.") from None
    for mark, kind in _OTHERS.items():
        if start.startswith(mark):
            raise InputRefusedError(f"{name} is {kind}, and no table. Save the table itself as .xlsx or CSV.")
    if given:
        # A mark at the beginning is no part of the first name.
        return compressed, ["utf-8-sig" if codecs.lookup(given).name == "utf-8" else given]
    for mark, encoding in _MARKS.items():
        if start.startswith(mark):
            return compressed, [encoding]
    for offset, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        places, others = start[offset::2], start[1 - offset :: 2]
        if places.count(0) > _ZEROS * len(places) and others.count(0) < _ZEROS * len(others) / 10:
            return compressed, [encoding]
    return compressed, ["utf-8", _WESTERN]


def _delimiter(head: str, wanted: HeaderTest) -> str:
    """Return what separates the cells: what makes a header, else what is most frequent in the first line."""
    for delimiter in DELIMITERS.values():
        if any(wanted(record) for record in _records(head, delimiter)):
            return delimiter
    counts = {one: len(next(_records(head, one), [])) for one in DELIMITERS.values()}
    return max(counts, key=counts.__getitem__)


def _records(head: str, delimiter: str) -> Iterator[list[str]]:
    """Yield the first records with something in them, as far as they can be read."""
    titles = 0
    try:
        for record in csv.reader(io.StringIO(head, newline=""), delimiter=delimiter):
            if any(cell.strip() for cell in record):
                titles += 1
                yield record
            if titles > TITLE_LINES:
                return
    except csv.Error:
        return


def _parsed(name: str, chunks: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    try:
        yield from chunks
    except pd.errors.ParserError as error:
        raise InputRefusedError(f"{name} is not a proper CSV file: {error}.") from None


def _unreadable(name: str, error: UnicodeError, encoding: str | None) -> str:
    if encoding:
        return f"{name} is not {encoding} text ({error}). Leave --encoding out, or name another."
    return f"{name} is no text that could be read. If it is a table, save it as 'CSV UTF-8' and run that file."

"""Reads text tables in chunks, all cells as text, after detecting encoding, delimiter and header."""

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TextIO

import pandas as pd

from bulkreact.errors import InputRefusedError
from bulkreact.guids import is_guid
from bulkreact.sheets.columns import HeaderRule
from bulkreact.sheets.input.csv_scan import scan_records
from bulkreact.sheets.input.header_search import TITLE_LINES, FoundHeader, find_header

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
_CHUNK_CELLS = 200_000
_HEAD_LENGTH = 1 << 16
_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_WESTERN = "cp1252"
# Western spreadsheets save CSV in none of these encodings, and with one of these delimiters.
_PLAIN = {"utf-8", "ascii"}
_SPREADSHEET_DELIMITERS = {";", "\t"}
_SEP = re.compile(r'"?sep=([^\w\r\n"])"?[;,\t ]*(?:\r\n|\r|\n|$)', re.IGNORECASE)
# Characters that occur in binary formats but in no table.
_BINARY = re.compile(r"[\0-\x08\x0e-\x1a]")
# UTF-16 text without a byte order mark has at least this share of zeros among its even, or odd, bytes.
_ZEROS = 0.4

_CORRUPT = (EOFError, gzip.BadGzipFile, zlib.error)


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """The format of a text file; ``has_sep_line`` if it begins with Excel's ``sep=``."""

    encoding: str
    delimiter: str
    compressed: bool
    has_sep_line: bool = False


class TextTable:
    """A table in a text file, below the row that names its columns; InputRefusedError if it cannot be read.

    ``remark`` says what was guessed, empty if nothing that matters to the user.
    """

    guarded = True

    def __init__(
        self, path: Path, name: str, rule: HeaderRule, *, delimiter: str | None = None, encoding: str | None = None
    ) -> None:
        self._path = path
        self._name = name
        self._rule = rule
        self.remark = ""
        compressed, encodings = _encodings(path, name, encoding)
        for candidate in encodings:
            try:
                self.dialect = self._detect_dialect(candidate, delimiter, compressed=compressed)
                with self._open() as file:
                    self._scan = scan_records(file, name, self.dialect.delimiter, rule)
            except UnicodeError as error:
                if candidate == encodings[-1]:
                    raise InputRefusedError(_decoding_error(name, error, encoding)) from None
                continue
            except _CORRUPT as error:
                raise InputRefusedError(f"{name} cannot be unpacked: {error}. Compress it again.") from None
            break
        if self.dialect.encoding == _WESTERN and not encoding:
            self.remark = (
                f"{name} is not UTF-8 and was read as Windows' Western encoding ({_WESTERN}). If names look wrong, say "
                "which it is with --encoding, or save the file as 'CSV UTF-8'."
            )

    @property
    def header(self) -> tuple[str, ...]:
        """Return the names of the columns, empty if the file has no content."""
        return self._scan.header

    @property
    def found(self) -> FoundHeader | None:
        """Return where the header is."""
        return self._scan.found

    @property
    def from_spreadsheet(self) -> bool:
        """Return whether a spreadsheet program probably saved the file: other programs write UTF-8 with commas."""
        dialect = self.dialect
        plain = codecs.lookup(dialect.encoding).name in _PLAIN and dialect.delimiter not in _SPREADSHEET_DELIMITERS
        return dialect.has_sep_line or not plain

    def merged_range(self, _number: int, _index: int) -> str:
        """Return nothing: no cells are merged in text."""
        return ""

    def chunks(self) -> Iterator[pd.DataFrame]:
        """Yield the records below the header; their index is the row that a spreadsheet shows, counted from 0."""
        scan = self._scan
        if not scan.found:
            return
        header_index = scan.found.number - 1
        read = 0
        with (
            self._open() as file,
            pd.read_csv(
                file,
                sep=self.dialect.delimiter,
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
            for chunk in _parse(self._name, reader):
                read += len(chunk)
                yield chunk if chunk.index[0] > header_index else chunk.loc[chunk.index > header_index]
        if read < scan.records:
            raise InputRefusedError(
                f"{self._name} has {scan.records} lines of data but only {read} could be read. "
                "Look for a broken quotation mark, and save the file again."
            )

    def _detect_dialect(self, encoding: str, delimiter: str | None, *, compressed: bool) -> CsvDialect:
        dialect = CsvDialect(encoding, delimiter or ",", compressed)
        with _open_text(self._path, dialect) as text:
            head = text.read(_HEAD_LENGTH)
        # Valid UTF-8 is text in practice; any bytes are valid in the Western encoding.
        if encoding == _WESTERN and _BINARY.search(head):
            raise InputRefusedError(f"{self._name} is not a text file, so it has no table that could be read.")
        if mark := _SEP.match(head):
            return CsvDialect(encoding, delimiter or mark[1], compressed, has_sep_line=True)
        return dialect if delimiter else CsvDialect(encoding, _detect_delimiter(head, self._rule), compressed)

    @contextmanager
    def _open(self) -> Iterator[TextIO]:
        with _open_text(self._path, self.dialect) as text:
            if self.dialect.has_sep_line:
                text.readline()
            yield text


class _WithoutNul(io.TextIOWrapper):
    """Text without the NUL characters that some programs pad it with."""

    def read(self, size: int | None = -1, /) -> str:
        text = super().read(size)
        # An empty result would mean the end of the file.
        while text and not (content := text.replace("\0", "")):
            text = super().read(size)
        return content if text else ""

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        return super().readline(size).replace("\0", "")


@contextmanager
def _open_text(path: Path, dialect: CsvDialect) -> Iterator[TextIO]:
    with (
        _open_bytes(path, compressed=dialect.compressed) as raw,
        _WithoutNul(raw, encoding=dialect.encoding, newline="") as text,
    ):
        yield text


def _open_bytes(path: Path, *, compressed: bool) -> BinaryIO:
    return gzip.open(path) if compressed else path.open("rb")  # type: ignore[return-value]


def _encodings(path: Path, name: str, encoding: str | None) -> tuple[bool, list[str]]:
    """Return whether a file is compressed, and the encodings to try, in order."""
    with path.open("rb") as raw:
        compressed = raw.read(len(_GZIP)) == _GZIP
    try:
        with _open_bytes(path, compressed=compressed) as raw:
            start = raw.read(_HEAD_LENGTH)
    except _CORRUPT as error:
        raise InputRefusedError(f"{name} cannot be unpacked: {error}. Compress it again.") from None
    if encoding:
        # With a byte order mark the first name would begin with it.
        return compressed, ["utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding]
    for mark, marked in _BYTE_ORDER_MARKS.items():
        if start.startswith(mark):
            return compressed, [marked]
    for offset, utf_16 in ((1, "utf-16-le"), (0, "utf-16-be")):
        high, low = start[offset::2], start[1 - offset :: 2]
        if high.count(0) > _ZEROS * len(high) and low.count(0) < _ZEROS * len(low) / 10:
            return compressed, [utf_16]
    return compressed, ["utf-8", _WESTERN]


def _detect_delimiter(head: str, rule: HeaderRule) -> str:
    """Return the delimiter with which the first records name most columns, else have most ids, else most cells."""
    return max(DELIMITERS.values(), key=lambda delimiter: _rank(list(_records(head, delimiter)), rule))


def _rank(records: list[list[str]], rule: HeaderRule) -> tuple[bool, int, int, int]:
    found = find_header(enumerate(records), rule)
    if found is None:
        return False, 0, 0, 0
    ids = sum(is_guid(cell.strip()) for record in records for cell in record)
    return found.complete, found.known, ids, len(found.cells)


def _records(head: str, delimiter: str) -> Iterator[list[str]]:
    """Yield the first records with content, as far as they can be parsed."""
    try:
        records = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
        yield from islice((record for record in records if any(map(str.strip, record))), TITLE_LINES + 1)
    except csv.Error:
        return


def _parse(name: str, chunks: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    try:
        yield from chunks
    except pd.errors.ParserError as error:
        raise InputRefusedError(f"{name} is not a proper CSV file: {error}.") from None


def _decoding_error(name: str, error: UnicodeError, encoding: str | None) -> str:
    if encoding:
        return f"{name} is not {encoding} text ({error}). Leave --encoding out, or name another."
    return f"{name} is no text that could be read. If it is a table, save it as 'CSV UTF-8' and run that file."

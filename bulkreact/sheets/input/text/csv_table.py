"""Reads text tables in chunks, all cells as text, after detecting encoding, delimiter and header."""

import codecs
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pandas as pd
from msgspec.structs import replace

from bulkreact.errors import FileRefusedError, RefusalCode, RefusalFacts
from bulkreact.sheets.columns import HeaderRule
from bulkreact.sheets.input.carried_types import CellTypes
from bulkreact.sheets.input.header_search import FoundHeader, find_header
from bulkreact.sheets.input.input_options import InputOptions
from bulkreact.sheets.input.read_limits import refusing
from bulkreact.sheets.input.text.clean_text import CleanText, find_nuls
from bulkreact.sheets.input.text.csv_dialect import (
    DELIMITERS,
    CsvDialect,
    detect_delimiter,
    find_sep_line,
    first_records,
)
from bulkreact.sheets.input.text.csv_scan import CutOffRow, scan_records
from bulkreact.sheets.input.text.text_encoding import (
    REGIONAL,
    WESTERN,
    candidates,
    find_mark,
    find_nonsense,
    how_to_find_out,
)
from bulkreact.sheets.input.unpacked_file import open_unpacked
from bulkreact.wording import plural

_WORKBOOKS = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})
# As many as the caches of a processor have room for: four times as many take an eighth longer.
_CHUNK_CELLS = 50_000
# In characters, if every row of a chunk is as long as the longest.
_CHUNK_LENGTH = 64 << 20
_HEAD_LENGTH = 1 << 16
# Western spreadsheets save CSV in none of these encodings, and with one of these delimiters.
_PLAIN = {"utf-8", "ascii"}
_SPREADSHEET_DELIMITERS = {";", "\t"}
# Characters that occur in binary formats but in no table.
_BINARY = re.compile(r"[\0-\x08\x0e-\x1a]")


class TextTable:
    """A table in a text file, below the row that names its columns; FileRefusedError if it cannot be read.

    ``remark`` says what was guessed, empty if nothing that matters to the user.
    """

    guarded = True
    common_types = ()
    sheet = None
    sheets = ()
    first_column = 0
    widths = ()

    def __init__(
        self, path: Path, name: str, rule: HeaderRule, options: InputOptions, *, compressed: bool = False
    ) -> None:
        self._path = path
        self._name = name
        self._rule = rule
        self._limits = options.limits
        with refusing(name):
            self._examine(options.delimiter, options.encoding, compressed=compressed)

    def _examine(self, delimiter: str | None, encoding: str | None, *, compressed: bool) -> None:
        """Detect the dialect, scan the text, and collect remarks."""
        with self._open_bytes(compressed=compressed) as raw:
            start = raw.read(_HEAD_LENGTH)
        marked = find_mark(start)
        encodings = [encoding] if encoding else candidates(start)
        for candidate in encodings:
            dialect = CsvDialect(candidate, delimiter or "", compressed, marked is not None)
            try:
                self.dialect = self._detect_dialect(dialect)
                with self._open() as file:
                    self._scan = scan_records(file, self._name, self.dialect.delimiter, self._rule, self._limits)
                    has_nuls = file.has_nuls
                    self._is_changed = file.is_changed or self.dialect.has_sep_line
            except UnicodeError:
                if candidate == encodings[-1]:
                    message = self._decoding_error(encoding, marked, compressed=compressed)
                    raise FileRefusedError.plain(message, RefusalCode.BAD_ENCODING) from None
                continue
            break
        guessed = self.dialect.encoding == WESTERN and not encoding
        remarks = [*(self._check_western() if guessed else ()), *(self._check_nuls() if has_nuls else ())]
        self.remark = " ".join([*remarks, *self._describe_end()])

    @property
    def delimiter(self) -> str:
        """Return what separates the cells."""
        return self.dialect.delimiter

    @property
    def encoding(self) -> str:
        """Return Python's name of the encoding."""
        return codecs.lookup(self.dialect.encoding).name

    @property
    def header(self) -> tuple[str, ...]:
        """Return the names of the columns, empty if the file has no content."""
        return self._scan.header

    @property
    def found(self) -> FoundHeader | None:
        """Return where the header is."""
        return self._scan.found

    @property
    def cut_off(self) -> CutOffRow | None:
        """Return the last row if the file ends within it."""
        return self._scan.cut_off

    @property
    def from_spreadsheet(self) -> bool:
        """Return whether a spreadsheet program probably saved the file: other programs write UTF-8 with commas."""
        dialect = self.dialect
        plain = codecs.lookup(dialect.encoding).name in _PLAIN and dialect.delimiter not in _SPREADSHEET_DELIMITERS
        return dialect.marked or dialect.has_sep_line or not plain

    def merged_range(self, _number: int, _index: int) -> str:
        """Return nothing: no cells are merged in text."""
        return ""

    def cell_types(self, _number: int) -> CellTypes:
        """Return nothing: all of a text is text."""
        return (), ()

    def chunks(self) -> Iterator[pd.DataFrame]:
        """Yield the records below the header; their index is the row that a spreadsheet shows, counted from 0."""
        scan = self._scan
        if not scan.found:
            return
        header_index = scan.found.number - 1
        # Pandas reads UTF-8 as it is in four fifths of the time.
        is_as_it_is = not self._is_changed and self.encoding in _PLAIN
        read = 0
        with (
            refusing(self._name),
            _refusing_changes(self._name),
            self._open_bytes(compressed=self.dialect.compressed) if is_as_it_is else self._open() as file,
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
                chunksize=max(1, min(_CHUNK_CELLS // scan.width, _CHUNK_LENGTH // scan.longest)),
            ) as reader,
        ):
            for chunk in reader:
                read += len(chunk)
                yield chunk.loc[chunk.index > header_index] if read - len(chunk) <= header_index else chunk
        if read < scan.records:
            raise FileRefusedError.plain(
                f"{self._name} has {plural(scan.records, 'line')} of data but only {read} could be read. "
                "Look for a broken quotation mark, and save the file again."
            )

    def _detect_dialect(self, dialect: CsvDialect) -> CsvDialect:
        with self._open_text(dialect) as text:
            head = text.read(_HEAD_LENGTH)
        # Valid UTF-8 is text in practice; any bytes are valid in the Western encoding.
        if dialect.encoding == WESTERN and _BINARY.search(head):
            raise FileRefusedError.plain(f"{self._name} is not a text file, so it has no table that could be read.")
        if separator := find_sep_line(head):
            return replace(dialect, delimiter=dialect.delimiter or separator, has_sep_line=True)
        return dialect if dialect.delimiter else replace(dialect, delimiter=detect_delimiter(head, self._rule))

    def _check_western(self) -> Iterator[str]:
        """Yield that the encoding was guessed; FileRefusedError if the text then makes no sense."""
        with self._open() as file:
            nonsense = find_nonsense(iter(partial(file.read, _HEAD_LENGTH), ""))
        if nonsense:
            problem = f"{self._name} is not UTF-8, and in Windows' Western encoding ({WESTERN}) it makes no sense"
            remedy = f"{self._how_to_find_out(compressed=self.dialect.compressed)}."
            raise FileRefusedError(
                f"{problem}, for example {nonsense!r}. {remedy}",
                public=f"{problem}. {remedy}",
                facts=RefusalFacts(RefusalCode.BAD_ENCODING),
            )
        yield (
            f"{self._name} is not UTF-8 and was read as Windows' Western encoding ({WESTERN}). If names look wrong, say "
            "which it is with --encoding, or save the file as 'CSV UTF-8'."
        )

    def _how_to_find_out(self, *, compressed: bool) -> str:
        """Return how to find the encoding: the regional ones in which the header names the columns, if it needs one."""
        if self._fits("latin-1", compressed=compressed):
            return how_to_find_out(())
        return how_to_find_out(encoding for encoding in REGIONAL if self._fits(encoding, compressed=compressed))

    def _fits(self, encoding: str, *, compressed: bool) -> bool:
        try:
            with self._open_text(CsvDialect(encoding, "", compressed)) as text:
                head = text.read(_HEAD_LENGTH)
        except UnicodeError:
            return False
        found = find_header(enumerate(first_records(head, detect_delimiter(head, self._rule))), self._rule)
        return found is not None and found.complete

    def _check_nuls(self) -> Iterator[str]:
        """Yield where NUL characters were passed over; FileRefusedError if they stand for lost rows."""
        with (
            self._open_bytes(compressed=self.dialect.compressed) as raw,
            io.TextIOWrapper(raw, encoding=self.dialect.encoding) as text,
        ):
            nuls = find_nuls(text)
        if not self.found:
            raise FileRefusedError.plain(
                f"{self._name} has nothing but NUL characters, as when a copy broke off. Copy or export the file again."
            )
        if nuls.block_line:
            raise FileRefusedError.plain(
                f"{self._name}: line {nuls.block_line} has a block of NUL characters with more rows behind it, as in a copy "
                "that broke off: rows are missing there. Copy or export the file again."
            )
        if nuls.stray:
            yield f"{self._name}: {_count_nuls(nuls.stray)} passed over, the first in line {nuls.stray_line}."
        if nuls.at_end:
            yield (
                f"{self._name}: {_count_nuls(nuls.at_end, ' at the end')} passed over. If a copy broke off, rows are "
                "missing at the end: compare it with its source."
            )

    def _describe_end(self) -> Iterator[str]:
        if cut := self.cut_off:
            yield (
                f"{self._name} ends within row {cut.number}, after {cut.cells} of {len(self.header)} cells and without a line "
                "end. If the file was cut off, rows are missing: compare it with its source."
            )

    def _decoding_error(self, encoding: str | None, marked: str | None, *, compressed: bool) -> str:
        mark = f" The file begins with the byte order mark of {marked.upper()}." if marked else ""
        if encoding:
            return f"{self._name} is not {encoding} text.{mark} Leave --encoding out, or name another."
        if not mark and Path(self._name).suffix.lower() in _WORKBOOKS:
            return (
                f"{self._name} is called like a workbook and is none: it is damaged, or something else. Open it in Excel "
                "and save it again as .xlsx, or ask for the file again."
            )
        neither = mark or f" It is neither UTF-8 nor {WESTERN}."
        how = self._how_to_find_out(compressed=compressed)
        return (
            f"{self._name} is no text that could be read.{neither} {how}. If it is no table at all, save the table in it "
            "as 'CSV UTF-8' and run that file."
        )

    def _open_bytes(self, *, compressed: bool) -> io.BufferedReader:
        return open_unpacked(self._path, self._limits, compressed=compressed)

    @contextmanager
    def _open_text(self, dialect: CsvDialect) -> Iterator[CleanText]:
        delimiters = "".join({*DELIMITERS.values(), dialect.delimiter})
        with (
            self._open_bytes(compressed=dialect.compressed) as raw,
            CleanText(raw, dialect.encoding, delimiters, self._limits) as text,
        ):
            yield text

    @contextmanager
    def _open(self) -> Iterator[CleanText]:
        with self._open_text(self.dialect) as text:
            if self.dialect.has_sep_line:
                text.readline()
            yield text


def _count_nuls(number: int, where: str = "") -> str:
    return f"{plural(number, 'NUL character')}{where} {'was' if number == 1 else 'were'}"


@contextmanager
def _refusing_changes(name: str) -> Iterator[None]:
    """Raise FileRefusedError if a text is not what it was when it was scanned."""
    try:
        yield
    except pd.errors.ParserError as error:
        if "out of memory" in str(error):
            raise MemoryError from None
        raise FileRefusedError.plain(f"{name} is not a proper CSV file: {error}.") from None
    except UnicodeError:
        raise FileRefusedError.plain(f"{name} has changed while it was read. Try again when it is complete.") from None

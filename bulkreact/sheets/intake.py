"""Reads an input file in chunks, everything as text, and checks every row; it sends nothing and keeps nothing."""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bulkreact.errors import InputRefusedError
from bulkreact.models import InputRow, Status, Target
from bulkreact.partnercenter.bodies import DESCRIPTION_LENGTH
from bulkreact.partnercenter.own_codes import UNREADABLE
from bulkreact.sheets import identifiers
from bulkreact.sheets.columns import ID_COLUMNS, ColumnError, Layout, layout, missing_columns
from bulkreact.sheets.guard import unguard

_CHUNK_CELLS = 200_000
_PROBLEMS_KEPT = 1000
_SPREADSHEETS = {b"PK\x03\x04": "an Excel workbook (or a zip archive)", b"\xd0\xcf\x11\xe0": "an old Excel workbook"}
_NOT_BUSINESS = {"", "401", "408", "429"}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row is invalid; ``words`` need the row's number before them."""

    number: int
    code: str
    words: str


@dataclass(frozen=True, slots=True)
class _Scan:
    """What a first pass over the records found; records are counted from 0, blank ones included."""

    header: tuple[str, ...]
    header_at: int
    width: int
    records: int


class Intake:
    """One input file; ``rows`` reads it, afterwards the counts are complete.

    ``sha256`` is of the file's bytes; ``digest`` of the kind and the canonical ids in order, invalid rows left out.
    """

    def __init__(self, path: Path, *, max_rows: int, name: str = "") -> None:
        self.path = path
        self.name = name or str(path)
        self.sha256 = _sha256(path)
        self._max_rows = max_rows
        self._scan = _scan(path, self.name)
        self._layout = _layout_of(self.name, self._scan.header)
        self._digest = hashlib.sha256()
        self.count = 0
        self.codes: Counter[str] = Counter()
        self.problems: list[Problem] = []

    @property
    def header(self) -> tuple[str, ...]:
        """Return the names of the columns that are carried into the results."""
        return self._layout.header

    @property
    def digest(self) -> str:
        """Return the digest over the rows read so far."""
        return self._digest.hexdigest()

    def rows(self) -> Iterator[InputRow]:
        """Yield every row with content; InputRefusedError when there are more than allowed."""
        for chunk in self._chunks():
            for row in self._rows_of(chunk):
                self.count += 1
                if self.count <= self._max_rows:
                    yield row
        if self.count > self._max_rows:
            raise InputRefusedError(
                f"{self.name} has {self.count:,} rows, more than the {self._max_rows:,} that --max-rows allows. "
                "Check that it is the right file; if it is, raise --max-rows."
            )

    def _chunks(self) -> Iterator[pd.DataFrame]:
        scan = self._scan
        if not scan.header:
            return
        read = 0
        with (
            self.path.open(encoding="utf-8-sig", newline="") as file,
            pd.read_csv(
                file,
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
            for chunk in _parsed(self.name, reader):
                read += len(chunk)
                yield chunk.loc[chunk.index > scan.header_at]
        if read < scan.records:
            raise InputRefusedError(
                f"{self.name} has {scan.records} lines of data but only {read} could be read. "
                "Look for NUL characters or a broken quotation mark, and save the file again."
            )

    def _rows_of(self, chunk: pd.DataFrame) -> Iterator[InputRow]:
        scan, places = self._scan, self._layout.ids
        names = [scan.header[place].strip().casefold() for place in places]
        blank = pd.Series(data=True, index=chunk.index)
        repeated = pd.Series(data=True, index=chunk.index)
        for column in chunk.columns:
            blank &= chunk[column].str.strip() == ""
        for place, name in zip(places, names, strict=True):
            repeated &= chunk[place].str.strip().str.casefold() == name
        chunk = chunk.loc[~(blank | repeated)]
        ids = [identifiers.canonical(chunk[place]).tolist() for place in places]
        for number, cells, *found in zip(chunk.index + 1, chunk.to_numpy().tolist(), *ids, strict=True):
            yield self._row(int(number), cells, found)

    def _row(self, number: int, given: list[str], found: list[str]) -> InputRow:
        cells = [unguard(cell) for cell in given] if self._layout.results else given
        kept = tuple(cells[place] for place in self._layout.kept)
        if problem := self._problem(number, cells, found):
            self.codes[problem.code] += 1
            if len(self.problems) < _PROBLEMS_KEPT:
                self.problems.append(problem)
            return InputRow(number, kept, None, problem.code, problem.words)
        target = Target(*found)
        self._digest.update(target.line.encode())
        request_id, lost = self._carried(cells)
        return InputRow(number, kept, target, request_id=request_id, lost=lost)

    def _problem(self, number: int, cells: list[str], found: list[str]) -> Problem | None:
        extra = [cell for cell in cells[len(self._scan.header) :] if cell.strip()]
        if extra:
            words = f"the row has more cells than the header; surplus: {', '.join(map(repr, extra))}"
            return Problem(number, "ragged-row", words[:DESCRIPTION_LENGTH])
        defects = [
            identifiers.defect(column, cells[place])
            for column, place, guid in zip(ID_COLUMNS, self._layout.ids, found, strict=True)
            if not guid
        ]
        if not defects:
            return None
        if len(defects) == len(ID_COLUMNS) and all(one.code.startswith("missing-") for one in defects):
            return Problem(number, "no-ids", "the row has content but no ids")
        # What is damaged says more than what is missing.
        first = min(defects, key=lambda one: one.code.startswith("missing-"))
        return Problem(number, first.code, "; ".join(one.words for one in defects)[:DESCRIPTION_LENGTH])

    def _carried(self, cells: list[str]) -> tuple[str, bool]:
        """Return the request id to go on with, when a results file says that it got no business answer."""
        places = self._layout.results
        if not places:
            return "", False
        request_id, status, http_status, code = (
            cells[places[name]].strip() for name in ("request_id", "status", "http_status", "error_code")
        )
        lost = status == Status.UNKNOWN
        # Any other answer ended the id, even where it left the row unknown; a proxy's page is none.
        open_ended = http_status in _NOT_BUSINESS or http_status[:1] in {"3", "5"} or code == UNREADABLE
        return (request_id.lower() if open_ended and identifiers.is_guid(request_id) else ""), lost


def _parsed(name: str, chunks: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    try:
        yield from chunks
    except pd.errors.ParserError as error:
        raise InputRefusedError(f"{name} is not a proper CSV file: {error}.") from None


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise InputRefusedError(f"{path} does not exist.") from None
    except IsADirectoryError:
        raise InputRefusedError(f"{path} is a folder; name a CSV file in it.") from None
    except OSError as error:
        raise InputRefusedError(f"{path} cannot be read: {error.strerror}.") from None


def _scan(path: Path, name: str) -> _Scan:
    with path.open("rb") as file:
        start = file.read(4)
    for magic, kind in _SPREADSHEETS.items():
        if start.startswith(magic):
            raise InputRefusedError(f"{name} is {kind}, not a CSV file. Save it as 'CSV UTF-8' and run that file.")
    header: tuple[str, ...] = ()
    header_at = width = records = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for record in csv.reader(file, strict=True):
                if not header and any(cell.strip() for cell in record):
                    header, header_at = tuple(record), records
                records += 1
                width = max(width, len(record))
    except UnicodeDecodeError as error:
        raise InputRefusedError(
            f"{name} is not UTF-8 text (line {records + 1} or soon after: {error.reason}). "
            "If it is a table, save it as 'CSV UTF-8' and run that file."
        ) from None
    except csv.Error as error:
        raise InputRefusedError(
            f"{name} is not a proper CSV file: line {records + 1} or later: {error}. "
            "Look for a quotation mark that is not closed, or a stray one inside a cell."
        ) from None
    return _Scan(header, header_at, width, records)


def _layout_of(name: str, header: tuple[str, ...]) -> Layout:
    if not header:
        return Layout((0, 0, 0), (), (), {})
    try:
        return layout(header)
    except ColumnError as error:
        hint = ""
        for mark, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
            if any(mark in name for name in header) and not missing_columns(mark.join(header).split(mark)):
                hint = f" The columns are separated by {word}: save the file with commas."
        raise InputRefusedError(f"{name}: {error}.{hint}") from None

"""Recognizes what this program has written: only that may be written over."""

import csv
import io
import mmap
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path

from bulkreact.errors import FileRefusedError
from bulkreact.runs.output_kinds import OutputKind
from bulkreact.sheets.columns import CANDIDATES, ID_COLUMNS
from bulkreact.sheets.header_aliases import header_key
from bulkreact.sheets.input.read_limits import ReadLimits
from bulkreact.sheets.input.workbook.workbook_messages import Job
from bulkreact.sheets.input.workbook.workbook_reader import WorkbookReader
from bulkreact.sheets.output import discovery_file, report_html, results_csv, table_writer
from bulkreact.sheets.result_columns import find_result_columns

# In characters; a header with more is none of ours.
_HEADER_LENGTH = 1 << 20
_PROPERTIES, _PROPERTIES_LENGTH = "docProps/core.xml", 1 << 16
_CREATOR = b">bulkreact</dc:creator>"
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    csv.Error,
    KeyError,
    EOFError,
    NotImplementedError,
    RuntimeError,
)


# The files in a folder of results, besides a workbook.
RESULT_FILES: Mapping[str, OutputKind] = {
    results_csv.RESULTS: OutputKind.RESULTS,
    results_csv.FAILED: OutputKind.RESULTS,
    results_csv.SUMMARY: OutputKind.SUMMARY,
    report_html.REPORT: OutputKind.REPORT,
}
PROGRESS = "progress.json"
PLAN_NAME, ROWS_NAME = "plan.json", "rows.sqlite3"
# What is written into a folder that an option names.
FOLDER_FILES: Mapping[OutputKind, Mapping[str, OutputKind]] = {
    OutputKind.RESULTS_FOLDER: RESULT_FILES,
    OutputKind.CONTROL_FOLDER: {PROGRESS: OutputKind.PROGRESS},
    OutputKind.PLAN_FOLDER: {PLAN_NAME: OutputKind.PLAN, ROWS_NAME: OutputKind.ROWS},
}


def is_own_output(path: Path, kind: OutputKind) -> bool:
    """Return whether a file is empty or has what this program writes as this kind; raises OSError."""
    if not path.stat().st_size:
        return True
    try:
        return _RECOGNIZERS[kind](path)
    except _UNREADABLE:
        return False


def _is_results(path: Path) -> bool:
    return any(find_result_columns(record) for record in _first_records(path, 1))


def _is_discovery(path: Path) -> bool:
    return any(
        tuple(record) == discovery_file.COLUMNS or CANDIDATES in map(header_key, record)
        for record in _first_records(path, 1)
    )


def _is_template(path: Path) -> bool:
    return _first_records(path, 2) == [list(ID_COLUMNS)]


def _first_records(path: Path, count: int) -> list[list[str]]:
    """Return the first records of a table as this program writes it, none for any other workbook."""
    if path.suffix.lower() == table_writer.WORKBOOK:
        return _workbook_records(path, count)
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        return list(islice(csv.reader(io.StringIO(file.read(_HEADER_LENGTH), newline="")), count))


def _workbook_records(path: Path, count: int) -> list[list[str]]:
    with zipfile.ZipFile(path) as archive, archive.open(_PROPERTIES) as properties:
        if _CREATOR not in properties.read(_PROPERTIES_LENGTH):
            return []
    # Somebody else may have made it: it is read as an input is.
    job = Job(compressed=False, sheet=None, hidden="include", head_rows=count, limits=ReadLimits())
    try:
        heads = WorkbookReader(path, str(path), job).heads
    except FileRefusedError:
        return []
    return [list(cells) for _, cells in heads[0].rows]


def _has(*patterns: bytes) -> Callable[[Path], bool]:
    """Return a test for a file in which each pattern is found, the first one at the very beginning."""
    first, *others = map(re.compile, patterns)

    def has_all(path: Path) -> bool:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return bool(first.match(content)) and all(pattern.search(content) for pattern in others)

    return has_all


def _is_plan(path: Path) -> bool:
    """Return whether a file has a plan, or the refusal of one."""
    whole = _has(rb'\s*\{\s*"', rb'"digest"\s*:', rb'"targets(_omitted)?"\s*:', rb'"problems"\s*:')
    return whole(path) or _has(rb'\s*\{\s*"refused"\s*:\s*\{\s*"code"')(path)


_RECOGNIZERS: Mapping[OutputKind, Callable[[Path], bool]] = {
    OutputKind.RESULTS: _is_results,
    OutputKind.METRICS: _has(rb"# HELP bulkreact_"),
    OutputKind.PLAN: _is_plan,
    OutputKind.PROGRESS: _has(rb'\{"time": "', rb'"pid": [0-9]+', rb'"phase": "'),
    OutputKind.ROWS: _has(rb"SQLite format 3\0", rb"CREATE TABLE problems \(\s+ordinal"),
    OutputKind.DISCOVERY: _is_discovery,
    OutputKind.TEMPLATE: _is_template,
    OutputKind.SUMMARY: _has(rb'\s*\{\s*"run_id"\s*:', rb'"counts"\s*:', rb'"error_codes"\s*:'),
    OutputKind.REPORT: _has(rb"\s*<!DOCTYPE html>", rb"Written by bulkreact "),
}

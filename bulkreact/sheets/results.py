"""Writes what a run leaves behind for people and programs: results.csv, failed.csv, summary.json, latest.json."""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from bulkreact.errors import EXIT_SOME_FAILED, EXIT_SUCCESS
from bulkreact.models import ResultRow, Status
from bulkreact.partnercenter.codes import advice
from bulkreact.sheets.atomic import replacing
from bulkreact.sheets.columns import RESULT_COLUMNS
from bulkreact.sheets.guard import guard

if TYPE_CHECKING:
    from _csv import Writer

RESULTS = "results.csv"
FAILED = "failed.csv"
SUMMARY = "summary.json"
LATEST = "latest.json"


@dataclass(slots=True)
class Counts:
    """How the rows ended: every row is in exactly one status; codes are of rows that did not end well."""

    statuses: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    unsuccessful: int = 0
    left_out: int = 0
    worth_retrying: int = 0

    def add(self, row: ResultRow) -> None:
        """Count one row."""
        self.statuses[row.outcome.status] += 1
        if row.outcome.code:
            self.codes[row.outcome.code] += 1
        self.left_out += row.left_out and not row.handed_to
        self.worth_retrying += row.worth_retrying and not row.handed_to
        # What --limit alone left out is no failure.
        self.unsuccessful += not (row.succeeded or row.left_out)

    @property
    def exit_code(self) -> int:
        """Return the exit code of a run that was completed."""
        return EXIT_SOME_FAILED if self.unsuccessful else EXIT_SUCCESS


def write(folder: Path, header: tuple[str, ...], rows: Iterable[ResultRow], *, also: Path | None = None) -> Counts:
    """Write results.csv and failed.csv, in input order, in one pass; ``also`` gets a copy of the results.

    Raises OSError when a file cannot be written; an older one is then untouched.
    """
    counts = Counts()
    with ExitStack() as files:
        writers = [_writer(files.enter_context(replacing(folder / RESULTS, private=True)))]
        failed = _writer(files.enter_context(replacing(folder / FAILED, private=True)))
        if also:
            writers.append(_writer(files.enter_context(replacing(also, private=False))))
        names = [guard(name) for name in (*header, *RESULT_COLUMNS)]
        for writer in (*writers, failed):
            writer.writerow(names)
        for row in rows:
            counts.add(row)
            line = list(_cells(row))
            for writer in writers:
                writer.writerow(line)
            if not row.succeeded:
                failed.writerow(line)
    return counts


def tally(rows: Iterable[ResultRow]) -> Counts:
    """Count rows without writing them."""
    counts = Counts()
    for row in rows:
        counts.add(row)
    return counts


def keep_edited(folder: Path) -> Path | None:
    """Move a failed.csv that somebody has worked on out of the way, and return where it is now."""
    failed, summary = folder / FAILED, folder / SUMMARY
    if not failed.is_file() or not summary.is_file() or failed.stat().st_mtime_ns <= summary.stat().st_mtime_ns:
        return None
    numbers = (number for number in count(1) if not (folder / f"failed.edited-{number}.csv").exists())
    return failed.rename(folder / f"failed.edited-{next(numbers)}.csv")


def write_json(path: Path, content: dict[str, object], *, private: bool) -> None:
    """Write a JSON file; raises OSError when that is not possible."""
    with replacing(path, private=private) as file:
        json.dump(content, file, ensure_ascii=False, indent=2)
        file.write("\n")


def statuses(counts: Counts) -> dict[str, int]:
    """Return the counts by status, every status named, in the order of the documentation."""
    return {status.value: counts.statuses[status] for status in Status}


class _LineFeeds:
    """Ends lines with a bare line feed, while the CSV writer still quotes cells that contain a carriage return.

    The writer quotes only the characters of its own line terminator, so that must stay CR LF.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, line: str) -> int:
        return self._file.write(f"{line[:-2]}\n")


def _writer(file: TextIO) -> "Writer":
    return csv.writer(_LineFeeds(file), lineterminator="\r\n")


def _cells(row: ResultRow) -> Iterator[str]:
    outcome, call = row.outcome, row.outcome.call
    http_status = call.answer.http_status if call else None
    yield from map(guard, row.cells)
    yield str(row.number)
    yield outcome.status
    yield "" if http_status is None else str(http_status)
    yield guard(outcome.code)
    yield guard(outcome.description)
    yield advice(outcome.status, http_status, outcome.code)
    yield str(outcome.attempts)
    yield call.request_id if call else row.request_id
    yield call.correlation_id if call else ""
    yield call.started_at if call else ""
    yield call.finished_at if call else ""

"""Writes what a run leaves behind for people and programs: results.csv, failed.csv, summary.json, latest.json."""

import json
import shutil
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from pathlib import Path

from bulkreact.atomic_write import replacing, replacing_bytes
from bulkreact.errors import EXIT_SOME_FAILED, EXIT_SUCCESS
from bulkreact.models import AutoRenew, ResultRow, Status
from bulkreact.partnercenter.error_codes.lookup import about_auto_renew, advice
from bulkreact.sheets.columns import RESULT_COLUMNS
from bulkreact.sheets.formula_guard import guard_cells
from bulkreact.sheets.output.csv_writer import csv_line

RESULTS = "results.csv"
FAILED = "failed.csv"
SUMMARY = "summary.json"
LATEST = "latest.json"


@dataclass(slots=True)
class RowCounts:
    """How the rows ended: every row is in exactly one status; codes are of rows that did not end well."""

    statuses: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    unsuccessful: int = 0
    excluded_by_limit: int = 0
    worth_retrying: int = 0

    def add(self, row: ResultRow) -> None:
        """Count one row."""
        outcome = row.outcome
        self.statuses[outcome.status] += 1
        if outcome.code:
            self.codes[outcome.code] += 1
        if row.succeeded:
            return
        self.excluded_by_limit += row.excluded_by_limit and not row.transferred_to
        self.worth_retrying += row.worth_retrying and not row.transferred_to
        self.unsuccessful += row.needs_attention

    @property
    def exit_code(self) -> int:
        """Return the exit code of a run that was completed."""
        return EXIT_SOME_FAILED if self.unsuccessful else EXIT_SUCCESS


def write(folder: Path, header: tuple[str, ...], rows: Iterable[ResultRow]) -> RowCounts:
    """Write results.csv and failed.csv, in input order, in one pass.

    Raises OSError when a file cannot be written; an older one is then untouched.
    """
    counts = RowCounts()
    with ExitStack() as files:
        results = files.enter_context(replacing(folder / RESULTS, private=True))
        failed = files.enter_context(replacing(folder / FAILED, private=True))
        names = csv_line(guard_cells((*header, *RESULT_COLUMNS)))
        for file in (results, failed):
            file.write(names)
        for row in rows:
            counts.add(row)
            # Of what is ours nothing looks like a formula, and is left as it is.
            line = csv_line(guard_cells(result_cells(row)))
            results.write(line)
            if not row.succeeded:
                failed.write(line)
    return counts


def copy(folder: Path, target: Path) -> None:
    """Write the results of a folder to another file as well; raises OSError when that is not possible."""
    with (folder / RESULTS).open("rb") as results, replacing_bytes(target, private=False) as file:
        shutil.copyfileobj(results, file)


def count_rows(rows: Iterable[ResultRow]) -> RowCounts:
    """Count rows without writing them."""
    counts = RowCounts()
    for row in rows:
        counts.add(row)
    return counts


def set_aside_edited(folder: Path, name: str) -> Path | None:
    """Move a file that somebody has worked on out of the way, and return where it is now."""
    file, summary = folder / name, folder / SUMMARY
    if not file.is_file() or not summary.is_file() or file.stat().st_mtime_ns <= summary.stat().st_mtime_ns:
        return None
    places = (file.with_name(f"{file.stem}.edited-{number}{file.suffix}") for number in count(1))
    return file.rename(next(place for place in places if not place.exists()))


def write_json(path: Path, content: dict[str, object], *, private: bool) -> None:
    """Write a JSON file; raises OSError when that is not possible."""
    with replacing(path, private=private) as file:
        json.dump(content, file, ensure_ascii=False, indent=2)
        file.write("\n")


def counts_by_status(counts: RowCounts) -> dict[str, int]:
    """Return the counts by status, every status named, in the order of the documentation."""
    return {status.value: counts.statuses[status] for status in Status}


def result_cells(row: ResultRow) -> list[str]:
    """Return the cells of a row in the results, the input's and then ours, unguarded."""
    outcome, call = row.outcome, row.outcome.call
    http_status = call.answer.http_status if call else None
    return [
        *row.cells,
        str(row.number),
        outcome.status,
        "" if http_status is None else str(http_status),
        outcome.code,
        outcome.description,
        _advice(outcome.status, http_status, outcome.code, outcome.auto_renew),
        str(outcome.attempts),
        call.request_id if call else row.request_id,
        call.correlation_id if call else "",
        call.started_at if call else "",
        call.finished_at if call else "",
    ]


# Rows end alike by the thousand; what the service may say besides is held in bounds.
@lru_cache(maxsize=1024)
def _advice(status: Status, http_status: int | None, code: str, auto_renew: AutoRenew) -> str:
    """Return what to do about a row, and about the auto-renewal of what came back."""
    return " ".join(filter(None, [advice(status, http_status, code), about_auto_renew(auto_renew)]))

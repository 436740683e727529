"""Writes results.csv, failed.csv and JSON files, and counts the rows by outcome."""

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bulkreact.atomic_write import replacing, replacing_bytes
from bulkreact.errors import EXIT_SOME_FAILED, EXIT_SUCCESS
from bulkreact.models import Outcome, ResultRow, Status
from bulkreact.partnercenter.error_codes.entry import Responsible
from bulkreact.partnercenter.error_codes.lookup import lookup_outcome
from bulkreact.sheets.output.csv_writer import guarded_line
from bulkreact.sheets.output.edited_files import note_digest
from bulkreact.sheets.result_columns import RESULT_COLUMNS, result_cells

RESULTS = "results.csv"
FAILED = "failed.csv"
SUMMARY = "summary.json"
LATEST = "latest.json"


@dataclass(slots=True)
class RowCounts:
    """Row counts by status, by error code if there is one, and by the run that took rows over.

    Of the rows that are still the run's own: ``own_codes``, those that a limit excluded, those ``worth_retrying``, and
    those in ``failed.csv`` that are ``correctable``.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    transferred: Counter[str] = field(default_factory=Counter)
    own_codes: Counter[str] = field(default_factory=Counter)
    unsuccessful: int = 0
    correctable: int = 0
    excluded_by_limit: int = 0
    worth_retrying: int = 0

    def add(self, row: ResultRow, times: int = 1) -> None:
        """Count one row, or several like it."""
        outcome = row.outcome
        self.statuses[outcome.status] += times
        if outcome.code:
            self.codes[outcome.code] += times
        if row.succeeded:
            return
        self.unsuccessful += row.needs_attention * times
        is_duplicate = outcome.status is Status.DUPLICATE
        if row.transferred_to:
            self.transferred.update({} if is_duplicate else {row.transferred_to: times})
            return
        self.own_codes.update({outcome.code: times} if outcome.code else {})
        self.excluded_by_limit += row.excluded_by_limit * times
        self.worth_retrying += row.worth_retrying * times
        self.correctable += (row.needs_attention and not is_duplicate and _is_correctable(outcome)) * times

    @property
    def exit_code(self) -> int:
        """Return the exit code of a complete run."""
        return EXIT_SOME_FAILED if self.unsuccessful else EXIT_SUCCESS


def _is_correctable(outcome: Outcome) -> bool:
    """Return whether a change in the file may help: the row is wrong, or what was refused is what it names."""
    http_status = outcome.call.answer.http_status if outcome.call else None
    is_refused = outcome.status in {Status.INVALID, Status.FAILED}
    entry = lookup_outcome(outcome.status, http_status, outcome.code) if is_refused else None
    return entry is not None and entry.responsible is Responsible.FILE_AUTHOR


@contextmanager
def writing(folder: Path, header: tuple[str, ...], rows: Iterable[ResultRow]) -> Iterator[RowCounts]:
    """Write results.csv and failed.csv, in input order, in one pass; they replace older ones when the context ends.

    Raises OSError if a file cannot be written. After any error, also inside the context, older files are untouched.
    """
    counts = RowCounts()
    with ExitStack() as files:
        results = files.enter_context(replacing(folder / RESULTS, private=True))
        failed = files.enter_context(replacing(folder / FAILED, private=True, complete=note_digest(folder, FAILED)))
        names = guarded_line((*header, *RESULT_COLUMNS))
        for file in (results, failed):
            file.write(names)
        for row in rows:
            counts.add(row)
            line = guarded_line(result_cells(row))
            results.write(line)
            # The run that took a row over has it in its own file: nobody may send it from both.
            if not row.succeeded and not row.transferred_to:
                failed.write(line)
        yield counts


def copy(folder: Path, target: Path) -> None:
    """Copy the results of a folder to another file; raises OSError if that fails."""
    with (folder / RESULTS).open("rb") as results, replacing_bytes(target, private=False) as file:
        shutil.copyfileobj(results, file)


def count_rows(groups: Iterable[tuple[ResultRow, int]]) -> RowCounts:
    """Count rows without writing them, each with how many there are like it."""
    counts = RowCounts()
    for row, times in groups:
        counts.add(row, times)
    return counts


def write_json(path: Path, content: dict[str, object], *, private: bool) -> None:
    """Write a JSON file; raises OSError if it cannot be written."""
    with replacing(path, private=private) as file:
        json.dump(content, file, indent=2)
        file.write("\n")


def counts_by_status(counts: RowCounts) -> dict[str, int]:
    """Return the counts of all statuses, including zeros, in the order of the documentation."""
    return {status.value: counts.statuses[status] for status in Status}

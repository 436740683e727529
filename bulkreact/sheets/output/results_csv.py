"""Writes results.csv, failed.csv and JSON files, and counts the rows by outcome."""

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec import Struct, field

from bulkreact.atomic_write import replacing, replacing_bytes
from bulkreact.errors import EXIT_SOME_FAILED, EXIT_SUCCESS
from bulkreact.models import ResultRow, Status
from bulkreact.partnercenter.error_codes.lookup import FAILED_FILE
from bulkreact.result_chunk import ResultChunk
from bulkreact.sheets.corrections import find_correctable_entry
from bulkreact.sheets.output.csv_writer import guarded_line
from bulkreact.sheets.output.edited_files import note_digest
from bulkreact.sheets.output.plain_lines import plain_line
from bulkreact.sheets.result_columns import RESULT_COLUMNS, result_cells

RESULTS = "results.csv"
FAILED = FAILED_FILE
SUMMARY = "summary.json"
LATEST = "latest.json"


class RowCounts(Struct):
    """Row counts by status, by error code if there is one, and by the run that took rows over.

    Of the rows that are still the run's own: ``own_codes``, those that a limit excluded, those ``worth_retrying``,
    ``unknown`` ones, those in ``failed.csv`` that are ``correctable``, and by code those that are ``blocked``: somebody
    must act before they can succeed.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    transferred: Counter[str] = field(default_factory=Counter)
    own_codes: Counter[str] = field(default_factory=Counter)
    unsuccessful: int = 0
    correctable: int = 0
    excluded_by_limit: int = 0
    worth_retrying: int = 0
    unknown: int = 0
    blocked: Counter[str] = field(default_factory=Counter)

    def add(self, row: ResultRow, times: int = 1) -> None:
        """Count one row, or several like it."""
        outcome = row.outcome
        self.statuses[outcome.status] += times
        if outcome.code:
            self.codes[outcome.code] += times
        is_duplicate = outcome.status is Status.DUPLICATE
        if row.transferred_to and not is_duplicate:
            self.transferred[row.transferred_to] += times
        if row.succeeded:
            return
        self.unsuccessful += row.needs_attention * times
        if row.transferred_to:
            return
        self.own_codes.update({outcome.code: times} if outcome.code else {})
        self.excluded_by_limit += row.excluded_by_limit * times
        self.worth_retrying += row.worth_retrying * times
        self.unknown += (outcome.status is Status.UNKNOWN) * times
        if not row.needs_attention or is_duplicate:
            return
        if find_correctable_entry(outcome):
            self.correctable += times
        elif outcome.status is Status.FAILED and not row.worth_retrying:
            self.blocked[outcome.code] += times

    def add_chunk(self, chunk: ResultChunk) -> None:
        """Count rows."""
        self.statuses.update(row.status for row in chunk.plain)
        for row in chunk.others.values():
            self.add(row)

    @property
    def exit_code(self) -> int:
        """Return the exit code of a complete run."""
        return EXIT_SOME_FAILED if self.unsuccessful else EXIT_SUCCESS


def belongs_in_failed(row: ResultRow) -> bool:
    """Return whether a row did not succeed, and no other run has it in its own file: nobody may send it from both."""
    return not row.succeeded and not row.transferred_to


@contextmanager
def writing(
    folder: Path, header: tuple[str, ...], chunks: Iterable[ResultChunk], *, failed_file: str = FAILED
) -> Iterator[RowCounts]:
    """Write results.csv and failed.csv, in input order, in one pass; they replace older ones when the context ends.

    Advice names ``failed_file`` for the rows that are to be corrected.
    Raises OSError if a file cannot be written. After any error, also inside the context, older files are untouched.
    """
    counts = RowCounts()
    with ExitStack() as files:
        results = files.enter_context(replacing_bytes(folder / RESULTS, private=True))
        failed = files.enter_context(replacing(folder / FAILED, private=True, complete=note_digest(folder, FAILED)))
        names = guarded_line((*header, *RESULT_COLUMNS))
        results.write(names.encode())
        failed.write(names)
        for chunk in chunks:
            counts.add_chunk(chunk)
            lines = {row.ordinal: plain_line(row, failed_file) for row in chunk.plain}
            for ordinal, row in chunk.others.items():
                line = guarded_line(result_cells(row, failed_file))
                lines[ordinal] = line.encode()
                if belongs_in_failed(row):
                    failed.write(line)
            results.writelines(lines[ordinal] for ordinal in sorted(lines))
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

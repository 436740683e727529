"""The content of a run's report, collected row by row in constant memory. No I/O."""

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from bulkreact.models import SUCCESSES, CustomerSummary, ResultRow, SessionTimeline, Status
from bulkreact.partnercenter.error_codes.entry import ErrorCode
from bulkreact.partnercenter.error_codes.lookup import FAILED_FILE, find_entries, lookup_outcome, name_failed_file
from bulkreact.result_chunk import ResultChunk
from bulkreact.sheets.output.report_rows import ROWS_LISTED, AttentionRow, KnownColumns, attention_row

ROWS_SHOWN = 50
GROUPS_SHOWN = 50
CUSTOMERS_SHOWN = 50
SESSIONS_SHOWN = 6
EVENTS_SHOWN = 50
_MOST_GROUPS = 1000
_UNKNOWN = KnownColumns()
_DESCRIPTION_SHOWN = 300


class ErrorGroup(Struct):
    """Rows that did not succeed for the same reason.

    ``code`` is the status if there is no code. ``ranges`` are the first rows, as pairs of first and last of consecutive
    ones; ``hidden`` more come after them. ``transferred`` of the rows now belong to another run, and ``example`` is the
    description of the first row.
    """

    code: str
    entry: ErrorCode
    example: str
    rows: int = 0
    hidden: int = 0
    transferred: int = 0
    ranges: list[tuple[int, int]] = field(default_factory=list)
    statuses: Counter[Status] = field(default_factory=Counter)

    def add(self, row: ResultRow) -> None:
        """Count one row; rows come in input order."""
        self.rows += 1
        self.statuses[row.outcome.status] += 1
        self.transferred += bool(row.transferred_to)
        if not self.hidden and self.ranges and row.number == self.ranges[-1][1] + 1:
            self.ranges[-1] = (self.ranges[-1][0], row.number)
        elif len(self.ranges) < ROWS_SHOWN:
            self.ranges.append((row.number, row.number))
        else:
            self.hidden += 1


class ReportBuilder:
    """Groups the rows of a run by outcome, and keeps the first of those that need attention.

    Failed ones are corrected in ``failed_file``.
    """

    def __init__(self, failed_file: str = FAILED_FILE, columns: KnownColumns = _UNKNOWN) -> None:
        self.failed_file = failed_file
        self.columns = columns
        self.rows: list[AttentionRow] = []
        self.succeeded = 0
        self.needing_attention = 0
        self.excluded_by_limit = 0
        self._groups: dict[tuple[str, str, int | None, str], ErrorGroup] = {}

    def add_chunk(self, chunk: ResultChunk) -> None:
        """Count rows."""
        self.succeeded += len(chunk.plain)
        for row in chunk.others.values():
            self.add(row)

    def add(self, row: ResultRow) -> None:
        """Count one row."""
        if row.succeeded:
            self.succeeded += 1
        elif row.excluded_by_limit:
            self.excluded_by_limit += 1
        else:
            self.needing_attention += 1
            entry = _find_entry(row)
            self._add_to_group(row, entry)
            if len(self.rows) < ROWS_LISTED:
                self.rows.append(attention_row(row, entry.description, self.columns, self.failed_file))

    def groups(self) -> tuple[ErrorGroup, ...]:
        """Return the most frequent groups, as many as the report shows."""
        return tuple(sorted(self._groups.values(), key=lambda group: -group.rows)[:GROUPS_SHOWN])

    def _add_to_group(self, row: ResultRow, entry: ErrorCode) -> None:
        outcome = row.outcome
        # What tells entries from each other: hashing a whole one takes longer than the rest.
        key = (outcome.code or outcome.status, entry.code, entry.http_status, entry.advice)
        if key not in self._groups:
            if len(self._groups) == _MOST_GROUPS:
                return
            named = replace(entry, advice=name_failed_file(entry.advice, self.failed_file))
            self._groups[key] = ErrorGroup(key[0], named, outcome.description[:_DESCRIPTION_SHOWN])
        self._groups[key].add(row)


def _find_entry(row: ResultRow) -> ErrorCode:
    outcome = row.outcome
    return lookup_outcome(outcome.status, outcome.call.answer.http_status if outcome.call else None, outcome.code)


class StatusSummary(Struct, frozen=True):
    """How many rows have a status; ``is_success`` is None for duplicates, which share another row's outcome.

    ``amount`` is what they add up to, empty if nothing was added up.
    """

    status: Status
    description: str
    rows: int
    is_success: bool | None
    amount: str = ""


class NextStep(Struct, frozen=True):
    """A next step, with the command or file to type."""

    description: str
    command: str
    remark: str = ""

    @property
    def line(self) -> str:
        """Return it on one line."""
        return f"{self.description} {self.command} {self.remark}".rstrip()


class RunEvent(Struct, frozen=True):
    """What happened to a run at a time, or from then until another; empty if no end was recorded."""

    since: str
    until: str
    title: str
    description: str


class ReportFile(Struct, frozen=True):
    """A file beside the report, and what it has."""

    name: str
    description: str


class RunReport(Struct, frozen=True):
    """The whole content of the report; times are UTC, ISO 8601 with ``Z``.

    ``ended_at`` is None if no end was recorded. ``severity`` is ``good``, ``mixed`` or ``stopped``. ``other_rows`` did
    not succeed for reasons outside ``groups``; ``more_rows`` need attention besides ``rows`` and are in ``more_rows_file``.
    ``earlier_sessions`` are not among ``sessions``, nor ``earlier_events`` among ``events``. ``amounts`` describes the
    column that was added up, empty if none was. ``page`` is the address of the run's page, empty if it has none.
    """

    title: str
    headline: str
    verdict: str
    severity: str
    exit_code: int
    exit_description: str
    started_at: str
    ended_at: str | None
    operator: str
    run_id: str
    version: str
    simulated: bool
    key_numbers: tuple[tuple[str, str], ...]
    statuses: tuple[StatusSummary, ...]
    next_steps: tuple[NextStep, ...]
    groups: tuple[ErrorGroup, ...]
    other_rows: int
    rows: tuple[AttentionRow, ...]
    more_rows: int
    more_rows_file: str
    reference_header: str
    failed_file: str
    files: tuple[ReportFile, ...]
    customers: tuple[CustomerSummary, ...]
    customer_count: int
    affected_count: int
    sessions: tuple[SessionTimeline, ...]
    earlier_sessions: int
    events: tuple[RunEvent, ...]
    earlier_events: int
    details: tuple[tuple[str, str], ...]
    amounts: str = ""
    page: str = ""


def summarize_statuses(
    numbers: Iterable[tuple[Status, int]], amounts: Mapping[str, str] | None = None
) -> tuple[StatusSummary, ...]:
    """Return the statuses that occur, with their meaning, and what their rows add up to."""
    return tuple(
        StatusSummary(
            status,
            find_entries(status)[0].description,
            rows,
            None if status is Status.DUPLICATE else status in SUCCESSES,
            (amounts or {}).get(status, ""),
        )
        for status, rows in numbers
        if rows
    )

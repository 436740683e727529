"""Reads the journal of a run; everything outside this package uses only this module to read one."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from bulkreact.batch.environment import OutageRecord, WaitState
from bulkreact.batch.journal import (
    call_stats,
    call_tail,
    call_timeline,
    outcome_tail,
    pending_rows,
    result_chunks,
    result_pages,
    retry_candidates,
    row_results,
    row_transfers,
    run_history,
    schema,
    waiting_rows,
)
from bulkreact.batch.journal.call_log import WriteCall, write_calls
from bulkreact.batch.journal.call_stats import Traffic
from bulkreact.batch.journal.call_tail import CallCounts
from bulkreact.batch.journal.customer_names import affected_customers, read_name, read_names
from bulkreact.batch.journal.integrity import check_journal
from bulkreact.batch.journal.journal_file import JOURNAL_NAME, open_uri, read_only, unreadable
from bulkreact.batch.journal.metadata import RunMetadata, SessionRecord, latest_session, load_metadata
from bulkreact.batch.journal.outcome_tail import InputCounts, NewOutcome
from bulkreact.batch.journal.pending_rows import OpenCount, PendingRows
from bulkreact.batch.journal.retry_candidates import Candidate, Success
from bulkreact.batch.journal.row_pages import PageRow, RowFilter
from bulkreact.batch.journal.run_history import RunProcess, ThrottlePeriod
from bulkreact.models import ResultRow, SessionTimeline
from bulkreact.result_chunk import ResultChunk

_IN_FLIGHT = """
SELECT count(*) FROM calls LEFT JOIN answers ON answers.call = calls.id
WHERE calls.session = ? AND answers.call IS NULL
"""
_UNKNOWN = f"""
SELECT total(handed_to IS NULL), total(handed_to IS NOT NULL)
FROM outcomes AS latest JOIN rows ON rows.ordinal = latest.ordinal
WHERE ({schema.IS_LEFT_OPEN}) AND status = 'unknown'
    AND latest.id = (SELECT max(id) FROM outcomes WHERE ordinal = latest.ordinal)
"""  # noqa: S608 - our own names
# Ordinals are consecutive.
_ROW_COUNT = "SELECT coalesce(max(ordinal), 0) FROM rows"
_HAS_FINISHED = "SELECT EXISTS (SELECT 1 FROM sessions WHERE state = 'finished' AND command <> 'verify')"

_OPERATOR = "SELECT name FROM operators ORDER BY session DESC LIMIT 1"
# A run of an earlier version has no such table.
_HAS_OUTAGES = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'outages')"
_OUTAGES = "SELECT since, ended_at, next_probe_at, probes, cause FROM outages ORDER BY session, since"


class UnknownCount(Struct, frozen=True):
    """How many rows have lost answers: of this run, and of rows that another run took over."""

    own: int
    transferred: int


class JournalReader:
    """The journal in a run's folder as a snapshot, even while another process writes to it.

    Raises JournalUnreadableError.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / JOURNAL_NAME
        self.connection = self._connect()

    def __enter__(self) -> Self:
        self.connection.execute("BEGIN")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()
        if isinstance(error, sqlite3.Error):
            raise unreadable(self.folder, error) from error
        if isinstance(error, LookupError | ValueError):
            # What a damaged journal records may be no value of ours; if it is in order, the error is a bug.
            check_journal(self.folder)

    @cached_property
    def metadata(self) -> RunMetadata:
        """Return the metadata of the run."""
        return load_metadata(self.connection)

    def latest_metadata(self) -> RunMetadata:
        """Return the metadata with the operator of the latest session, if it has one of its own."""
        has_operators = schema.has_table(self.connection, "operators")
        row = self.connection.execute(_OPERATOR).fetchone() if has_operators else None
        return replace(self.metadata, operator=row[0]) if row else self.metadata

    def check(self) -> None:
        """Raise JournalDamagedError unless the journal is as it was written."""
        check_journal(self.folder)

    def latest_session(self, *, sending: bool = True) -> SessionRecord | None:
        """Return the latest session that sent rows, or with ``sending=False`` the latest of any kind."""
        return latest_session(self.connection, sending=sending)

    def customer_cells(self, column: int | None, customers: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Yield customers with the first cell of each in a column that is not blank."""
        return read_names(self.connection, column, customers)

    def customer_cell(self, column: int | None, customer: str) -> str:
        """Return the first cell of a customer in a column that is not blank, empty if there is none."""
        return read_name(self.connection, column, customer)

    def affected_customers(self) -> Iterator[tuple[str, int]]:
        """Yield customers with how many of their rows failed or wait for another attempt, those with the most first."""
        return affected_customers(self.connection)

    def typed_rows(self) -> Iterator[ResultRow]:
        """Yield every row of the input with its outcome and what its cells are besides text, in input order."""
        return row_results.typed_rows(self.connection)

    def result_rows(self) -> Iterator[ResultRow]:
        """Yield every row with its outcome, in input order."""
        return row_results.result_rows(self.connection)

    def result_chunks(self) -> Iterator[ResultChunk]:
        """Yield every row with its outcome, in input order."""
        return result_chunks.result_chunks(self.connection)

    def typed_chunks(self) -> Iterator[ResultChunk]:
        """Yield the rows of ``typed_rows``."""
        return result_chunks.typed_chunks(self.connection)

    def result_groups(self) -> Iterator[tuple[ResultRow, int]]:
        """Yield rows for counting, with how many there are of each: without cells and numbers, like ones together."""
        return row_results.result_groups(self.connection)

    def result_page(self, row_filter: RowFilter, *, after: int, limit: int) -> list[PageRow]:
        """Return the rows after an ordinal that a filter accepts, at most ``limit``."""
        return result_pages.result_page(self.connection, row_filter, after=after, limit=limit)

    def new_outcomes(self, after: int, session: int) -> Iterator[NewOutcome]:
        """Yield what has settled rows since an outcome; see ``outcome_tail``."""
        return outcome_tail.new_outcomes(self.connection, after, session)

    def count_calls(self, before: CallCounts) -> CallCounts:
        """Return the counts of calls with what is new since those before."""
        return call_tail.count_calls(self.connection, before)

    def input_counts(self) -> InputCounts:
        """Return how many rows there are, and how many of them are settled without a call."""
        return outcome_tail.input_counts(self.connection)

    def candidates(self, *, all_failed: bool) -> Iterator[Candidate]:
        """Yield the rows that a retry may take, in input order."""
        return retry_candidates.candidates(self.connection, all_failed=all_failed)

    def open_subscriptions(self) -> str:
        """Return the subscriptions of the rows that did not succeed, as a list in JSON."""
        return retry_candidates.open_subscriptions(self.connection)

    def successes(self, subscriptions: str) -> Iterator[Success]:
        """Yield the targets in some subscriptions, a list in JSON, that the run has reactivated."""
        return retry_candidates.successes(self.connection, subscriptions)

    def row_count(self) -> int:
        """Return the number of rows."""
        return int(self.connection.execute(_ROW_COUNT).fetchone()[0])

    def row_numbers(self) -> list[int]:
        """Return the numbers of all rows."""
        return row_transfers.row_numbers(self.connection)

    def find_owners(self, numbers: Sequence[int]) -> dict[str, list[int]]:
        """Return rows by the run that took them over, '' for those that are still this run's."""
        return row_transfers.find_owners(self.connection, numbers)

    def open_count(self, *, with_excluded: bool = False) -> OpenCount:
        """Return how many rows of how many customers are still to be sent."""
        return pending_rows.count_open_rows(self.connection, with_excluded=with_excluded)

    def pending_rows(self, *, soon: str = "") -> PendingRows:
        """Return the open rows in the order of sending; those deleted before ``soon`` come first."""
        return PendingRows(self.connection, soon=soon)

    def unknown_count(self) -> UnknownCount:
        """Return how many rows ended with a lost answer."""
        own, transferred = self.connection.execute(_UNKNOWN).fetchone()
        return UnknownCount(int(own), int(transferred))

    def has_finished(self) -> bool:
        """Return whether a process has ever sent all rows of the run."""
        return bool(self.connection.execute(_HAS_FINISHED).fetchone()[0])

    def calls_in_flight(self, session: int) -> int:
        """Return how many calls of a session have no answer yet."""
        return int(self.connection.execute(_IN_FLIGHT, (session,)).fetchone()[0])

    def calls_since(self, time: str) -> int:
        """Return how many calls were started at or after a time."""
        latest = self.connection.execute("SELECT started_at FROM calls ORDER BY id DESC")
        return sum(1 for _ in takewhile(lambda call: call[0] >= time, latest))

    def waiting_rows(self, session: int) -> WaitState:
        """Return how many rows wait in a running session, and why."""
        return waiting_rows.waiting_rows(self.connection, session)

    def working_seconds(self) -> float:
        """Return how long processes have worked at sending the rows, without the time in between."""
        return call_stats.working_seconds(self.connection)

    def traffic(self, configured_per_minute: float | None) -> Traffic:
        """Return the calls of the run and its rate, for JSON."""
        return call_stats.traffic(self.connection, configured_per_minute)

    def count_renewed_ids(self) -> int:
        """Return how many rows were sent under more than one request id."""
        return call_stats.count_renewed_ids(self.connection)

    def outages(self) -> tuple[OutageRecord, ...]:
        """Return the outages that the run met, in their order; the last one may last, or its process was killed."""
        if not self.connection.execute(_HAS_OUTAGES).fetchone()[0]:
            return ()
        return tuple(OutageRecord(*row) for row in self.connection.execute(_OUTAGES))

    def processes(self, *, limit: int) -> tuple[RunProcess, ...]:
        """Return the latest processes that worked on the run, in their order."""
        return run_history.run_processes(self.connection, limit=limit)

    def throttle_periods(self, *, limit: int) -> tuple[ThrottlePeriod, ...]:
        """Return the latest periods in which Partner Center throttled the run, in their order."""
        return run_history.throttle_periods(self.connection, limit=limit)

    def write_calls(self) -> list[WriteCall]:
        """Return every write call, in the order in which they were made."""
        return write_calls(self.connection)

    def session_timelines(self, *, limit: int) -> tuple[list[SessionTimeline], int]:
        """Return the calls over time of the latest sessions, and how many earlier sessions there are."""
        return call_timeline.session_timelines(self.connection, limit=limit)

    def _connect(self) -> sqlite3.Connection:
        try:
            return self._open()
        except sqlite3.Error as error:
            raise unreadable(self.folder, error) from error

    def _open(self) -> sqlite3.Connection:
        return read_only(self.folder)


class RestingJournalReader(JournalReader):
    """A journal without a log, which no process works on: it is read without making one."""

    def _open(self) -> sqlite3.Connection:
        return open_uri(self.path, "immutable=1")


def remove_empty_log(folder: Path) -> None:
    """Let SQLite remove an empty log that an earlier reader has left; one that is in use stays."""
    with suppress(sqlite3.Error), closing(open_uri(folder / JOURNAL_NAME, "mode=rw")) as connection:
        connection.execute("SELECT 1 FROM run").fetchone()

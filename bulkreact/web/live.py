"""How a run stands, for all who watch it: one reader for each run, at a cost that follows from what is new."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from bulkreact.batch.journal.call_tail import CallCounts
from bulkreact.batch.journal.metadata import SessionRecord
from bulkreact.batch.journal.outcome_tail import InputCounts
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.batch.journal.watched_rows import WATCHED
from bulkreact.errors import EXIT_SOME_FAILED, EXIT_SUCCESS, JournalUnreadableError
from bulkreact.models import SUCCESSES, ResultRow, Status
from bulkreact.partnercenter.error_codes.lookup import lookup_outcome, name_failed_file
from bulkreact.sheets.output.results_xlsx import FAILED_WORKBOOK, failed_file_in
from bulkreact.timestamps import iso_seconds
from bulkreact.web.run_numbers import ProcessReport, Reason, RunNumbers

_LOOK_EVERY = 0.5
_REASONS = 20
# The first hundred rows say little of the pace; minutes say enough.
_ROUNDED_SECONDS = 10
_LOOKED = frozenset({EXIT_SUCCESS, EXIT_SOME_FAILED})
_Reason = tuple[str, str, int | None]


class RunTail:
    """The numbers of one run that a process works on, kept up to date."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._calls = CallCounts()
        self._begin(None, None)

    def _begin(self, session: int | None, rows: InputCounts | None) -> None:
        self._session = session
        self._rows = rows
        self._after = 0
        self._statuses: Counter[str] = Counter()
        self._reasons: Counter[_Reason] = Counter()

    def read(self) -> RunNumbers:
        """Return the numbers as they are now; JournalUnreadableError if there is no journal yet."""
        with JournalReader(self._folder) as journal:
            session = journal.latest_session()
            if session is None:
                return RunNumbers(rows=journal.input_counts().rows)
            if session.id != self._session or self._rows is None:
                self._begin(session.id, journal.input_counts())
            for outcome in journal.new_outcomes(self._after, session.id):
                self._after = outcome.id
                self._count(outcome.status, outcome.code, outcome.http_status, 1)
                if outcome.before_status is not None:
                    self._count(outcome.before_status, outcome.before_code or "", outcome.before_http_status, -1)
            self._calls = journal.count_calls(self._calls)
            outages = journal.outages()[-1:]
            down_since = "".join(outage.since for outage in outages if outage.next_probe_at and not outage.ended_at)
            return self._numbers(session, down_since)

    def _count(self, status: str, code: str, http_status: int | None, times: int) -> None:
        self._statuses[status] += times
        if status not in SUCCESSES:
            self._reasons[status, code, http_status] += times

    def _numbers(self, session: SessionRecord, down_since: str) -> RunNumbers:
        rows = self._rows or InputCounts(0, 0, 0, 0, {})
        statuses = +self._statuses + Counter(invalid=rows.invalid, duplicate=rows.duplicate)
        reasons = self._reasons + Counter({("invalid", code, None): number for code, number in rows.problems.items()})
        well = sum(statuses[status] for status in SUCCESSES) + rows.duplicate
        return RunNumbers(
            rows=rows.rows,
            settled=min(rows.rows, statuses.total()),
            well=well,
            counts=_count_by_status(statuses),
            reasons=_describe(reasons, FAILED_WORKBOOK),
            calls={
                "sent": self._calls.made - self._calls.unsent,
                "retried": self._calls.retried,
                "throttled": self._calls.throttled,
            },
            started_at=session.started_at,
            ended_at=session.ended_at,
            ceiling=session.configured_per_minute,
            down_since=down_since,
        )


def final_numbers(folder: Path) -> RunNumbers:
    """Return the numbers of a run that nobody works on; reads all of its rows once."""
    reasons: Counter[_Reason] = Counter()
    statuses, steps = Counter[str](), Counter[str]()
    well = excluded = 0
    with JournalReader(folder) as journal:
        created_at = journal.metadata.created_at
        session, latest = journal.latest_session(), journal.latest_session(sending=False)
        ceiling = session.configured_per_minute if session else None
        calls, pace = journal.traffic(ceiling)
        for row, times in journal.result_groups():
            statuses[row.outcome.status] += times
            for name in _possible_steps(row):
                steps[name] += times
            well += row.succeeded * times
            excluded += row.excluded_by_limit * times
            if row.needs_attention:
                call = row.outcome.call
                http_status = call.answer.http_status if call else None
                reasons[row.outcome.status.value, row.outcome.code, http_status] += times
    total = statuses.total()
    return RunNumbers(
        rows=total,
        settled=total,
        well=well,
        excluded=excluded,
        counts=_count_by_status(statuses),
        reasons=_describe(reasons, failed_file_in(folder)),
        calls=calls,
        started_at=created_at,
        ended_at=session.ended_at if session else None,
        ceiling=ceiling,
        per_minute=pace["achieved_per_minute"],
        watchable=steps["watchable"],
        retryable=steps["retryable"],
        failed=steps["failed"],
        taken=steps["taken"],
        look=_failed_look(session, latest),
        looked_at=(latest.ended_at or "") if latest and latest != session else "",
    )


def _failed_look(session: SessionRecord | None, latest: SessionRecord | None) -> str:
    """Return how the latest look at the rows has failed, empty if it has not, or if rows were sent since."""
    if latest is None or latest == session or latest.exit_code in _LOOKED:
        return ""
    return latest.reason or "the process was ended from outside"


def _possible_steps(row: ResultRow) -> Iterator[str]:
    """Yield what can still be done with a row, or that a retry has taken it."""
    if row.transferred_to:
        if row.outcome.status is not Status.DUPLICATE:
            yield "taken"
        return
    if row.outcome.status in WATCHED:
        yield "watchable"
    if row.worth_retrying:
        yield "retryable"
    elif row.outcome.status is Status.FAILED:
        yield "failed"


def _count_by_status(statuses: Counter[str]) -> dict[str, int]:
    return {status.value: statuses[status] for status in Status if statuses[status]}


def _describe(reasons: Counter[_Reason], failed_file: str) -> tuple[Reason, ...]:
    by_code: dict[str, Reason] = {}
    for (status, code, http_status), number in (+reasons).most_common():
        entry = lookup_outcome(Status(status), http_status, code)
        known, advice = by_code.get(code or status), name_failed_file(entry.advice, failed_file)
        by_code[code or status] = (
            replace(known, rows=known.rows + number)
            if known
            else Reason(code or status, number, entry.description, entry.responsible.value, advice)
        )
    return tuple(sorted(by_code.values(), key=lambda reason: (-reason.rows, reason.code))[:_REASONS])


class _Watched(Struct):
    tail: RunTail
    numbers: RunNumbers
    read_at: float
    lock: asyncio.Lock


class LiveRuns:
    """The numbers of all runs that are looked at."""

    _MOST = 200

    def __init__(self, reports: Path, now: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self._reports = reports
        self._now = now
        self._monotonic = monotonic
        self._watched: dict[str, _Watched] = {}
        self._final: dict[tuple[str, int], RunNumbers] = {}

    async def present(self, run_id: str, report: ProcessReport) -> RunNumbers:
        """Return the numbers of a run that a process works on, read at most twice a second."""
        watched = self._watched.get(run_id)
        if watched is None:
            tail = RunTail(self._reports / run_id)
            watched = self._watched[run_id] = _Watched(tail, RunNumbers(), float("-inf"), asyncio.Lock())
        async with watched.lock:
            if self._monotonic() - watched.read_at >= _LOOK_EVERY:
                watched.numbers = await asyncio.to_thread(self._read, watched, report)
                watched.read_at = self._monotonic()
        return watched.numbers

    async def final(self, run_id: str) -> RunNumbers | None:
        """Return the numbers of a run that nobody works on, None if it is damaged or gone."""
        try:
            return await asyncio.to_thread(self._read_final, run_id)
        except (OSError, JournalUnreadableError):
            return None

    def _read(self, watched: _Watched, report: ProcessReport) -> RunNumbers:
        try:
            numbers = watched.tail.read()
        except (OSError, JournalUnreadableError):
            # It has no journal yet.
            return RunNumbers(rows=report.total or 0, waiting=report.waiting)
        numbers = replace(numbers, waiting=report.waiting)
        if numbers.settled == watched.numbers.settled and watched.numbers.rows:
            # Whoever watches is not told anew what nothing has changed.
            before = watched.numbers
            return replace(numbers, calls=before.calls, per_minute=before.per_minute, ends_about=before.ends_about)
        pace = round(report.per_minute, 1) if report.per_minute else None
        return replace(numbers, per_minute=pace, ends_about=self._end(numbers, pace))

    def _end(self, numbers: RunNumbers, per_minute: float | None) -> str | None:
        if not per_minute or numbers.rows <= numbers.settled:
            return None
        end = self._now() + timedelta(minutes=(numbers.rows - numbers.settled) / per_minute)
        return iso_seconds(end.replace(second=end.second // _ROUNDED_SECONDS * _ROUNDED_SECONDS))

    def _read_final(self, run_id: str) -> RunNumbers:
        folder = self._reports / run_id
        changed = max((path.stat().st_mtime_ns for path in folder.glob("journal.sqlite3*")), default=0)
        known = self._final.get((run_id, changed))
        if known:
            return known
        numbers = final_numbers(folder)
        self._watched.pop(run_id, None)
        if len(self._final) >= self._MOST:
            self._final.clear()
        self._final[run_id, changed] = numbers
        return numbers

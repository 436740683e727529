"""The state of a run at one moment, also while a process works on it, read from its journal."""

from datetime import datetime, timedelta
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from bulkreact.batch.environment import OutageRecord, WaitReason, WaitState
from bulkreact.batch.journal.journal import is_locked
from bulkreact.batch.journal.metadata import SessionRecord
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.runs.customer_names import customer_label, describe_affected
from bulkreact.runs.run_status import RunOverview, run_status
from bulkreact.sheets.output.results_csv import RowCounts
from bulkreact.timestamps import iso_milliseconds, seconds_between

_PACE_SECONDS = 10


class RunSnapshot(Struct, frozen=True):
    """The state of a run at one moment.

    ``session`` is the process that is sending its rows, None if there is none, and ``verified_by`` the id of one that
    only verifies them. ``open`` are the rows that are not settled yet; without a process, those a resume would send.
    ``calls_per_minute`` is the pace of the last ten seconds. ``affected`` names the customers with rows that did not end
    well. ``renewed_ids`` are the rows that were sent under a second request id, None while a process works on the run.
    """

    overview: RunOverview
    session: SessionRecord | None
    verified_by: int | None
    open: int
    in_flight: int
    calls_per_minute: float = 0.0
    waits: WaitState = field(default_factory=WaitState)
    affected: str = ""
    renewed_ids: int | None = None

    @property
    def is_active(self) -> bool:
        """Return whether a process is working on the run."""
        return self.session is not None or self.verified_by is not None

    @property
    def outage(self) -> OutageRecord | None:
        """Return the outage that a process is waiting out, None if there is none."""
        latest = self.overview.outages[-1] if self.overview.outages else None
        return latest if latest and latest.next_probe_at and self.is_active else None

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON, with the names of summary.json and of the JSON log."""
        process_id = self.session.process_id if self.session else self.verified_by
        return {
            **self.overview.to_dict(),
            "process_id": process_id,
            "open": self.open,
            "in_flight": self.in_flight,
            "calls_per_minute": round(self.calls_per_minute),
            "held": self.waits.held,
            "waiting": {reason.value: number for reason, number in self.waits.rows.items()},
            "throttled_customers": self.waits.customers,
            "renewed_request_ids": self.renewed_ids,
        }


def read_snapshot(folder: Path, now: datetime) -> RunSnapshot:
    """Read the state of a run from its journal."""
    locked = is_locked(folder)
    with JournalReader(folder) as journal:
        latest, newest = journal.latest_session(), journal.latest_session(sending=False)
        active = newest if locked and newest and newest.state is None else None
        session = active if active == latest else None
        rows, counts = 0, RowCounts()
        for row, times in journal.result_groups():
            rows += times
            if row.settled or not session:
                counts.add(row, times)
        status = run_status(latest, now=iso_milliseconds(now))
        traffic = journal.traffic(status.configured_per_minute)
        overview = RunOverview(
            journal.latest_metadata(),
            status,
            rows,
            counts,
            *traffic,
            running=session is not None,
            outages=journal.outages(),
        )
        snapshot = RunSnapshot(
            overview,
            session,
            verified_by=active.process_id if active and not session else None,
            open=rows - counts.statuses.total() if session else journal.open_count().rows,
            in_flight=journal.calls_in_flight(active.id) if active else 0,
            calls_per_minute=_present_pace(journal, active, now) if active else 0.0,
            waits=_read_waits(journal, session) if session else WaitState(),
            affected=describe_affected(journal),
            renewed_ids=None if active else journal.count_renewed_ids(),
        )
        return replace(snapshot, waits=_add_outage(snapshot.waits, snapshot.outage, now))


def _read_waits(journal: JournalReader, session: SessionRecord) -> WaitState:
    waits = journal.waiting_rows(session.id)
    return replace(waits, customer=customer_label(journal, waits.customer)) if waits.customer else waits


def _present_pace(journal: JournalReader, active: SessionRecord, now: datetime) -> float:
    since = iso_milliseconds(now - timedelta(seconds=_PACE_SECONDS))
    # The first moments say little.
    seconds = max(1.0, min(_PACE_SECONDS, seconds_between(active.started_at, iso_milliseconds(now))))
    return 60 * journal.calls_since(max(since, active.started_at)) / seconds


def _add_outage(waits: WaitState, outage: OutageRecord | None, now: datetime) -> WaitState:
    """Return what waits, given that all wait for the next probe during an outage."""
    if outage is None:
        return waits
    seconds = seconds_between(iso_milliseconds(now), outage.next_probe_at)
    return replace(waits, held=WaitReason.OUTAGE, next_seconds=seconds, attempt=outage.probes + 1)

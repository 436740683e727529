"""The status of a run from its journal: how its sending ended, and an overview for JSON."""

from pathlib import Path

from msgspec import Struct, to_builtins

from bulkreact import __version__
from bulkreact.batch.environment import OutageRecord, StopReason
from bulkreact.batch.journal.metadata import RunMetadata, SessionRecord
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.errors import EXIT_INTERRUPTED, EXIT_SUCCESS, ResultsNotWrittenError
from bulkreact.models import RunState
from bulkreact.runs.column_sums import ResultSum
from bulkreact.runs.outage_messages import summarize_outage
from bulkreact.sheets.output import results_csv
from bulkreact.sheets.output.results_csv import RowCounts

RUNNING = "running"
_KILLED = StopReason(RunState.INTERRUPTED, EXIT_INTERRUPTED, "the process was killed")


class RunStatus(Struct, frozen=True):
    """How and when the sending of a run ended, and at which ceiling.

    If no end was recorded, ``end_recorded`` is false and ``finished_at`` is the current time.
    """

    stop_reason: StopReason
    configured_per_minute: float | None
    finished_at: str
    end_recorded: bool = True


def latest_run_status(folder: Path, *, now: str) -> RunStatus:
    """Return the status of a run from its journal."""
    with JournalReader(folder) as journal:
        return run_status(journal.latest_session(), now=now)


def run_status(session: SessionRecord | None, *, now: str) -> RunStatus:
    """Return a run's status from its latest session; no recorded end means that it was killed."""
    if session is None or session.state is None or session.exit_code is None:
        return RunStatus(_KILLED, session.configured_per_minute if session else None, now, end_recorded=False)
    # The exit code of a complete run follows from its rows, also if only its files were not written.
    from_rows = session.state is RunState.FINISHED or session.exit_code == ResultsNotWrittenError.exit_code
    exit_code = EXIT_SUCCESS if from_rows else session.exit_code
    stop_reason = StopReason(session.state, exit_code, session.reason or "")
    return RunStatus(stop_reason, session.configured_per_minute, session.ended_at or now)


class RunOverview(Struct, frozen=True):
    """A run as a whole at one moment; ``running``: a process is sending its rows.

    ``rows`` are those of the input; while a run is running, ``counts`` covers only the settled ones. ``amounts`` are
    those of --sum, if they were added up.
    """

    metadata: RunMetadata
    status: RunStatus
    rows: int
    counts: RowCounts
    calls: dict[str, int]
    pace: dict[str, float | None]
    running: bool = False
    outages: tuple[OutageRecord, ...] = ()
    amounts: ResultSum | None = None

    @property
    def exit_code(self) -> int:
        """Return the exit code of the command that sent the rows, or would finish them now."""
        return self.status.stop_reason.exit_code or self.counts.exit_code

    @property
    def finished_at(self) -> str:
        """Return when the run ended; not before it began, whatever a clock said that was set back in between."""
        return max(self.metadata.created_at, self.status.finished_at)

    @property
    def target(self) -> str:
        """Return where the calls of the run go, for people."""
        metadata = self.metadata
        return "the simulator" if metadata.simulated else f"{metadata.base_url}/{metadata.api_version}"

    @property
    def calls_made(self) -> str:
        """Return how many calls the run made, for people."""
        calls = self.calls
        return f"{calls['sent']:,} sent, {calls['retried']:,} repeated, {calls['throttled']:,} throttled"

    @property
    def interruptions(self) -> str:
        """Return when the service was down, for people."""
        return "; ".join(map(summarize_outage, self.outages))

    @property
    def ceiling(self) -> str:
        """Return the ceiling for calls, for people."""
        configured = self.pace["configured_per_minute"]
        return f"at most {configured:g}/min" if configured else "not limited"

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON, as in summary.json."""
        metadata, stop_reason = self.metadata, self.status.stop_reason
        return {
            "run_id": metadata.id,
            "version": __version__,
            "command": metadata.command,
            "retry_of": metadata.retry_of,
            "corrects": metadata.settings.corrects or None,
            "operator": metadata.operator,
            "input": {"name": metadata.input_name, "sha256": metadata.input_sha256, "rows": self.rows},
            "target": {
                "cloud": metadata.cloud,
                "base_url": metadata.base_url,
                "api_version": metadata.api_version,
                "tenant_id": metadata.tenant_id,
                "simulated": metadata.simulated,
            },
            "state": RUNNING if self.running else stop_reason.state.value,
            "exit_code": None if self.running else self.exit_code,
            "reason": "" if self.running else stop_reason.reason,
            "started_at": metadata.created_at,
            "finished_at": None if self.running else self.finished_at,
            "counts": results_csv.counts_by_status(self.counts),
            "error_codes": dict(self.counts.codes.most_common()),
            "taken_over": dict(self.counts.transferred),
            "calls": self.calls,
            "pace": self.pace,
            "outages": [to_builtins(outage) for outage in self.outages],
            **({"sum": self.amounts.to_dict()} if self.amounts else {}),
        }

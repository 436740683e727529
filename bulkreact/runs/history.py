"""Summarizes runs of a reports folder: their state, times, exit codes and row counts."""

from msgspec import Struct

from bulkreact.batch.journal.journal import is_locked
from bulkreact.errors import EXIT_SUCCESS
from bulkreact.runs.run_record import Run, RunCounts, read_run
from bulkreact.runs.run_status import RUNNING, run_status
from bulkreact.timestamps import iso_milliseconds, utc_now
from bulkreact.wording import plural


class RunSummary(Struct, frozen=True):
    """One run; ``finished_at`` and ``exit_code`` are None while it is running or after a kill."""

    run: Run
    state: str
    finished_at: str | None
    exit_code: int | None
    counts: dict[str, int]

    @property
    def rows(self) -> int:
        """Return how many rows the run has."""
        return sum(self.counts.values())

    @property
    def seconds(self) -> float | None:
        """Return how long processes worked at sending its rows, None if no end is recorded."""
        return None if self.finished_at is None else round(self.run.record.working_seconds, 3)

    def to_dict(self) -> dict[str, object]:
        """Return the summary for JSON, with the names of summary.json."""
        metadata = self.run.metadata
        return {
            "run_id": metadata.id,
            "command": metadata.command,
            "retry_of": metadata.retry_of,
            "operator": metadata.operator,
            "corrects": metadata.settings.corrects or None,
            "input": {"name": metadata.input_name, "sha256": metadata.input_sha256, "rows": self.rows},
            "state": self.state,
            "exit_code": self.exit_code,
            "started_at": metadata.created_at,
            "finished_at": self.finished_at,
            "duration_seconds": self.seconds,
            "counts": self.counts,
        }

    def one_line(self) -> str:
        """Return the summary as one line of text."""
        return (
            f"{self.run.metadata.id}  {self.state}, {plural(self.rows, 'row')}, {self.finished_at or 'no end recorded'}"
        )


def summarize(run: Run) -> RunSummary:
    """Summarize a run; count its rows unless already counted."""
    counts = run.record.counts or read_run(run.folder, counting=True).record.counts or RunCounts({}, EXIT_SUCCESS)
    status = run_status(run.session, now=iso_milliseconds(utc_now()))
    if not status.end_recorded:
        state = RUNNING if is_locked(run.folder) else status.stop_reason.state.value
        return RunSummary(run, state, None, None, counts.statuses)
    exit_code = status.stop_reason.exit_code or counts.exit_code
    finished_at = max(run.metadata.created_at, status.finished_at)
    return RunSummary(run, status.stop_reason.state.value, finished_at, exit_code, counts.statuses)

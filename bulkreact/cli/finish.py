"""What is written when a run ends: result files and summaries, all of them views of the journal."""

import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bulkreact import __version__
from bulkreact.batch.edges import Ending
from bulkreact.batch.journal import JOURNAL_NAME, RunFacts, SessionEnd, latest_session, read_facts, read_only
from bulkreact.batch.rows import result_rows
from bulkreact.batch.schema import WRITE_WORDS
from bulkreact.cli.runs import quoted
from bulkreact.errors import EXIT_INTERRUPTED, EXIT_SUCCESS, ResultsNotWrittenError
from bulkreact.models import RunState
from bulkreact.sheets import results
from bulkreact.sheets.results import Counts

# A read is repeated when the one before was not answered; looking again at what has not changed is no repetition.
_CALLS = f"""
SELECT count(*) FILTER (WHERE coalesce(departed, 1)),
    count(*) FILTER (WHERE earlier IS NOT NULL AND (operation IN ({WRITE_WORDS}) OR NOT earlier)),
    count(*) FILTER (WHERE verdict = 'Throttled')
FROM (
    SELECT operation, verdict, departed,
        lag(coalesce(business, 0)) OVER (PARTITION BY ordinal, operation ORDER BY calls.id) AS earlier
    FROM calls LEFT JOIN answers ON answers.call = calls.id
)
"""  # noqa: S608 - our own words
# The pace of sending: what only watched afterwards was spaced by other rules.
_LATEST_CALLS = f"""
SELECT count(*), min(started_at), max(started_at) FROM calls WHERE session = :session AND id <= (
    SELECT max(id) FROM calls WHERE session = :session AND operation IN ({WRITE_WORDS})
)
"""  # noqa: S608 - our own words


@dataclass(frozen=True, slots=True)
class Finished:
    """A run whose files are written; ``kept`` is an edited failed.csv that was in their way."""

    folder: Path
    counts: Counts
    exit_code: int
    files: dict[str, str]
    kept: Path | None


@dataclass(frozen=True, slots=True)
class Places:
    """Where the files go: the result files into ``to``, copies of the results and of the summary elsewhere."""

    to: Path
    results_copy: Path | None = None
    latest: Path | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a run stands: how its sending ended, when, and at which ceiling."""

    ending: Ending
    configured_per_minute: float | None
    finished_at: str


def standing(folder: Path, *, now: str) -> Standing:
    """Return how a run stands by its journal."""
    with closing(read_only(folder)) as connection:
        return standing_of(latest_session(connection), now=now)


def standing_of(session: SessionEnd | None, *, now: str) -> Standing:
    """Return how a run stands by its latest session; one whose process has left no word was interrupted."""
    killed = Ending(RunState.INTERRUPTED, EXIT_INTERRUPTED, "the process was killed, or is still at work")
    if session is None or session.state is None or session.exit_code is None:
        return Standing(killed, session.configured_per_minute if session else None, now)
    # A completed run's code follows from its rows; one that only failed to write is thereby mended.
    mended = session.state is RunState.FINISHED or session.exit_code == ResultsNotWrittenError.exit_code
    ending = Ending(session.state, EXIT_SUCCESS if mended else session.exit_code, session.reason or "")
    return Standing(ending, session.configured_per_minute, session.ended_at or now)


@dataclass(frozen=True, slots=True)
class Report:
    """What is to be written about a run: how it stands, and where the files go."""

    folder: Path
    standing: Standing
    places: Places

    def write(self) -> Finished:
        """Write all result files; ResultsNotWrittenError names what to do when that fails."""
        try:
            return self._write()
        except (OSError, sqlite3.OperationalError) as error:
            self._tell_failure()
            raise ResultsNotWrittenError(
                f"The result files could not be written: {error}. Nothing is lost: the journal has every outcome. "
                f"Mend the cause, then write them again with: bulkreact results {quoted(self.folder)}"
            ) from None

    def _write(self) -> Finished:
        to = self.places.to
        with closing(read_only(self.folder)) as connection:
            connection.execute("BEGIN")
            kept = results.keep_edited(to)
            header = read_facts(connection).header
            counts = results.write(to, header, result_rows(connection), also=self.places.results_copy)
            exit_code = self.standing.ending.exit_code or counts.exit_code
            summary = self._summary(connection, counts, exit_code)
        results.write_json(to / results.SUMMARY, summary, private=True)
        if self.places.latest:
            results.write_json(self.places.latest, summary, private=False)
        return Finished(to, counts, exit_code, self._files(), kept)

    def _tell_failure(self) -> None:
        """Let the heartbeat at least say that the results could not be written, if there is room for that."""
        if not self.places.latest:
            return
        with suppress(OSError, sqlite3.OperationalError), closing(read_only(self.folder)) as connection:
            counts = results.tally(result_rows(connection))
            # A run that was stopped has its own code; one that was complete has failed only at this.
            code = self.standing.ending.exit_code or ResultsNotWrittenError.exit_code
            summary = self._summary(connection, counts, code)
            results.write_json(self.places.latest, summary, private=False)

    def _summary(self, connection: sqlite3.Connection, counts: Counts, exit_code: int) -> dict[str, object]:
        facts = read_facts(connection)
        ending = self.standing.ending
        calls, pace = traffic(connection, self.standing.configured_per_minute)
        return {
            **identity(facts, rows=counts.statuses.total()),
            "state": ending.state.value,
            "exit_code": exit_code,
            "reason": ending.reason,
            "started_at": facts.created_at,
            "finished_at": self.standing.finished_at,
            "counts": results.statuses(counts),
            "error_codes": dict(counts.codes.most_common()),
            "calls": calls,
            "pace": pace,
            "files": self._files(),
        }

    def _files(self) -> dict[str, str]:
        to = self.places.to
        return {
            "results": str((to / results.RESULTS).resolve()),
            "failed": str((to / results.FAILED).resolve()),
            "summary": str((to / results.SUMMARY).resolve()),
            "journal": str((self.folder / JOURNAL_NAME).resolve()),
        }


def identity(facts: RunFacts, *, rows: int) -> dict[str, object]:
    """Return what is fixed about a run, for programs."""
    return {
        "run_id": facts.id,
        "version": __version__,
        "command": facts.command,
        "retry_of": facts.retry_of,
        "operator": facts.operator,
        "input": {"name": facts.input_name, "sha256": facts.input_sha256, "rows": rows},
        "target": {
            "cloud": facts.cloud,
            "base_url": facts.base_url,
            "api_version": facts.api_version,
            "tenant_id": facts.tenant_id,
            "simulated": facts.simulated,
        },
    }


def traffic(
    connection: sqlite3.Connection, configured_per_minute: float | None
) -> tuple[dict[str, int], dict[str, float | None]]:
    """Return the calls of a run, and the pace of the latest process that sent its rows, for programs."""
    sent, retried, throttled = connection.execute(_CALLS).fetchone()
    session = latest_session(connection)
    values = {"session": session.id if session else None}
    count, first, last = connection.execute(_LATEST_CALLS, values).fetchone()
    achieved = None
    if count > 1 and first != last:
        seconds = (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()
        achieved = round((count - 1) / seconds * 60, 1)
    return (
        {"sent": sent, "retried": retried, "throttled": throttled},
        {"configured_per_minute": configured_per_minute, "achieved_per_minute": achieved},
    )

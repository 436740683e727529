"""What is written when a run ends: result files and summaries, all of them views of the journal."""

import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bulkreact import __version__
from bulkreact.batch.journal import JOURNAL_NAME, RunFacts, read_facts, read_only
from bulkreact.batch.rows import result_rows
from bulkreact.batch.runner import Ending
from bulkreact.errors import ResultsNotWrittenError
from bulkreact.sheets import results
from bulkreact.sheets.results import Counts

_CALLS = """
SELECT count(*) FILTER (WHERE coalesce(answers.departed, 1)),
    count(*) - (SELECT count(*) FROM (SELECT 1 FROM calls GROUP BY ordinal, operation)),
    count(*) FILTER (WHERE answers.verdict = 'Throttled')
FROM calls LEFT JOIN answers ON answers.call = calls.id
"""
_LATEST_CALLS = """
SELECT count(*), min(started_at), max(started_at) FROM calls WHERE session = (SELECT max(id) FROM sessions)
"""


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
class Report:
    """What is to be written about a run: how it ended, at which pace, and where the files go."""

    folder: Path
    ending: Ending
    places: Places
    configured_per_minute: float | None
    finished_at: str

    def write(self) -> Finished:
        """Write all result files; ResultsNotWrittenError names what to do when that fails."""
        try:
            return self._write()
        except (OSError, sqlite3.OperationalError) as error:
            self._tell_failure()
            raise ResultsNotWrittenError(
                f"The result files could not be written: {error}. Nothing is lost: the journal has every outcome. "
                f"Mend the cause, then write them again with: bulkreact results {self.folder}"
            ) from None

    def _write(self) -> Finished:
        to = self.places.to
        with closing(read_only(self.folder)) as connection:
            connection.execute("BEGIN")
            kept = results.keep_edited(to)
            header = read_facts(connection).header
            counts = results.write(to, header, result_rows(connection), also=self.places.results_copy)
            exit_code = self.ending.exit_code or counts.exit_code
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
            summary = self._summary(connection, counts, ResultsNotWrittenError.exit_code)
            results.write_json(self.places.latest, summary, private=False)

    def _summary(self, connection: sqlite3.Connection, counts: Counts, exit_code: int) -> dict[str, object]:
        facts = read_facts(connection)
        return {
            **_identity(facts, rows=counts.statuses.total()),
            "state": self.ending.state.value,
            "exit_code": exit_code,
            "reason": self.ending.reason,
            "started_at": facts.created_at,
            "finished_at": self.finished_at,
            "counts": results.statuses(counts),
            "error_codes": dict(counts.codes.most_common()),
            **_traffic(connection, self.configured_per_minute),
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


def _identity(facts: RunFacts, *, rows: int) -> dict[str, object]:
    return {
        "run_id": facts.id,
        "version": __version__,
        "command": facts.command,
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


def _traffic(connection: sqlite3.Connection, configured_per_minute: float | None) -> dict[str, object]:
    sent, retried, throttled = connection.execute(_CALLS).fetchone()
    count, first, last = connection.execute(_LATEST_CALLS).fetchone()
    achieved = None
    if count > 1 and first != last:
        seconds = (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()
        achieved = round((count - 1) / seconds * 60, 1)
    return {
        "calls": {"sent": sent, "retried": retried, "throttled": throttled},
        "pace": {"configured_per_minute": configured_per_minute, "achieved_per_minute": achieved},
    }

"""What is written when a run ends: result files and summaries, all of them views of the journal."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bulkreact import __version__
from bulkreact.batch.environment import StopReason
from bulkreact.batch.journal.call_stats import Traffic
from bulkreact.batch.journal.customer_counts import CustomerCounts
from bulkreact.batch.journal.metadata import RunMetadata, SessionRecord
from bulkreact.batch.journal.reading import JOURNAL_NAME, JournalReader
from bulkreact.errors import EXIT_INTERRUPTED, EXIT_SUCCESS, JournalUnreadableError, ResultsNotWrittenError
from bulkreact.models import ResultRow, RunState, SessionTimeline
from bulkreact.runs.about import about
from bulkreact.runs.next_steps import steps
from bulkreact.runs.report_content import ReportInput, report_of
from bulkreact.sheets.output import report_html, results_csv, results_xlsx
from bulkreact.sheets.output.report_data import SESSIONS_SHOWN, ReportBuilder
from bulkreact.sheets.output.results_csv import RowCounts
from bulkreact.sheets.output.results_xlsx import WORKBOOK
from bulkreact.wording import shell_quote


@dataclass(frozen=True, slots=True)
class WrittenResults:
    """A run whose files are written.

    ``kept`` are files that somebody had edited and that were in their way, ``no_workbook`` is why there is none although
    there should be.
    """

    folder: Path
    counts: RowCounts
    exit_code: int
    files: dict[str, str]
    kept: dict[str, Path]
    no_workbook: str = ""

    @property
    def run_folder(self) -> Path:
        """Return the folder of the journal."""
        return Path(self.files["journal"]).parent

    def remarks(self) -> Iterator[str]:
        """Yield what people should know about the files besides the results, line by line."""
        if "results_xlsx" in self.files:
            yield f"Workbook: {self.files['results_xlsx']}"
        for name, place in self.kept.items():
            yield f"Your edited {name} was kept as {place}"
        if self.no_workbook:
            yield f"There is no {WORKBOOK}: {self.no_workbook}. All of them are in {results_csv.RESULTS}."


@dataclass(frozen=True, slots=True)
class OutputPaths:
    """Where the files go: the result files into ``to``, copies of the results and of the summary elsewhere."""

    to: Path
    results_copy: Path | None = None
    latest: Path | None = None


@dataclass(frozen=True, slots=True)
class RunStatus:
    """How a run stands: how its sending ended, when, and at which ceiling.

    ``noted`` is false where the process left no word: ``finished_at`` is then the present.
    """

    ending: StopReason
    configured_per_minute: float | None
    finished_at: str
    noted: bool = True


def latest_run_status(folder: Path, *, now: str) -> RunStatus:
    """Return how a run stands by its journal."""
    with JournalReader(folder) as journal:
        return run_status(journal.latest_session(), now=now)


def run_status(session: SessionRecord | None, *, now: str) -> RunStatus:
    """Return how a run stands by its latest session; one whose process has left no word was interrupted."""
    killed = StopReason(RunState.INTERRUPTED, EXIT_INTERRUPTED, "the process was killed, or is still at work")
    if session is None or session.state is None or session.exit_code is None:
        return RunStatus(killed, session.configured_per_minute if session else None, now, noted=False)
    # A completed run's code follows from its rows; one that only failed to write is thereby mended.
    mended = session.state is RunState.FINISHED or session.exit_code == ResultsNotWrittenError.exit_code
    ending = StopReason(session.state, EXIT_SUCCESS if mended else session.exit_code, session.reason or "")
    return RunStatus(ending, session.configured_per_minute, session.ended_at or now)


@dataclass(frozen=True, slots=True)
class ResumeHint:
    """How people go on: what the run is called on the command line, and the command that continues a stopped one."""

    run: str
    resume_command: str


@dataclass(frozen=True, slots=True)
class ResultFiles:
    """What is to be written about a run: how it stands, where the files go, and how to go on.

    ``xlsx`` says whether there is to be a workbook; None leaves that to the input, and to one that is there already.
    """

    folder: Path
    standing: RunStatus
    places: OutputPaths
    continuing: ResumeHint
    xlsx: bool | None = None

    def write(self) -> WrittenResults:
        """Write all result files; ResultsNotWrittenError names what to do when that fails."""
        try:
            return self._write()
        except (OSError, JournalUnreadableError) as error:
            self._tell_failure()
            raise ResultsNotWrittenError(
                f"The result files could not be written: {error}. Nothing is lost: the journal has every outcome. "
                f"Mend the cause, then write them again with: bulkreact results {shell_quote(self.folder)}"
            ) from None

    def _write(self) -> WrittenResults:
        to = self.places.to
        with JournalReader(self.folder) as journal, CustomerCounts() as customers:
            facts = journal.metadata
            wanted = self._wants_workbook(facts)
            refusal = results_xlsx.size_error(journal.row_count(), len(facts.header)) if wanted else ""
            moved = journal.traffic(self.standing.configured_per_minute)
            edited = {name: results_csv.set_aside_edited(to, name) for name in (results_csv.FAILED, WORKBOOK)}
            if written := wanted and not refusal:
                self._write_workbook(journal, facts, moved)
            elif self._at_home:
                # It would go on telling how things stood earlier.
                (to / WORKBOOK).unlink(missing_ok=True)
            gathering = ReportBuilder()
            rows = _gathered(journal.result_rows(), gathering, customers)
            counts = results_csv.write(to, facts.header, rows)
            exit_code = self.standing.ending.exit_code or counts.exit_code
            drawn = journal.session_timelines(limit=SESSIONS_SHOWN)
            report_html.write(to, report_of(self._source(facts, counts, exit_code, moved, drawn), gathering, customers))
            summary = self._summary(facts, counts, exit_code, moved, workbook=written)
        # The last one: what is younger than the summary was edited.
        results_csv.write_json(to / results_csv.SUMMARY, summary, private=True)
        if self.places.latest:
            results_csv.write_json(self.places.latest, summary, private=False)
        if self.places.results_copy:
            results_csv.copy(to, self.places.results_copy)
        kept = {name: place for name, place in edited.items() if place}
        return WrittenResults(to, counts, exit_code, self._files(workbook=written), kept, refusal)

    def _wants_workbook(self, facts: RunMetadata) -> bool:
        if self.xlsx is not None:
            return self.xlsx
        return facts.from_spreadsheet or (self._at_home and (self.folder / WORKBOOK).is_file())

    @property
    def _at_home(self) -> bool:
        """Tell whether the files go into the run's folder, where all of that name are ours."""
        return self.places.to.resolve() == self.folder.resolve()

    def _write_workbook(self, journal: JournalReader, facts: RunMetadata, moved: Traffic) -> None:
        calls, pace = moved
        lines = about(
            facts,
            self.standing.ending,
            rows=journal.row_count(),
            finished_at=self.standing.finished_at,
            calls=calls,
            pace=pace,
        )
        results_xlsx.write(self.places.to / WORKBOOK, facts.header, journal.result_rows(), lines)

    def _source(
        self,
        facts: RunMetadata,
        counts: RowCounts,
        exit_code: int,
        moved: Traffic,
        drawn: tuple[list[SessionTimeline], int],
    ) -> ReportInput:
        stands, (calls, pace) = self.standing, moved
        ways = steps(
            counts,
            stands.ending.state,
            self.continuing.run,
            again=self.continuing.resume_command,
            failed=self._files(workbook=False)["failed"],
        )
        return ReportInput(
            facts=facts,
            ending=stands.ending,
            ended_at=stands.finished_at if stands.noted else None,
            exit_code=exit_code,
            counts=counts,
            calls=calls,
            pace=pace,
            ways=tuple(ways),
            spells=drawn,
        )

    def _tell_failure(self) -> None:
        """Let the heartbeat at least say that the results could not be written, if there is room for that."""
        if not self.places.latest:
            return
        with suppress(OSError, JournalUnreadableError), JournalReader(self.folder) as journal:
            counts = results_csv.count_rows(journal.result_rows())
            # A run that was stopped has its own code; one that was complete has failed only at this.
            code = self.standing.ending.exit_code or ResultsNotWrittenError.exit_code
            moved = journal.traffic(self.standing.configured_per_minute)
            summary = self._summary(journal.metadata, counts, code, moved, workbook=False)
            results_csv.write_json(self.places.latest, summary, private=False)

    def _summary(
        self, facts: RunMetadata, counts: RowCounts, exit_code: int, moved: Traffic, *, workbook: bool
    ) -> dict[str, object]:
        ending, (calls, pace) = self.standing.ending, moved
        return {
            **identity(facts, rows=counts.statuses.total()),
            "state": ending.state.value,
            "exit_code": exit_code,
            "reason": ending.reason,
            "started_at": facts.created_at,
            "finished_at": self.standing.finished_at,
            "counts": results_csv.counts_by_status(counts),
            "error_codes": dict(counts.codes.most_common()),
            "calls": calls,
            "pace": pace,
            "files": self._files(workbook=workbook),
        }

    def _files(self, *, workbook: bool) -> dict[str, str]:
        to = self.places.to
        return {
            "results": str((to / results_csv.RESULTS).resolve()),
            "failed": str((to / results_csv.FAILED).resolve()),
            **({"results_xlsx": str((to / WORKBOOK).resolve())} if workbook else {}),
            "report": str((to / report_html.REPORT).resolve()),
            "summary": str((to / results_csv.SUMMARY).resolve()),
            "journal": str((self.folder / JOURNAL_NAME).resolve()),
        }


def _gathered(rows: Iterator[ResultRow], gathering: ReportBuilder, customers: CustomerCounts) -> Iterator[ResultRow]:
    """Let the report take in the rows while they go into the files."""
    for row in rows:
        gathering.add(row)
        customers.add(row)
        yield row


def identity(facts: RunMetadata, *, rows: int) -> dict[str, object]:
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

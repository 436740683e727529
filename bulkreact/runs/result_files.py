"""Writes the files of a run when it ends: results, report and summaries, all from the journal."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from msgspec import Struct

from bulkreact.batch.journal.customer_counts import CustomerCounts
from bulkreact.batch.journal.journal_file import JOURNAL_NAME
from bulkreact.batch.journal.metadata import SWEEP
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.errors import JournalDamagedError, JournalUnreadableError, ResultsNotWrittenError
from bulkreact.models import RunState
from bulkreact.result_chunk import ResultChunk
from bulkreact.runs import store
from bulkreact.runs.column_sums import ResultAdder, ResultSum, result_adder
from bulkreact.runs.customer_names import describe_affected, name_column
from bulkreact.runs.next_steps import changed_steps, correct_command, mapped_headers, next_steps, taken_over_steps
from bulkreact.runs.output_kinds import OutputKind
from bulkreact.runs.output_paths import OutputPath, check_again
from bulkreact.runs.report_content import known_columns, report_of, run_details
from bulkreact.runs.run_status import RunOverview, RunStatus
from bulkreact.sheets.columns import ID_COLUMNS, HeaderRule
from bulkreact.sheets.output import failed_xlsx, report_html, results_csv, results_xlsx
from bulkreact.sheets.output.edited_files import set_aside_edited
from bulkreact.sheets.output.report_data import NextStep, ReportBuilder
from bulkreact.sheets.output.results_csv import RowCounts
from bulkreact.sheets.output.results_xlsx import FAILED_WORKBOOK, WORKBOOK
from bulkreact.sheets.output.sheet_layout import InputColumns
from bulkreact.wording import describe_error, printable, shell_quote

_MAY_BE_EDITED = (results_csv.FAILED, WORKBOOK, FAILED_WORKBOOK)

# By their names in summaries.
_WORKBOOKS = {"results_xlsx": WORKBOOK, "failed_xlsx": FAILED_WORKBOOK}


def correctable_file(files: Mapping[str, str]) -> str:
    """Return the path of the file in which failed rows are corrected: the workbook if there is one."""
    return files.get("failed_xlsx", files["failed"])


class WrittenResults(Struct, frozen=True):
    """A run of the input ``input_name`` whose files are written.

    ``moved_edits`` are files that the user had edited, by name, and their new paths; ``no_workbook`` is why an expected
    workbook is missing, ``next_steps`` what to do now. ``before`` are the counts before the rows were verified, None if
    the run sent rows; then only the steps that have changed are there. ``amounts`` are those of --sum. ``affected`` are
    the customers with rows that did not end well.
    """

    counts: RowCounts
    exit_code: int
    files: dict[str, str]
    moved_edits: dict[str, Path]
    no_workbook: str = ""
    next_steps: tuple[NextStep, ...] = ()
    before: RowCounts | None = None
    input_name: str = ""
    amounts: ResultSum | None = None
    affected: str = ""

    @property
    def run_folder(self) -> Path:
        """Return the folder of the journal."""
        return Path(self.files["journal"]).parent

    @property
    def is_unchanged(self) -> bool:
        """Return whether the rows were verified, and that changed none."""
        return self.before is not None and self.before.statuses == self.counts.statuses

    def lines(self) -> Iterator[str]:
        """Yield the files that people look at, the report first, and what there is to say of them."""
        if not self.is_unchanged:
            yield from self._file_lines()
        for name, path in self.moved_edits.items():
            yield f"Your edited {name} was kept as {path}"
        if self.no_workbook:
            yield f"There is no {WORKBOOK}: {self.no_workbook}. All of them are in {results_csv.RESULTS}."

    def _file_lines(self) -> Iterator[str]:
        yield f"Report:   {self.files['report']}"
        yield f"Results:  {self.files['results']}"
        if self.counts.unsuccessful:
            yield f"Failed:   {correctable_file(self.files)}"
        if "results_xlsx" in self.files:
            yield f"Workbook: {self.files['results_xlsx']}"


class ResultFiles(Struct, frozen=True):
    """The files of a run, written into ``to``, with copies of the results and of the newest summary elsewhere.

    ``reports`` is the folder that the command line names, ``resume_command`` continues a stopped run. ``xlsx``:
    whether to write a workbook; None leaves that to the input and to an existing workbook. ``watches``: accepted rows are
    watched, which a stopped process has not done to its end. ``process_status`` is how the
    process that writes them ends its work on the run, None if it does not work on it. ``before`` are the counts before it
    verified the run, None if it did not.
    """

    folder: Path
    status: RunStatus
    reports: Path
    resume_command: str
    to: Path
    results_copy: Path | None = None
    latest: Path | None = None
    xlsx: bool | None = None
    watches: bool = False
    process_status: RunStatus | None = None
    before: RowCounts | None = None

    def write(self) -> WrittenResults:
        """Write all result files; ResultsNotWrittenError names what to do if that fails."""
        try:
            return self._write()
        except (OSError, JournalUnreadableError) as error:
            self._report_failure()
            reason = str(error) if isinstance(error, JournalUnreadableError) else _describe(error)
            is_damaged = isinstance(error, JournalDamagedError)
            raise ResultsNotWrittenError(
                f"The result files could not be written: {reason.rstrip('.')}."
                f"{'' if is_damaged else ' Nothing is lost: the journal has every outcome.'} "
                f"Fix the cause, then write them again with: bulkreact results {shell_quote(self.folder)}"
            ) from None

    def _write(self) -> WrittenResults:
        with JournalReader(self.folder) as journal, CustomerCounts() as customers:
            # Decide this before an edited workbook is moved away: an existing workbook means that one is wanted.
            wants_workbook = self._wants_workbook(from_spreadsheet=journal.metadata.from_spreadsheet)
            moved_edits = self._set_edited_aside()
            header = journal.metadata.header
            no_workbook = results_xlsx.size_error(journal.row_count(), len(header)) if wants_workbook else ""
            files = self._files(workbook=wants_workbook and not no_workbook)
            failed = Path(correctable_file(files))
            builder = ReportBuilder(failed.name, known_columns(journal.metadata))
            adder = result_adder(journal.metadata)
            chunks = _collect(journal, builder, customers, adder)
            command = correct_command(journal.metadata, str(failed), self.reports)
            # The workbooks first: they are the most likely to fail, and the older files then stay unchanged.
            with results_csv.writing(self.to, header, chunks, failed_file=failed.name) as counts:
                overview = self._overview(journal, counts, adder.result() if adder else None)
                if failed.name == FAILED_WORKBOOK:
                    self._write_workbooks(journal, overview, command)
                elif self._in_run_folder:
                    # Older ones would show an earlier state.
                    for name in (WORKBOOK, FAILED_WORKBOOK):
                        (self.to / name).unlink(missing_ok=True)
            steps_after = self._steps_after(journal, counts, failed.name, command)
            steps = tuple(steps_after(counts))
            affected = describe_affected(journal)
            names = [Path(path).name for path in files.values()]
            report = report_of(
                overview, journal, builder, customers, next_steps=steps, files=names, ended=self.process_status
            )
            report_html.write(self.to, report)
        self._write_summaries(overview.to_dict() | {"files": files})
        if self.results_copy:
            check_again(OutputPath("--results", self.results_copy, OutputKind.RESULTS))
            results_csv.copy(self.to, self.results_copy)
        return WrittenResults(
            counts,
            overview.exit_code,
            files,
            moved_edits,
            no_workbook,
            changed_steps(steps_after(self.before), steps) if self.before else steps,
            before=self.before,
            input_name=overview.metadata.input_name,
            amounts=overview.amounts,
            affected=affected,
        )

    def _set_edited_aside(self) -> dict[str, Path]:
        """Move the files away that the user has edited; return their new paths by name."""
        summary = self.to / results_csv.SUMMARY
        moved = ((name, set_aside_edited(self.to, name, summary=summary)) for name in _MAY_BE_EDITED)
        return {name: path for name, path in moved if path}

    def _resume_command_of(self, journal: JournalReader) -> str:
        """Return the command that continues a stopped run, empty if there is nothing left to be sent, or to be watched.

        A page looks again at what is not watched any more.
        """
        watches = self.watches and not journal.metadata.settings.page
        return self.resume_command if self._is_stopped and (watches or journal.open_count().rows) else ""

    def _steps_after(
        self, journal: JournalReader, counts: RowCounts, failed_file: str, command: str
    ) -> Callable[[RowCounts], Iterable[NextStep]]:
        """Return what there is to do next, as a function of the counts; ``counts`` are the present ones."""
        return partial(
            next_steps,
            state=self.status.stop_reason.state,
            run=store.run_arguments(self.folder, self.reports, journal.metadata.settings.options),
            resume_command=self._resume_command_of(journal),
            correct_command=command,
            failed_file=failed_file,
            is_from_inbox=journal.metadata.command == SWEEP,
            taken_over=tuple(taken_over_steps(self.folder, self.reports)) if counts.transferred else (),
        )

    def _write_summaries(self, summary: dict[str, object]) -> None:
        results_csv.write_json(self.to / results_csv.SUMMARY, summary, private=True)
        if self.latest:
            results_csv.write_json(self.latest, summary, private=False)

    def _write_workbooks(self, journal: JournalReader, overview: RunOverview, command: str) -> None:
        metadata, to = journal.metadata, self.to
        columns = HeaderRule(mapped_headers(metadata.settings.input_options)).find_columns(metadata.header)
        instructions = failed_xlsx.list_instructions(
            command,
            resume_command=self._resume_command_of(journal),
            is_from_inbox=metadata.command == SWEEP,
            page=metadata.settings.page,
        )
        ids = [columns[name] for name in ID_COLUMNS if name in columns]
        known = InputColumns(name_column(metadata), ids, metadata.settings.column_widths)
        with failed_xlsx.writing(to / FAILED_WORKBOOK, metadata.header, columns, known, instructions) as failed:
            failed.on_page = on_page = bool(metadata.settings.page)
            rows = failed.pick(journal.typed_rows())
            results_xlsx.write(to / WORKBOOK, metadata.header, rows, run_details(overview), known, on_page=on_page)

    def _overview(self, journal: JournalReader, counts: RowCounts, amounts: ResultSum | None = None) -> RunOverview:
        calls, pace = journal.traffic(self.status.configured_per_minute)
        return RunOverview(
            journal.latest_metadata(),
            self.status,
            counts.statuses.total(),
            counts,
            calls,
            pace,
            outages=journal.outages(),
            amounts=amounts,
        )

    def _wants_workbook(self, *, from_spreadsheet: bool) -> bool:
        if self.xlsx is not None:
            return self.xlsx
        return from_spreadsheet or (self._in_run_folder and (self.folder / WORKBOOK).is_file())

    @property
    def _is_stopped(self) -> bool:
        return self.status.stop_reason.state is not RunState.FINISHED

    @property
    def _in_run_folder(self) -> bool:
        """Return whether the files go into the run's folder, where all files of these names are ours."""
        return self.to.resolve() == self.folder.resolve()

    def _report_failure(self) -> None:
        """Record in the newest summary that the results could not be written, if there is room."""
        if not self.latest:
            return
        with suppress(OSError, JournalUnreadableError), JournalReader(self.folder) as journal:
            overview = self._overview(journal, results_csv.count_rows(journal.result_groups()))
            # A stopped run has an exit code; a complete one failed only to write results.
            code = self.status.stop_reason.exit_code or ResultsNotWrittenError.exit_code
            summary = overview.to_dict() | {"exit_code": code, "files": self._files(workbook=False)}
            results_csv.write_json(self.latest, summary, private=False)

    def _files(self, *, workbook: bool) -> dict[str, str]:
        to = self.to
        return {
            "results": str((to / results_csv.RESULTS).resolve()),
            "failed": str((to / results_csv.FAILED).resolve()),
            **({name: str((to / file).resolve()) for name, file in _WORKBOOKS.items()} if workbook else {}),
            "report": str((to / report_html.REPORT).resolve()),
            "summary": str((to / results_csv.SUMMARY).resolve()),
            "journal": str((self.folder / JOURNAL_NAME).resolve()),
        }


def _collect(
    journal: JournalReader, builder: ReportBuilder, customers: CustomerCounts, amounts: ResultAdder | None
) -> Iterator[ResultChunk]:
    """Yield all rows and count them for the report on the way."""
    for chunk in journal.typed_chunks() if amounts else journal.result_chunks():
        builder.add_chunk(chunk)
        customers.add_chunk(chunk)
        if amounts:
            for row in chunk.others.values():
                amounts.add(row)
        yield chunk


def _describe(error: OSError) -> str:
    return f"{describe_error(error)} ({printable(str(error.filename))})" if error.filename else describe_error(error)

"""``bulkreact results``: writes a run's result files again, from its journal."""

from pathlib import Path

import click

from bulkreact.batch.journal.journal import is_locked
from bulkreact.cli.command import ConfiguredCommand
from bulkreact.cli.options import shared
from bulkreact.cli.options.paths import OutputFile
from bulkreact.cli.output.safe_console import SafeConsole
from bulkreact.cli.output.terminal import echo
from bulkreact.errors import AlreadyRunningError, InputRefusedError
from bulkreact.runs import store
from bulkreact.runs.output_kinds import OutputKind
from bulkreact.runs.output_paths import OutputPath, refuse_input, refuse_replacing
from bulkreact.runs.own_outputs import RESULT_FILES
from bulkreact.runs.rewriting import write_again
from bulkreact.runs.run_record import Run
from bulkreact.runs.run_trust import refuse_foreign
from bulkreact.settings import LATEST_RUN
from bulkreact.sheets.output.results_xlsx import FAILED_WORKBOOK, WORKBOOK
from bulkreact.timestamps import utc_now


@click.command("results", cls=ConfiguredCommand)
@shared.run_argument
@click.option("--to", type=OutputFile(OutputKind.RESULTS_FOLDER), help="Write them into this folder instead.")
@shared.XLSX
@shared.trust_option
@shared.reports_option
def command(*, name: str, to: Path | None, xlsx: bool | None, trust_folder: bool, reports: Path) -> None:
    """Write the result files of RUN, the latest one if none is named, again from its journal."""
    run = store.find(reports, name)
    refuse_foreign(run.folder, agreed=trust_folder and name != LATEST_RUN)
    if is_locked(run.folder):
        raise AlreadyRunningError(
            f"A process is working on run {run.metadata.id}: it writes the results itself when it ends. "
            "Until then see: bulkreact status"
        )
    if to:
        _check_folder(to, run, xlsx=xlsx)
    folder = to or run.folder
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputRefusedError(f"{folder} cannot be made: {error.strerror}. Choose another with --to.") from None
    results = write_again(run, reports, now=utc_now(), to=to, xlsx=xlsx)
    if not run.is_finished:
        echo("The run is not finished.", err=True)
    console = SafeConsole(stderr=True)
    for step in results.next_steps:
        console.print_step(step)
    for line in results.lines():
        echo(line, err=True)


def _check_folder(to: Path, run: Run, *, xlsx: bool | None) -> None:
    """Raise OutputRefusedError for what only the run tells: whether a file is its input, and whether it has workbooks."""
    workbooks = (WORKBOOK, FAILED_WORKBOOK)
    for name in (*RESULT_FILES, *workbooks):
        refuse_input(OutputPath("--to", to / name, OutputKind.RESULTS), run.metadata.input_sha256)
    if run.metadata.from_spreadsheet if xlsx is None else xlsx:
        for name in workbooks:
            refuse_replacing(OutputPath("--to", to / name, OutputKind.RESULTS))

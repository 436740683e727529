"""``bulkreact results``: writes a run's result files again, from its journal."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click

from bulkreact.batch.journal import latest_session, read_only
from bulkreact.batch.runner import Ending, iso
from bulkreact.cli import options, runs
from bulkreact.cli.finish import Places, Report
from bulkreact.errors import EXIT_INTERRUPTED, EXIT_SUCCESS, InputRefusedError, ResultsNotWrittenError
from bulkreact.models import RunState


@click.command("results")
@click.argument("name", metavar="RUN")
@click.option("--to", type=click.Path(file_okay=False, path_type=Path), help="Write them into this folder instead.")
@options.reports_option
def command(*, name: str, to: Path | None, reports: Path) -> None:
    """Write the result files of RUN again, named by its id, the beginning of it, or its folder."""
    run = runs.find(reports, name)
    with closing(read_only(run.folder)) as connection:
        session = latest_session(connection)
    ending = Ending(RunState.INTERRUPTED, EXIT_INTERRUPTED, "the process was killed, or is still at work")
    if session and session.state and session.exit_code is not None:
        # A completed run's code follows from its rows; one that only failed to write is thereby mended.
        mended = session.state is RunState.FINISHED or session.exit_code == ResultsNotWrittenError.exit_code
        ending = Ending(session.state, EXIT_SUCCESS if mended else session.exit_code, session.reason or "")
    folder = to or run.folder
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputRefusedError(f"{folder} cannot be made: {error.strerror}. Choose another with --to.") from None
    report = Report(
        run.folder,
        ending,
        Places(folder, latest=None if to else runs.heartbeat(reports, run)),
        configured_per_minute=session.configured_per_minute if session else None,
        finished_at=(session.ended_at if session else None) or iso(datetime.now(UTC)),
    )
    finished = report.write()
    click.echo(f"Results: {finished.files['results']}", err=True)
    if run.unfinished:
        click.echo(f"The run is not finished. Continue it with: bulkreact resume {run.folder}", err=True)

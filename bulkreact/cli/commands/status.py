"""``bulkreact status``: shows the state of a run, also while another process works on it."""

import json
from functools import partial
from itertools import chain
from pathlib import Path

import click
from rich.console import Console

from bulkreact.cli.command import ConfiguredCommand
from bulkreact.cli.options import shared
from bulkreact.cli.output import history_table
from bulkreact.cli.output.console import stdout_console
from bulkreact.cli.output.status_table import status_table
from bulkreact.cli.output.status_view import snapshot_lines, watch_run
from bulkreact.cli.output.terminal import echo
from bulkreact.errors import EXIT_INTERRUPTED, InputRefusedError
from bulkreact.models import RunState
from bulkreact.runs import store
from bulkreact.runs.next_steps import follow_up_steps, taken_over_steps
from bulkreact.runs.run_record import Run
from bulkreact.runs.run_snapshot import RunSnapshot, read_snapshot
from bulkreact.settings import LATEST_RUN
from bulkreact.timestamps import utc_now


@click.command("status", cls=ConfiguredCommand)
@shared.run_argument
@click.option("--all", is_flag=True, help="List all runs of the reports folder, the newest first.")
@click.option("--watch", is_flag=True, help="Show it again and again until no process works on it.")
@click.option("--json", is_flag=True, help="Write it as JSON, for programs.")
@shared.reports_option
@click.pass_context
def command(ctx: click.Context, /, *, name: str, reports: Path, watch: bool, **_: object) -> None:
    """Show the state of a run, the latest one unless RUN names another, also while it is running.

    With --watch it is redrawn on a terminal, else there is a line a minute. Ctrl-C ends that, not the run.
    """
    as_json = ctx.params["json"]
    if ctx.params["all"]:
        if name != LATEST_RUN or watch:
            raise InputRefusedError("--all lists every run: leave RUN and --watch out.")
        history_table.show(reports, as_json=as_json)
        return
    run = store.find(reports, name)
    read = partial(_read, run.folder)
    console = stdout_console()
    name = store.run_arguments(run.folder, reports, run.metadata.settings.options)
    try:
        snapshot = watch_run(read, console, as_json=as_json) if watch else read()
    except KeyboardInterrupt:
        _show(console, run, read(), reports, name)
        echo("Only the watching was ended: the run goes on.", err=True)
        ctx.exit(EXIT_INTERRUPTED)
    if as_json:
        echo(json.dumps(snapshot.to_dict(), indent=None if watch else 2))
    else:
        _show(console, run, snapshot, reports, name)


def _read(folder: Path) -> RunSnapshot:
    return read_snapshot(folder, utc_now())


def _show(console: Console, run: Run, snapshot: RunSnapshot, reports: Path, name: str) -> None:
    for line in snapshot_lines(snapshot, name):
        console.print(line, soft_wrap=True)
    counts = snapshot.overview.counts
    console.print(status_table(counts.statuses))
    if snapshot.affected:
        console.print(f"Not well: {snapshot.affected}", soft_wrap=True)
    if not snapshot.session:
        ended = snapshot.overview.status.stop_reason.state is RunState.FINISHED
        for step in chain(
            taken_over_steps(run.folder, reports) if counts.transferred else (),
            follow_up_steps(counts, name, ended=ended),
        ):
            console.print(step.line, soft_wrap=True)

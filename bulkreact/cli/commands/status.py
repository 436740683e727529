"""``bulkreact status``: shows the state of a run, also while another process works on it."""

import json
from pathlib import Path

import click

from bulkreact.cli.command import ConfiguredCommand
from bulkreact.cli.options import shared
from bulkreact.cli.output import history_table
from bulkreact.cli.output.safe_console import SafeConsole, stdout_console
from bulkreact.cli.output.status_table import status_table
from bulkreact.cli.output.status_view import snapshot_lines, watch_run
from bulkreact.cli.output.terminal import echo
from bulkreact.errors import EXIT_INTERRUPTED, InputRefusedError
from bulkreact.runs import store
from bulkreact.runs.next_steps import steps_at_rest
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
    latest: RunSnapshot | None = None

    def read() -> RunSnapshot:
        nonlocal latest
        latest = read_snapshot(run.folder, utc_now())
        return latest

    console = stdout_console()
    try:
        snapshot = watch_run(read, console, as_json=as_json) if watch else read()
    except KeyboardInterrupt:
        if latest and not as_json:
            _show(console, run.folder, latest, reports)
        echo("Only the watching was ended: the run goes on.", err=True)
        ctx.exit(EXIT_INTERRUPTED)
    if as_json:
        echo(json.dumps(snapshot.to_dict(), indent=None if watch else 2))
    else:
        _show(console, run.folder, snapshot, reports)


def _show(console: SafeConsole, folder: Path, snapshot: RunSnapshot, reports: Path) -> None:
    for line in snapshot_lines(snapshot):
        console.print_wrapped(line)
    overview = snapshot.overview
    console.print()
    console.print(status_table(overview.counts.statuses))
    if snapshot.affected:
        console.print_wrapped(f"Affected customers: {snapshot.affected}")
    if not snapshot.is_active:
        console.print()
        state = overview.status.stop_reason.state
        for step in steps_at_rest(folder, reports, overview.metadata, overview.counts, state):
            console.print_step(step)

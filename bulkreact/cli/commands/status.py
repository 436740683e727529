"""``bulkreact status``: shows the state of a run, also while another process works on it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import click

from bulkreact.batch.journal.journal import is_locked
from bulkreact.batch.journal.metadata import SessionRecord
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.cli.command import ConfiguredCommand
from bulkreact.cli.options import shared
from bulkreact.cli.output import history_table
from bulkreact.cli.output.console import stdout_console
from bulkreact.cli.output.status_table import status_table
from bulkreact.cli.output.terminal import echo
from bulkreact.errors import InputRefusedError
from bulkreact.runs import store
from bulkreact.runs.customer_names import describe_affected
from bulkreact.runs.next_steps import follow_up_steps, taken_over_steps
from bulkreact.runs.outage_messages import describe_outage
from bulkreact.runs.run_status import RunOverview, run_status
from bulkreact.settings import LATEST_RUN
from bulkreact.sheets.output.results_csv import RowCounts
from bulkreact.timestamps import iso_milliseconds, utc_now
from bulkreact.wording import plural, printable


@click.command("status", cls=ConfiguredCommand)
@shared.run_argument
@click.option("--all", is_flag=True, help="List all runs of the reports folder, the newest first.")
@click.option("--json", is_flag=True, help="Write it as JSON, for programs.")
@shared.reports_option
@click.pass_context
def command(ctx: click.Context, /, *, name: str, reports: Path, **_: object) -> None:
    """Show the state of a run, the latest one unless RUN names another, also while it is running."""
    if ctx.params["all"]:
        if name != LATEST_RUN:
            raise InputRefusedError("--all lists every run: leave RUN out.")
        history_table.show(reports, as_json=ctx.params["json"])
        return
    run = store.find(reports, name)
    progress = _read(run.folder)
    if ctx.params["json"]:
        echo(json.dumps(progress.to_dict(), indent=2))
        return
    name = store.run_arguments(run.folder, reports, run.metadata.settings.options)
    console = stdout_console()
    for line in progress.lines(name):
        console.print(line, soft_wrap=True)
    console.print(status_table(progress.overview.counts.statuses))
    if progress.affected:
        console.print(f"Not well: {progress.affected}", soft_wrap=True)
    if not progress.session:
        counts = progress.overview.counts
        for step in chain(
            taken_over_steps(run.folder, reports) if counts.transferred else (),
            follow_up_steps(counts, name, ended=run.is_finished),
        ):
            console.print(step.line, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class RunSnapshot:
    """The state of a run at one moment.

    ``session`` is the process that is sending its rows, None if there is none, and ``verified_by`` the id of one that
    only verifies them. ``open`` are the rows that are not settled yet; without a process, those a resume would send.
    ``affected`` names the customers with rows that did not end well.
    """

    overview: RunOverview
    session: SessionRecord | None
    verified_by: int | None
    open: int
    in_flight: int
    affected: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON, with the names of summary.json."""
        process_id = self.session.process_id if self.session else self.verified_by
        return {**self.overview.to_dict(), "process_id": process_id, "open": self.open, "in_flight": self.in_flight}

    def lines(self, name: str) -> Iterator[str]:
        """Yield it as text, without the table of statuses; ``name`` is the run's on the command line."""
        overview, metadata, status = self.overview, self.overview.metadata, self.overview.status
        if self.session:
            yield f"Run {metadata.id}: running, process {self.session.process_id}, since {self.session.started_at}"
        else:
            yield f"Run {metadata.id}: {status.stop_reason.state} at {overview.finished_at}: {status.stop_reason.reason}"
        yield f"Input:   {printable(metadata.input_name)}, {plural(overview.rows, 'row')}"
        yield f"Target:  {overview.target}"
        if metadata.origin:
            yield f"Origin:  {metadata.origin}"
        yield f"Calls:   {overview.calls_made}"
        achieved = overview.pace["achieved_per_minute"]
        if achieved:
            yield f"Pace:    {achieved:,.0f}/min, {overview.ceiling}"
        if overview.outages and overview.outages[-1].next_probe_at and (self.session or self.verified_by):
            yield f"Outage:  {describe_outage(overview.outages[-1])}"
        elif overview.outages:
            yield f"Outages: {overview.interruptions}"
        if self.verified_by:
            yield f"Process {self.verified_by} is reading the present status of accepted subscriptions."
        if self.session and not self.open:
            yield "Open:    none; accepted rows are being watched, or the results written"
        elif self.session:
            left = f", about {max(1.0, self.open / achieved):,.0f} min" if achieved else ""
            yield f"Open:    {plural(self.open, 'row')}{left}, calls in flight: {self.in_flight}"
        elif self.open:
            yield f"Open:    {plural(self.open, 'row')}. Continue with: bulkreact resume {name}"


def _read(folder: Path) -> RunSnapshot:
    """Read the state of a run from its journal in one snapshot."""
    locked = is_locked(folder)
    with JournalReader(folder) as journal:
        latest, newest = journal.latest_session(), journal.latest_session(sending=False)
        active = newest if locked and newest and newest.state is None else None
        session = active if active == latest else None
        rows, counts = 0, RowCounts()
        for row, times in journal.result_groups():
            rows += times
            if row.settled or not session:
                counts.add(row, times)
        status = run_status(latest, now=iso_milliseconds(utc_now()))
        traffic = journal.traffic(status.configured_per_minute)
        return RunSnapshot(
            RunOverview(
                journal.metadata, status, rows, counts, *traffic, running=session is not None, outages=journal.outages()
            ),
            session,
            verified_by=active.process_id if active and not session else None,
            open=rows - counts.statuses.total() if session else journal.open_count().rows,
            in_flight=journal.calls_in_flight(session.id) if session else 0,
            affected=describe_affected(journal),
        )

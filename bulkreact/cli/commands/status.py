"""``bulkreact status``: how a run stands, also while another process works on it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from bulkreact.batch.journal.journal import is_locked
from bulkreact.batch.journal.metadata import RunMetadata, SessionRecord
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.cli.command import ConfiguredCommand
from bulkreact.cli.options import shared
from bulkreact.cli.output import history_table
from bulkreact.cli.output.status_table import statuses
from bulkreact.errors import InputRefusedError
from bulkreact.runs import history, store
from bulkreact.runs.next_steps import next_steps
from bulkreact.runs.result_files import RunStatus, identity, run_status
from bulkreact.sheets.output import results_csv
from bulkreact.sheets.output.results_csv import RowCounts
from bulkreact.timestamps import iso
from bulkreact.wording import plural


@click.command("status", cls=ConfiguredCommand)
@click.argument("name", metavar="[RUN]", required=False)
@click.option("--all", is_flag=True, help="List all runs of the reports folder, the newest first.")
@click.option("--json", is_flag=True, help="Write it as JSON, for programs.")
@shared.reports_option
@click.pass_context
def command(ctx: click.Context, /, *, name: str | None, reports: Path, **_: object) -> None:
    """Say how a run stands, the latest one unless RUN names another, also while it is being worked on."""
    if ctx.params["all"]:
        if name:
            raise InputRefusedError("--all lists every run: leave RUN out.")
        history_table.show(reports, as_json=ctx.params["json"])
        return
    run = store.find(reports, name) if name else store.latest(reports)
    state = _read(run.folder)
    if ctx.params["json"]:
        click.echo(json.dumps(state.content(), ensure_ascii=False, indent=2))
        return
    name = store.cli_name(run.folder, reports)
    console = Console(highlight=False, markup=False, emoji=False)
    for line in state.lines(name):
        console.print(line, soft_wrap=True)
    console.print(statuses(state.counts.statuses))
    if not state.running:
        for step in next_steps(state.counts, name, ended=run.ended):
            console.print(step.line, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class _State:
    """How a run stands at one moment.

    ``session`` is the process that sends its rows, None when there is none at present, and ``verified_by`` the id of
    one that only verifies them. While they are sent, ``counts`` are of the settled rows alone and ``open`` are the
    others; at rest ``counts`` are of all rows, as in the results, and ``open`` is how many of them a resume would send.
    """

    facts: RunMetadata
    session: SessionRecord | None
    verified_by: int | None
    standing: RunStatus
    counts: RowCounts
    rows: int
    open: int
    in_flight: int
    calls: dict[str, int]
    pace: dict[str, float | None]

    @property
    def running(self) -> bool:
        """Tell whether a process sends its rows at present."""
        return self.session is not None

    def content(self) -> dict[str, object]:
        """Return it for programs, named as in summary.json."""
        ending = self.standing.ending
        return {
            **identity(self.facts, rows=self.rows),
            "state": history.RUNNING if self.running else ending.state.value,
            "exit_code": None if self.running else ending.exit_code or self.counts.exit_code,
            "reason": "" if self.running else ending.reason,
            "process_id": self.session.process_id if self.session else self.verified_by,
            "started_at": self.facts.created_at,
            "finished_at": None if self.running else self.standing.finished_at,
            "counts": results_csv.counts_by_status(self.counts),
            "error_codes": dict(self.counts.codes.most_common()),
            "open": self.open,
            "in_flight": self.in_flight,
            "calls": self.calls,
            "pace": self.pace,
        }

    def lines(self, name: str) -> Iterator[str]:
        """Yield it for people, without the table of statuses; ``name`` is the run's on the command line."""
        facts, ending = self.facts, self.standing.ending
        if self.session:
            yield f"Run {facts.id}: running, process {self.session.process_id}, since {self.session.started_at}"
        else:
            yield f"Run {facts.id}: {ending.state} at {self.standing.finished_at}: {ending.reason}"
        yield f"Input:   {facts.input_name}, {plural(self.rows, 'row')}"
        yield f"Target:  {'the simulator' if facts.simulated else facts.base_url}"
        if facts.retry_of:
            yield f"Retries: {facts.retry_of}"
        calls, achieved, ceiling = self.calls, self.pace["achieved_per_minute"], self.pace["configured_per_minute"]
        yield f"Calls:   {calls['sent']:,} sent, {calls['retried']:,} repeated, {calls['throttled']:,} throttled"
        if achieved:
            yield f"Pace:    {achieved:,.0f}/min, " + (
                f"at most {ceiling:,.0f}/min" if ceiling else "without a ceiling"
            )
        if self.verified_by:
            yield f"Process {self.verified_by} is reading how accepted subscriptions stand."
        if self.session and not self.open:
            yield "Open:    none; accepted rows are being watched, or the results written"
        elif self.session:
            left = f", about {max(1.0, self.open / achieved):,.0f} min" if achieved else ""
            yield f"Open:    {plural(self.open, 'row')}{left}, calls in flight: {self.in_flight}"
        elif self.open:
            yield f"Open:    {plural(self.open, 'row')}. Continue with: bulkreact resume {name}"


def _read(folder: Path) -> _State:
    """Read how a run stands from its journal, all of it at one moment."""
    worked_on = is_locked(folder)
    with JournalReader(folder) as journal:
        latest, newest = journal.latest_session(), journal.latest_session(sending=False)
        active = newest if worked_on and newest and newest.state is None else None
        session = active if active == latest else None
        rows, counts = 0, RowCounts()
        for row in journal.result_rows():
            rows += 1
            if row.settled or not session:
                counts.add(row)
        stands = run_status(latest, now=iso(datetime.now(UTC)))
        calls, pace = journal.traffic(stands.configured_per_minute)
        return _State(
            facts=journal.metadata,
            session=session,
            verified_by=active.process_id if active and not session else None,
            standing=stands,
            counts=counts,
            rows=rows,
            open=rows - counts.statuses.total() if session else journal.open_count().rows,
            in_flight=journal.calls_in_flight(session.id) if session else 0,
            calls=calls,
            pace=pace,
        )

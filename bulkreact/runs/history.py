"""The runs of a reports folder, one line each: what ``status --all`` shows."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from bulkreact.batch.journal.journal import is_locked
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.models import Status
from bulkreact.runs import store
from bulkreact.runs.result_files import run_status
from bulkreact.runs.store import Run
from bulkreact.sheets.output import results_csv
from bulkreact.timestamps import iso
from bulkreact.wording import plural

RUNNING = "running"
# Where nobody says how wide it may be.
_WIDTH = 200


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run of the history; ``finished_at`` and ``exit_code`` are None while it is being worked on or after a kill."""

    run: Run
    state: str
    finished_at: str | None
    exit_code: int | None
    counts: dict[str, int]

    @property
    def seconds(self) -> float | None:
        """Return how long it took, None where nobody has noted its end."""
        if self.finished_at is None:
            return None
        began = datetime.fromisoformat(self.run.facts.created_at)
        return round((datetime.fromisoformat(self.finished_at) - began).total_seconds(), 3)

    def content(self) -> dict[str, object]:
        """Return it for programs, named as in summary.json."""
        facts = self.run.facts
        return {
            "run_id": facts.id,
            "command": facts.command,
            "retry_of": facts.retry_of,
            "input": {"name": facts.input_name, "sha256": facts.input_sha256, "rows": sum(self.counts.values())},
            "state": self.state,
            "exit_code": self.exit_code,
            "started_at": facts.created_at,
            "finished_at": self.finished_at,
            "duration_seconds": self.seconds,
            "counts": self.counts,
        }


def lines(reports: Path) -> Iterator[RunSummary]:
    """Yield the runs of a reports folder, the newest first."""
    for run in store.runs(reports):
        yield line_of(run)


def line_of(run: Run) -> RunSummary:
    """Return how a run stands."""
    worked_on = is_locked(run.folder)
    with JournalReader(run.folder) as journal:
        stands = run_status(journal.latest_session(), now=iso(datetime.now(UTC)))
        counts = results_csv.count_rows(journal.result_rows())
    running = worked_on and not stands.noted
    return RunSummary(
        run,
        RUNNING if running else stands.ending.state.value,
        stands.finished_at if stands.noted else None,
        stands.ending.exit_code or counts.exit_code if stands.noted else None,
        results_csv.counts_by_status(counts),
    )


def show(reports: Path, *, as_json: bool) -> None:
    """Write the history to standard output, for programs or for people; folders that cannot be read are named."""
    unreadable = store.unreadable(reports)
    found = list(lines(reports))
    if as_json:
        content = {
            "runs": [line.content() for line in found],
            "unreadable": {folder.name: why for folder, why in unreadable.items()},
        }
        click.echo(json.dumps(content, ensure_ascii=False, indent=2))
        return
    if found:
        console = Console(highlight=False, markup=False, emoji=False)
        if not console.is_terminal:
            console.width = _WIDTH
        console.print(_table(found))
    else:
        click.echo(f"There is no run in {reports}.")
    for folder, why in unreadable.items():
        click.echo(f"{folder.name} cannot be read: {why}", err=True)


def _table(found: Iterable[RunSummary]) -> Table:
    table = Table("run", "state", "exit", "rows", "how they ended", "took", box=None, pad_edge=False)
    for line in found:
        ended = ", ".join(f"{status} {line.counts[status]:,}" for status in Status if line.counts[status])
        table.add_row(
            line.run.facts.id,
            line.state,
            "" if line.exit_code is None else str(line.exit_code),
            f"{sum(line.counts.values()):,}",
            ended or "no rows",
            "" if line.seconds is None else str(timedelta(seconds=round(line.seconds))),
        )
    return table


def one_line(line: RunSummary) -> str:
    """Return a run on one line, for people."""
    rows = plural(sum(line.counts.values()), "row")
    return f"{line.run.facts.id}  {line.state}, {rows}, {line.finished_at or 'no end noted'}"

"""Shows the runs of a reports folder, as ``status --all`` does."""

import json
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.table import Column, Table

from bulkreact.cli.output.safe_console import stdout_console
from bulkreact.cli.output.terminal import echo, redact_and_escape
from bulkreact.models import Status
from bulkreact.runs.history import RunSummary, summarize
from bulkreact.runs.index import list_runs
from bulkreact.wording import plural, printable

# What the columns beside the ids need, when the counts may wrap.
_OTHER_COLUMNS = 90


def show(reports: Path, *, as_json: bool) -> None:
    """Write the runs to standard output, as JSON or text, with the folders that cannot be read."""
    listed = list_runs(reports, counting=True)
    summaries = [summarize(run) for run in listed.runs]
    if as_json:
        content = {
            "runs": [summary.to_dict() for summary in summaries],
            "unreadable": {folder.name: reason for folder, reason in listed.unreadable.items()},
        }
        echo(json.dumps(content, indent=2))
        return
    if summaries:
        _print(stdout_console(), summaries)
    else:
        echo(f"There is no run in {reports}.")
    for folder, reason in listed.unreadable.items():
        echo(f"{folder.name} cannot be read: {reason}", err=True)


def _print(console: Console, summaries: Sequence[RunSummary]) -> None:
    """Print a table, or where it would be too narrow for that two lines a run: ids are never cut, to be copied whole."""
    longest = max(len(summary.run.metadata.id) for summary in summaries)
    if console.width >= longest + _OTHER_COLUMNS:
        console.print(_table(summaries))
        return
    for summary in summaries:
        console.print(summary.run.metadata.id, soft_wrap=True)
        exit_code = "" if summary.exit_code is None else f", exit code {summary.exit_code}"
        took = f"; took {_format_duration(summary)}" if summary.seconds is not None else ""
        rows = plural(summary.rows, "row")
        begun = f"started {_format_start(summary)} by {printable(summary.run.metadata.operator)}"
        ended = f"{summary.state}{exit_code}, {rows}: {_ending(summary)}{took}; {begun}"
        console.print(Padding(redact_and_escape(ended), (0, 0, 0, 2)))


def _table(summaries: Iterable[RunSummary]) -> Table:
    table = Table(
        *(Column("run", no_wrap=True), "state", "exit", "rows", "how they ended", "took", "started", "by"),
        box=None,
        pad_edge=False,
    )
    for summary in summaries:
        table.add_row(
            summary.run.metadata.id,
            summary.state,
            "" if summary.exit_code is None else str(summary.exit_code),
            f"{summary.rows:,}",
            _ending(summary),
            _format_duration(summary),
            _format_start(summary),
            printable(summary.run.metadata.operator),
        )
    return table


def _ending(summary: RunSummary) -> str:
    """Return whose rows they were, if another run's, and how many have each status."""
    counts = ", ".join(f"{status} {summary.counts[status]:,}" for status in Status if summary.counts[status])
    origin = summary.run.metadata.origin
    return f"{counts or 'no rows'}{f' ({origin})' if origin else ''}"


def _format_start(summary: RunSummary) -> str:
    return f"{summary.run.metadata.created_at[:16].replace('T', ' ')} UTC"


def _format_duration(summary: RunSummary) -> str:
    return "" if summary.seconds is None else str(timedelta(seconds=round(summary.seconds)))

"""Shows the runs of a reports folder, as ``status --all`` does."""

import json
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from rich.table import Table

from bulkreact.cli.output.console import stdout_console
from bulkreact.cli.output.terminal import echo
from bulkreact.models import Status
from bulkreact.runs.history import RunSummary, summarize
from bulkreact.runs.index import list_runs


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
        stdout_console().print(_table(summaries))
    else:
        echo(f"There is no run in {reports}.")
    for folder, reason in listed.unreadable.items():
        echo(f"{folder.name} cannot be read: {reason}", err=True)


def _table(summaries: Iterable[RunSummary]) -> Table:
    table = Table("run", "state", "exit", "rows", "how they ended", "took", box=None, pad_edge=False)
    for summary in summaries:
        counts = ", ".join(f"{status} {summary.counts[status]:,}" for status in Status if summary.counts[status])
        table.add_row(
            summary.run.metadata.id,
            summary.state,
            "" if summary.exit_code is None else str(summary.exit_code),
            f"{summary.rows:,}",
            counts or "no rows",
            "" if summary.seconds is None else str(timedelta(seconds=round(summary.seconds))),
        )
    return table

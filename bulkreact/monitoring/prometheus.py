"""Writes metrics about a reports folder for the textfile collector of Prometheus' node_exporter."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from bulkreact.atomic_write import replacing_bytes
from bulkreact.errors import EXIT_SUCCESS
from bulkreact.models import RunState, Status
from bulkreact.runs.history import RunSummary, summarize
from bulkreact.runs.index import list_runs
from bulkreact.runs.run_status import RUNNING
from bulkreact.sheets.output.results_csv import LATEST, SUMMARY
from bulkreact.timestamps import parse_time

_LAST_SUCCESS = "bulkreact_last_success_timestamp_seconds"
_COUNTER = "_total"
_PREVIOUS_SUCCESS = re.compile(rf"^{_LAST_SUCCESS}(?:\{{.*\}})? (\S+)$", re.MULTILINE)


class Metric(Struct, frozen=True):
    """One value of a gauge, or of a counter if its name ends in ``_total``; the labels distinguish it from others."""

    name: str
    description: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


class CommandResult(Struct, frozen=True):
    """The command that has just ended; ``refresh_token_expiry`` is None without a stored sign-in.

    ``run_folders`` are those of its runs: their files are written, their ends perhaps not yet recorded.
    """

    command: str
    exit_code: int
    ended_at: datetime
    simulated: bool
    refresh_token_expiry: datetime | None = None
    run_folders: frozenset[Path] = frozenset()


def write(path: Path, reports: Path, result: CommandResult, extra: tuple[Metric, ...] = ()) -> None:
    """Write the metrics of a reports folder atomically; raise OSError if that fails."""
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 - most commands write no metrics
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415
    from prometheus_client.registry import Collector  # noqa: PLC0415

    # The label distinguishes the files of several reports folders.
    folder, families = {"reports": folder_label(reports)}, dict[str, CounterMetricFamily | GaugeMetricFamily]()
    for metric in (*_metrics(reports, result, _previous_success(path)), *extra):
        labels = {**folder, **metric.labels}
        kind = CounterMetricFamily if metric.name.endswith(_COUNTER) else GaugeMetricFamily
        family = families.setdefault(metric.name, kind(metric.name, metric.description, labels=list(labels)))
        family.add_metric(list(labels.values()), metric.value)

    class Families(Collector):
        def collect(self) -> Iterable[CounterMetricFamily | GaugeMetricFamily]:
            return families.values()

    registry = CollectorRegistry()
    registry.register(Families())
    with replacing_bytes(path, private=False) as file:
        file.write(generate_latest(registry))


def folder_label(folder: Path) -> str:
    """Return a folder's path as a label; bytes that are not valid text are replaced."""
    return os.fsencode(folder.resolve()).decode("utf-8", "replace")


def _metrics(reports: Path, result: CommandResult, previous_success: float | None) -> Iterator[Metric]:
    command, ended_at = {"command": result.command}, result.ended_at.timestamp()
    yield Metric("bulkreact_last_command_timestamp_seconds", "When a command last ended.", ended_at, command)
    yield Metric("bulkreact_last_command_exit_code", "The exit code of that command.", result.exit_code, command)
    if expiry := result.refresh_token_expiry:
        description = "When the refresh token of the sign-in expires, unless it is used before."
        yield Metric("bulkreact_refresh_token_expiry_timestamp_seconds", description, expiry.timestamp())
        description = "How long the refresh token had left when the last command ended; 86400 is a day."
        yield Metric("bulkreact_refresh_token_remaining_seconds", description, expiry.timestamp() - ended_at)
    runs = list(_summarize_runs(reports, result.run_folders))
    states, statuses = Counter(run.state for run in runs), Counter[str]()
    for run in runs:
        statuses.update(run.counts)
    for state in (*RunState, RUNNING):
        labels = {"state": str(state)}
        yield Metric("bulkreact_runs", "Runs in the reports folder, by how they ended.", states[state], labels)
        yield Metric("bulkreact_runs_total", "All runs of the reports folder, by state.", states[state], labels)
    for status in Status:
        description = "Rows of all runs of the reports folder, by how they ended; a retry counts its rows again."
        yield Metric("bulkreact_rows_total", description, statuses[status], {"status": status.value})
    successes = [
        time.timestamp()
        for run in runs
        if run.exit_code == EXIT_SUCCESS and run.run.metadata.simulated is result.simulated
        if (time := parse_time(run.finished_at or ""))
    ]
    if previous_success:
        successes.append(previous_success)
    if successes:
        yield Metric(_LAST_SUCCESS, "When a run last ended with exit code 0.", max(successes))
    if newest := read_summary(reports / LATEST):
        yield from _newest_run_metrics(newest)


def _summarize_runs(reports: Path, ended: frozenset[Path]) -> Iterator[RunSummary]:
    """Yield all runs; those that have just ended as their own summaries have it."""
    folders = {folder.resolve() for folder in ended}
    for run in list_runs(reports, counting=True).runs:
        summary = summarize(run)
        written = read_summary(run.folder / SUMMARY) if run.folder.resolve() in folders else {}
        yield replace(
            summary,
            state=str(written.get("state", summary.state)),
            exit_code=int(_number(written, "exit_code")) if written else summary.exit_code,
            finished_at=str(written["finished_at"]) if written.get("finished_at") else summary.finished_at,
        )


def _newest_run_metrics(summary: Mapping[str, object]) -> Iterator[Metric]:
    started, finished = _timestamp(summary, "started_at"), _timestamp(summary, "finished_at")
    yield Metric("bulkreact_last_run_timestamp_seconds", "When the newest run ended.", finished)
    yield Metric("bulkreact_last_run_duration_seconds", "From its beginning to its end.", max(0.0, finished - started))
    yield Metric("bulkreact_last_run_exit_code", "Its exit code.", _number(summary, "exit_code"))
    for status in (counts := _table(summary, "counts")):
        labels = {"status": status}
        yield Metric("bulkreact_last_run_rows", "Its rows, by how they ended.", _number(counts, status), labels)
    calls, pace = _table(summary, "calls"), _table(summary, "pace")
    yield Metric("bulkreact_last_run_calls", "Its calls.", _number(calls, "sent"))
    description = "Its calls that repeated an earlier one."
    yield Metric("bulkreact_last_run_repeated_calls", description, _number(calls, "retried"))
    yield Metric("bulkreact_last_run_throttled_calls", "Its calls that were answered 429.", _number(calls, "throttled"))
    description = "The pace that it achieved; 0 where there were too few calls to tell."
    yield Metric("bulkreact_last_run_calls_per_second", description, _number(pace, "achieved_per_minute") / 60)


def _previous_success(path: Path) -> float | None:
    """Return the last success recorded in the file: its run may have been removed since."""
    with suppress(OSError, ValueError):
        if match := _PREVIOUS_SUCCESS.search(path.read_text(encoding="utf-8")):
            return float(match[1])
    return None


def read_summary(path: Path) -> dict[str, object]:
    """Return a run's summary, empty if it cannot be read."""
    with suppress(OSError, ValueError):
        content = json.loads(path.read_text(encoding="utf-8"))
        return content if isinstance(content, dict) else {}
    return {}


def _table(content: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = content.get(name)
    return value if isinstance(value, dict) else {}


def _number(content: Mapping[str, object], name: str) -> float:
    value = content.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def _timestamp(content: Mapping[str, object], name: str) -> float:
    time = parse_time(str(content.get(name)))
    return time.timestamp() if time else 0.0

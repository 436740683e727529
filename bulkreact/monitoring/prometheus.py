"""Figures for Prometheus, as the textfile collector of node_exporter reads them: what stands in the reports folder."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from bulkreact.atomic_write import replacing_bytes
from bulkreact.errors import EXIT_SUCCESS
from bulkreact.models import RunState
from bulkreact.sheets.output.results_csv import LATEST, SUMMARY

_LAST_SUCCESS = "bulkreact_last_success_timestamp_seconds"
_OLD_SUCCESS = re.compile(rf"^{_LAST_SUCCESS}(?:\{{.*\}})? (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Metric:
    """One number, with what tells it from others of its name."""

    name: str
    description: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The command that has just ended: what it was, its exit code, when, and whether it was for practice.

    ``refresh_token_ends`` is when the stored sign-in expires, None where there is none.
    """

    command: str
    exit_code: int
    ended_at: datetime
    simulated: bool
    refresh_token_ends: datetime | None = None


def write(path: Path, reports: Path, moment: CommandResult, more: tuple[Metric, ...] = ()) -> None:
    """Write the figures of a reports folder, whole or not at all; raises OSError when that is not possible."""
    import prometheus_client as prometheus  # noqa: PLC0415 - most commands write no metrics

    registry = prometheus.CollectorRegistry()
    gauges: dict[str, prometheus.Gauge] = {}
    # So that files of several reports folders can lie beside each other.
    place = {"reports": shown(reports)}
    for figure in (*_figures(reports, moment, before=_earlier(path)), *more):
        labels = {**place, **figure.labels}
        if figure.name not in gauges:
            gauges[figure.name] = prometheus.Gauge(figure.name, figure.description, list(labels), registry=registry)
        gauges[figure.name].labels(**labels).set(figure.value)
    with replacing_bytes(path, private=False) as file:
        file.write(prometheus.generate_latest(registry))


def shown(folder: Path) -> str:
    """Return a folder as a label; bytes of its name that are no text are replaced."""
    return os.fsencode(folder.resolve()).decode("utf-8", "replace")


def _figures(reports: Path, moment: CommandResult, *, before: float | None) -> Iterator[Metric]:
    name = {"command": moment.command}
    at = moment.ended_at.timestamp()
    yield Metric("bulkreact_last_command_timestamp_seconds", "When a command last ended.", at, name)
    yield Metric("bulkreact_last_command_exit_code", "The exit code of that command.", moment.exit_code, name)
    if ends := moment.refresh_token_ends:
        words = "When the refresh token of the sign-in expires, unless it is used before."
        yield Metric("bulkreact_refresh_token_expiry_timestamp_seconds", words, ends.timestamp())
        words = "How long the refresh token had left when the last command ended; 86400 is a day."
        yield Metric("bulkreact_refresh_token_remaining_seconds", words, ends.timestamp() - at)
    summaries = [found for file in reports.glob(f"[!.]*/{SUMMARY}") if (found := _read(file))]
    states = Counter(str(one.get("state")) for one in summaries)
    for state in RunState:
        yield Metric(
            "bulkreact_runs", "Runs in the reports folder, by how they ended.", states[state], {"state": state}
        )
    good = [_seconds(one, "finished_at") for one in summaries if _is_success(one, simulated=moment.simulated)]
    if successes := [*good, *([before] if before else [])]:
        yield Metric(_LAST_SUCCESS, "When a run last ended with exit code 0.", max(successes))
    if newest := _read(reports / LATEST):
        yield from _newest(newest)


def _newest(summary: Mapping[str, object]) -> Iterator[Metric]:
    began, ended = _seconds(summary, "started_at"), _seconds(summary, "finished_at")
    yield Metric("bulkreact_last_run_timestamp_seconds", "When the newest run ended.", ended)
    yield Metric("bulkreact_last_run_duration_seconds", "From its beginning to its end.", ended - began)
    yield Metric("bulkreact_last_run_exit_code", "Its exit code.", _number(summary, "exit_code"))
    counts = summary.get("counts")
    for status, rows in counts.items() if isinstance(counts, dict) else ():
        yield Metric("bulkreact_last_run_rows", "Its rows, by how they ended.", float(rows), {"status": str(status)})
    calls, pace = _table(summary, "calls"), _table(summary, "pace")
    yield Metric("bulkreact_last_run_calls", "Its calls.", _number(calls, "sent"))
    yield Metric(
        "bulkreact_last_run_repeated_calls", "Its calls that repeated an earlier one.", _number(calls, "retried")
    )
    yield Metric("bulkreact_last_run_throttled_calls", "Its calls that were answered 429.", _number(calls, "throttled"))
    words = "The pace that it achieved; 0 where there were too few calls to tell."
    yield Metric("bulkreact_last_run_calls_per_second", words, _number(pace, "achieved_per_minute") / 60)


def _is_success(summary: Mapping[str, object], *, simulated: bool) -> bool:
    """Tell whether a run ended well; one for practice says nothing of those in earnest."""
    return summary.get("exit_code") == EXIT_SUCCESS and _table(summary, "target").get("simulated") is simulated


def _earlier(path: Path) -> float | None:
    """Return the last success that the file knows, also of a run that has been removed since."""
    with suppress(OSError, ValueError):
        if found := _OLD_SUCCESS.search(path.read_text(encoding="utf-8")):
            return float(found[1])
    return None


def _read(path: Path) -> dict[str, object] | None:
    with suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else None
    return None


def _table(content: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = content.get(name)
    return found if isinstance(found, dict) else {}


def _number(content: Mapping[str, object], name: str) -> float:
    found = content.get(name)
    return float(found) if isinstance(found, int | float) else 0.0


def _seconds(content: Mapping[str, object], name: str) -> float:
    with suppress(ValueError):
        return datetime.fromisoformat(str(content.get(name))).timestamp()
    return 0.0

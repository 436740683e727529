"""What a command tells those who watch from afar: metrics, a dead-man's switch, a hook; none of it changes its end."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import click

from bulkreact import __version__
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.cli import credentials
from bulkreact.cli.output.json_log import warn
from bulkreact.errors import BulkreactError, InputRefusedError
from bulkreact.models import ResultRow
from bulkreact.monitoring import prometheus, webhooks
from bulkreact.monitoring.prometheus import Metric
from bulkreact.monitoring.webhooks import Notification, NotifyTargets
from bulkreact.partnercenter.auth.access import refresh_token_expires_at
from bulkreact.runs.result_files import WrittenResults
from bulkreact.runs.state_dir import state_folder

_ROWS_TOLD = 1000
_WORDS_TOLD = 1000


@dataclass(frozen=True, slots=True)
class CommandEnd:
    """What has ended: a command's exit code, its words where it was an error, and the runs that it made.

    ``content`` is what else there is to say; without it and without a run, a good end is not posted. ``told`` says that
    everybody knows already, ``old`` that the hook does: it was posted when it was new.
    """

    exit_code: int
    message: str = ""
    finished: Sequence[WrittenResults] = ()
    content: Mapping[str, object] = field(default_factory=dict)
    figures: tuple[Metric, ...] = ()
    already_reported: bool = False
    unchanged: bool = False


class Monitors:
    """Those whom the options of a command name."""

    def __init__(self, ctx: click.Context) -> None:
        given = ctx.params
        self._ctx = ctx
        self._command = str(ctx.info_name)
        self._metrics: Path | None = given["metrics"]
        self._hooks = NotifyTargets(given["ping"], given["notify_url"], teams=given["notify_format"] == webhooks.TEAMS)
        self._all_rows = bool(given["notify_rows"])

    def check(self) -> None:
        """Make sure that there is a place for the metrics; InputRefusedError when there is none."""
        if self._metrics and not self._metrics.absolute().parent.is_dir():
            raise InputRefusedError(f"--metrics {self._metrics}: there is no folder {self._metrics.parent}.")

    def notify_start(self) -> None:
        """Tell that work begins."""
        with never_raising():
            webhooks.notify_start(self._hooks, warn)

    def notify_end(self, occasion: CommandEnd) -> None:
        """Tell how it ended."""
        if self._metrics:
            with never_raising():
                self._write(self._metrics, occasion)
        if self._hooks == NotifyTargets() or occasion.already_reported:
            return
        with never_raising():
            summaries = [(one, _summary(one)) for one in occasion.finished]
            line = _line(self._command, occasion, [summary for _, summary in summaries])
            content = None if occasion.unchanged else self._content(occasion, summaries)
            webhooks.notify_end(self._hooks, Notification(occasion.exit_code, line, content), warn)

    def _content(
        self, occasion: CommandEnd, summaries: list[tuple[WrittenResults, dict[str, object]]]
    ) -> Mapping[str, object] | None:
        told = [{**summary, **self._rows(one)} for one, summary in summaries]
        frame = {"version": __version__, "command": self._command, "exit_code": occasion.exit_code}
        reason = {"reason": occasion.message[:_WORDS_TOLD]} if occasion.message else {}
        if occasion.content:
            return {**frame, **reason, **occasion.content, "runs": told}
        if told:
            return {**told[-1], "exit_code": occasion.exit_code, **reason}
        return {**frame, **reason} if occasion.exit_code else None

    def _rows(self, finished: WrittenResults) -> dict[str, object]:
        """Return the rows of a run that did not end well, all of them if that is asked for, as far as they fit."""
        with JournalReader(finished.run_folder) as journal:
            both = zip(journal.result_rows(), journal.row_ids(), strict=True)
            chosen = (_told(row, ids) for row, ids in both if self._all_rows or row.needs_attention)
            return {"rows" if self._all_rows else "failed_rows": list(islice(chosen, _ROWS_TOLD))}

    def _write(self, path: Path, occasion: CommandEnd) -> None:
        moment = prometheus.CommandResult(
            self._command,
            occasion.exit_code,
            datetime.now(UTC),
            simulated=bool(self._ctx.params.get("simulate")),
            refresh_token_ends=self._refresh_token_ends(),
        )
        try:
            prometheus.write(path, self._ctx.params["reports"], moment, occasion.figures)
        except OSError as error:
            warn(f"--metrics {path} could not be written: {error.strerror}. The run is not concerned.")

    def _refresh_token_ends(self) -> datetime | None:
        access = credentials.authorized(self._ctx)
        with suppress(BulkreactError):
            return refresh_token_expires_at(access.source, state_folder()) if access else None
        return None


@contextmanager
def never_raising() -> Iterator[None]:
    """Turn whatever goes wrong into a warning: the work is done, and its end stands."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - not even a bug in telling may change what is told
        warn(f"The monitors could not be told: {type(error).__name__}. The run is not concerned.")


def _told(row: ResultRow, ids: Sequence[str | None]) -> dict[str, object]:
    call = row.outcome.call
    names = ("customer_id", "subscription_id", "entitlement_id")
    return {
        "row": row.number,
        "status": row.outcome.status.value,
        "http_status": call.answer.http_status if call else None,
        "error_code": row.outcome.code,
        **dict(zip(names, ids, strict=True)),
        "request_id": call.request_id if call else row.request_id,
        "correlation_id": call.correlation_id if call else "",
    }


def _summary(finished: WrittenResults) -> dict[str, object]:
    with suppress(OSError, ValueError):
        found = json.loads(Path(finished.files["summary"]).read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    return {}


def _line(command: str, occasion: CommandEnd, summaries: Sequence[Mapping[str, object]]) -> str:
    """Return the summary line: no ids of rows, whatever happened to them."""
    parts = [f"bulkreact {command}: exit code {occasion.exit_code}"]
    for summary in summaries:
        counts, source = summary.get("counts"), summary.get("input")
        numbers = counts.items() if isinstance(counts, dict) else ()
        ended = ", ".join(f"{status} {rows:,}" for status, rows in numbers if rows) or "no rows"
        name = source.get("name") if isinstance(source, dict) else ""
        parts.append(f"{name}: {summary.get('state')}, {ended} (run {summary.get('run_id')})")
    if occasion.message:
        parts.append(" ".join(occasion.message.split())[:_WORDS_TOLD])
    return "; ".join(parts)

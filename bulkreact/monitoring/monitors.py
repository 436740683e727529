"""Reports the end of a command to monitors: metrics, a dead-man's switch and a webhook; a failure here is a warning."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import Enum, auto
from pathlib import Path
from traceback import extract_tb

from msgspec import Struct, field

from bulkreact import __version__
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.batch.journal.row_pages import PageRow, RowFilter
from bulkreact.errors import EXIT_SUCCESS
from bulkreact.monitoring import prometheus, webhooks
from bulkreact.monitoring.prometheus import CommandResult, Metric
from bulkreact.monitoring.webhooks import Notification, NotifyTargets
from bulkreact.runs.customer_names import name_column
from bulkreact.runs.output_kinds import OutputKind
from bulkreact.runs.output_paths import OutputPath, check_again
from bulkreact.runs.partner_connection import RunAsync
from bulkreact.runs.result_files import WrittenResults
from bulkreact.sheets.customer_names import format_customer_name
from bulkreact.wording import describe_error

_MAX_ROWS = 1000
_MAX_MESSAGE = 1000


class ReportState(Enum):
    """What monitors already know of a command's end.

    ``UNCHANGED``: skip the webhook, it got the same report last time. ``ALREADY_REPORTED``: send nothing.
    """

    NEW = auto()
    UNCHANGED = auto()
    ALREADY_REPORTED = auto()


class CommandEnd(Struct, frozen=True):
    """How a command ended; without ``runs`` and ``content``, a success is not posted to the webhook.

    ``problems`` are sentences about files without a run; ``message`` has them as well.
    """

    exit_code: int
    message: str = ""
    runs: Sequence[WrittenResults] = ()
    content: Mapping[str, object] = field(default_factory=dict)
    metrics: tuple[Metric, ...] = ()
    problems: Sequence[str] = ()
    report_state: ReportState = ReportState.NEW


class Notifier(Struct, frozen=True):
    """Notifies the monitors of a command's options.

    ``refresh_token_expiry`` is called at the end of the command: only then are the credentials known.
    """

    command: str
    reports: Path
    metrics: Path | None
    targets: NotifyTargets
    all_rows: bool
    simulated: bool
    refresh_token_expiry: Callable[[], datetime | None]
    now: Callable[[], datetime]
    warn: Callable[[str], None]
    run_async: RunAsync

    def notify_start(self) -> None:
        """Report that the command starts."""
        if self.targets != NotifyTargets():
            with self._never_raising():
                for warning in self.run_async(webhooks.notify_start(self.targets)):
                    self.warn(warning)

    def notify_end(self, end: CommandEnd) -> None:
        """Report how the command ended."""
        if end.report_state is ReportState.ALREADY_REPORTED:
            return
        if self.metrics:
            with self._never_raising():
                self._write(self.metrics, end)
        if self.targets != NotifyTargets():
            with self._never_raising():
                summaries = [prometheus.read_summary(Path(run.files["summary"])) for run in end.runs]
                content = None if end.report_state is ReportState.UNCHANGED else self._content(end, summaries)
                headline = f"bulkreact {self.command}: exit code {end.exit_code}"
                notification = Notification(end.exit_code, headline, _sentences(end, summaries), content)
                for warning in self.run_async(webhooks.notify_end(self.targets, notification)):
                    self.warn(warning)

    def _content(self, end: CommandEnd, summaries: Sequence[Mapping[str, object]]) -> Mapping[str, object] | None:
        runs = [{**summary, **self._rows(run)} for summary, run in zip(summaries, end.runs, strict=True)]
        reason = {"reason": end.message[:_MAX_MESSAGE]} if end.message else {}
        if runs and not end.content:
            return {**runs[-1], "exit_code": end.exit_code, **reason}
        if not end.content and not end.exit_code:
            return None
        content = {"version": __version__, "command": self.command, "exit_code": end.exit_code, **reason, **end.content}
        return {**content, "runs": runs} if end.content else content

    def _rows(self, run: WrittenResults) -> dict[str, object]:
        """Return the rows that need attention, or all if requested, up to the maximum."""
        with JournalReader(run.run_folder) as journal:
            column = name_column(journal.metadata)
            rows = journal.result_page(RowFilter(well=None if self.all_rows else False), after=0, limit=_MAX_ROWS)
            return {"rows" if self.all_rows else "failed_rows": [_row_to_dict(row, column) for row in rows]}

    def _write(self, path: Path, end: CommandEnd) -> None:
        folders = frozenset(run.run_folder for run in end.runs)
        result = CommandResult(
            self.command, end.exit_code, self.now(), self.simulated, self.refresh_token_expiry(), folders
        )
        try:
            check_again(OutputPath("--metrics", path, OutputKind.METRICS))
            prometheus.write(path, self.reports, result, end.metrics)
        except OSError as error:
            reason = describe_error(error)
            self.warn(f"--metrics {path} could not be written: {reason}. The run is not affected.")

    @contextmanager
    def _never_raising(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - not even a bug in a notification may change how the command ends
            frame = extract_tb(error.__traceback__)[-1]
            self.warn(
                f"The monitors could not be notified: {type(error).__name__} in {Path(frame.filename).name}, line "
                f"{frame.lineno}. The run is not affected."
            )


def _row_to_dict(page_row: PageRow, name_index: int | None) -> dict[str, object]:
    row, call = page_row.result, page_row.result.outcome.call
    ids = (page_row.customer_id, page_row.subscription_id, page_row.entitlement_id)
    names = ("customer_id", "subscription_id", "entitlement_id")
    customer_name = "" if name_index is None else format_customer_name(row.cells[name_index])
    return {
        "row": row.number,
        "status": row.outcome.status.value,
        "http_status": call.answer.http_status if call else None,
        "error_code": row.outcome.code,
        # An invalid row has none.
        **(dict(zip(names, ids, strict=True)) if any(ids) else dict.fromkeys(names)),
        **({"customer_name": customer_name} if customer_name else {}),
        "request_id": call.request_id if call else row.request_id,
        "correlation_id": call.correlation_id if call else "",
    }


def _sentences(end: CommandEnd, summaries: Sequence[Mapping[str, object]]) -> list[str]:
    """Return a sentence for each file and run, without row ids; those that need attention first."""
    # What a sweep says of all its files, each of them has for itself.
    message = [" ".join(end.message.split())[:_MAX_MESSAGE]] if end.message and not end.content else []
    runs = sorted(summaries, key=lambda summary: summary.get("exit_code") == EXIT_SUCCESS)
    return [*end.problems, *map(_describe_run, runs), *message]


def _describe_run(summary: Mapping[str, object]) -> str:
    counts, source = summary.get("counts"), summary.get("input")
    numbers = counts.items() if isinstance(counts, dict) else ()
    rows = ", ".join(f"{status} {number:,}" for status, number in numbers if number) or "no rows"
    name = source.get("name") if isinstance(source, dict) else ""
    return f"{name}: {summary.get('state')}, {rows} (run {summary.get('run_id')})"

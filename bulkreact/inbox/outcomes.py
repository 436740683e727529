"""What a sweep did with each file, for text output, webhooks and metrics."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from bulkreact.errors import AlreadyRunningError, is_fatal
from bulkreact.monitoring.prometheus import Metric, folder_label
from bulkreact.runs.result_files import WrittenResults
from bulkreact.timestamps import iso_milliseconds
from bulkreact.wording import printable

_UNITS = ((86_400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))


class FileOutcome(StrEnum):
    """What a sweep did with a file.

    ``WAITING``: it stays in the inbox, for another sweep or for the user. ``INACTIVE`` is about the inbox: no new
    file for too long.
    """

    RUN = "run"
    COPY = "copy"
    REFUSED = "refused"
    WAITING = "waiting"
    INACTIVE = "silent"


@dataclass(frozen=True, slots=True)
class FileResult:
    """One file and what the sweep did with it; the name is empty for the inbox itself.

    The message is for everybody: it quotes nothing of a file that has not passed as a table.
    """

    name: str
    outcome: FileOutcome
    exit_code: int
    run_id: str = ""
    message: str = ""
    written: WrittenResults | None = field(default=None, compare=False)

    def to_dict(self) -> dict[str, object]:
        """Return it for webhooks."""
        return {
            "name": self.name,
            "outcome": self.outcome.value,
            "exit_code": self.exit_code,
            "run_id": self.run_id,
            "words": self.message,
        }

    @property
    def line(self) -> str:
        """Return it as one line of text."""
        return ": ".join(part for part in (printable(self.name), self.message or f"exit code {self.exit_code}") if part)


def ends_watch(result: FileResult) -> bool:
    """Return whether the result of a file is fatal for all others: not if it was put aside."""
    return result.outcome is not FileOutcome.REFUSED and is_fatal(result.exit_code)


def ends_sweep(result: FileResult) -> bool:
    """Return whether a result ends the sweep: it is fatal, or another run has the partner's lock."""
    return ends_watch(result) or result.exit_code == AlreadyRunningError.exit_code


def inactivity_message(last_activity: datetime, now: datetime, allowed: float | None) -> str:
    """Return a message if the last new file is older than ``allowed`` seconds, else an empty text."""
    seconds = (now - last_activity).total_seconds()
    if allowed is None or seconds <= allowed:
        return ""
    return (
        f"no new file since {iso_milliseconds(last_activity)} ({_duration(seconds)} ago; limit: {_duration(allowed)})"
    )


def _duration(seconds: float) -> str:
    size, unit = next((unit for unit in _UNITS if seconds >= unit[0]), _UNITS[-1])
    return f"{round(seconds / size, 1):g} {unit}"


def sweep_metrics(
    inbox: Path, results: Sequence[FileResult], *, now: datetime, last_activity: datetime
) -> tuple[Metric, ...]:
    """Return the metrics of one pass over an inbox."""
    counts = Counter(result.outcome for result in results)
    labels = {"inbox": folder_label(inbox)}
    activity = "When there was last something new in the inbox, or its ledger was begun."
    files = "What became of its files."
    return (
        Metric("bulkreact_last_sweep_timestamp_seconds", "When the inbox was last swept.", now.timestamp(), labels),
        Metric("bulkreact_inbox_news_timestamp_seconds", activity, last_activity.timestamp(), labels),
        *(
            Metric("bulkreact_last_sweep_files", files, counts[outcome], labels | {"outcome": outcome.value})
            for outcome in FileOutcome
        ),
    )

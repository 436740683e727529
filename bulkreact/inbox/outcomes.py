"""What a sweep has made of its files, and what all of that comes to; it does nothing itself."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from bulkreact.errors import (
    EXIT_INTERRUPTED,
    EXIT_SOME_FAILED,
    EXIT_SUCCESS,
    EXIT_TERMINATED,
    AlreadyRunningError,
    BulkreactError,
    CredentialsRefusedError,
    HaltedError,
    InputRefusedError,
    ResultsNotWrittenError,
)
from bulkreact.monitoring.prometheus import Metric, shown

# The gravest first.
SEVERITY = (
    EXIT_TERMINATED,
    EXIT_INTERRUPTED,
    BulkreactError.exit_code,
    ResultsNotWrittenError.exit_code,
    CredentialsRefusedError.exit_code,
    HaltedError.exit_code,
    AlreadyRunningError.exit_code,
    InputRefusedError.exit_code,
    EXIT_SOME_FAILED,
    EXIT_SUCCESS,
)
_FATAL = frozenset(SEVERITY[:5])


class FileOutcome(StrEnum):
    """What became of a file: ``waiting`` is one that stays, for another sweep or for somebody who must look.

    ``silent`` stands for an inbox, and no file.
    """

    RUN = "run"
    COPY = "copy"
    REFUSED = "refused"
    WAITING = "waiting"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class FileResult:
    """One file and what became of it; no name stands for the inbox."""

    name: str
    outcome: FileOutcome
    exit_code: int
    run_id: str = ""
    message: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return it as hooks get it."""
        return {
            "name": self.name,
            "outcome": self.outcome.value,
            "exit_code": self.exit_code,
            "run_id": self.run_id,
            "words": self.message,
        }

    @property
    def line(self) -> str:
        """Return it on one line, for people."""
        return ": ".join(part for part in (self.name, self.message or f"exit code {self.exit_code}") if part)


def most_severe(codes: Iterable[int]) -> int:
    """Return the gravest of exit codes."""
    return min((code for code in codes), key=SEVERITY.index, default=EXIT_SUCCESS)


def is_fatal(code: int) -> bool:
    """Tell whether an exit code ends a whole sweep."""
    return code in _FATAL


def is_final(code: int) -> bool:
    """Tell whether after an exit code no more files are handled at present: whoever has the partner keeps it."""
    return is_fatal(code) or code == AlreadyRunningError.exit_code


def content_of(inbox: Path, handled: Iterable[FileResult]) -> dict[str, object]:
    """Return what a sweep has done, for programs; empty when that was nothing."""
    files = [result.to_dict() for result in handled]
    return {"inbox": str(inbox.resolve()), "files": files} if files else {}


def figures_of(inbox: Path, handled: Iterable[FileResult], *, at: datetime, news: datetime) -> tuple[Metric, ...]:
    """Return the figures of a sweep; ``news`` is when something new came last."""
    numbers = Counter(one.outcome for one in handled)
    place = {"inbox": shown(inbox)}
    words = "When there was last something new in the inbox, or its ledger was begun."
    return (
        Metric("bulkreact_last_sweep_timestamp_seconds", "When the inbox was last swept.", at.timestamp(), place),
        Metric("bulkreact_inbox_news_timestamp_seconds", words, news.timestamp(), place),
        *(
            Metric(
                "bulkreact_last_sweep_files", "What became of its files.", numbers[one], {**place, "outcome": one.value}
            )
            for one in FileOutcome
        ),
    )

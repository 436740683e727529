"""The interface through which runs report: to a terminal, a JSON log or a web page."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from bulkreact.batch.environment import OutageRecord, Phase, StopReason
from bulkreact.models import Outcome
from bulkreact.runs.result_files import WrittenResults

if TYPE_CHECKING:
    # The table readers take long to import, and few commands need them.
    from bulkreact.sheets.input.input_file import InputFile


class Reporter(Protocol):
    """Reports the progress and the end of runs, without influence on them."""

    def failure(self) -> str:
        """Return why reports could not be written, empty if all could."""
        ...

    def started(self, run_id: str) -> None:
        """Report that work on a run starts; later reports belong to it, until ``finished``."""
        ...

    def info(self, message: str) -> None:
        """Report a message, unless quiet or empty."""
        ...

    def warning(self, message: str) -> None:
        """Report a problem besides the work itself, even when quiet."""
        ...

    def error(self, message: str) -> None:
        """Report why a file or an inbox needs attention, even when quiet."""
        ...

    def problems(self, input_file: "InputFile") -> None:
        """Report the rows of an input that are invalid."""
        ...

    def row_settled(self, number: int, outcome: Outcome) -> None:
        """Report a row that was settled by a call."""
        ...

    def outage(self, outage: OutageRecord) -> None:
        """Report that the service is down, that a probe was in vain, or that the outage is over."""
        ...

    def phase(self, phase: Phase) -> AbstractContextManager[None]:
        """Show the progress of a phase within the context."""
        ...

    def finished(self, results: WrittenResults, stop_reason: StopReason) -> None:
        """Report how a run ended, what to do next, and where its files are."""
        ...

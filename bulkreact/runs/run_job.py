"""What one command does with a run whose journal exists."""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from bulkreact.batch.journal.metadata import VERIFY
from bulkreact.runs import store
from bulkreact.runs.output_options import Output
from bulkreact.runs.partner_connection import PartnerConnection
from bulkreact.runs.result_files import WrittenResults
from bulkreact.runs.run_record import Run


class RunJob(Struct, frozen=True):
    """What one command does with a run; ``notify`` is called when its files are written, before its end is recorded.

    ``is_new``: this process has just made its journal, which needs no check. ``seen`` is the run as it was when its rows
    were counted and confirmed. ``lifts_limit``: the rows that --limit left out are sent too.
    """

    folder: Path
    command: str
    connection: PartnerConnection
    output: Output
    notify: Callable[[WrittenResults], None] = lambda _: None
    is_new: bool = False
    seen: Run | None = None
    lifts_limit: bool = False

    @property
    def sends_rows(self) -> bool:
        """Return whether rows are sent, not only watched."""
        return self.command != VERIFY

    @property
    def resume_command(self) -> str:
        """Return the command that continues this work."""
        if not self.sends_rows:
            return f"bulkreact verify {self.run_name}"
        return f"bulkreact resume {self.run_name}{' --verify' if self.connection.limits.verify else ''}"

    @property
    def send_command(self) -> str:
        """Return the command that continues the sending of the run; verifying does not change that."""
        return self.resume_command if self.sends_rows else f"bulkreact resume {self.run_name}"

    @property
    def run_name(self) -> str:
        """Return the run's name on the command line, with the options for the same credentials."""
        return store.run_arguments(self.folder, self.output.reports, self.connection.access.options)

    @property
    def configured_per_minute(self) -> float | None:
        """Return the ceiling as shown in the summary."""
        rate = self.connection.limits.calls_per_second
        return None if rate is None else round(rate * 60, 3)

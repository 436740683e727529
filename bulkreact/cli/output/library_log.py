"""Shows what libraries log: errors as warnings of ours, and nothing of what concerns developers only."""

import logging

from bulkreact.cli.invocation import Invocation
from bulkreact.cli.output import json_log
from bulkreact.wording import printable


class LibraryLog(logging.Handler):
    """Writes a record as a warning on one line, without its stack, in the format of an invocation's log."""

    def __init__(self, invocation: Invocation) -> None:
        super().__init__(logging.ERROR)
        self._invocation = invocation

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; it may come from a thread that does not know the invocation."""
        error = record.exc_info[1] if record.exc_info else None
        cause = f" ({type(error).__name__}: {error})" if error else ""
        message = self._invocation.redactor.redact(f"{record.name}: {record.getMessage()}{cause}")
        json_log.warn(self._invocation.log_format, printable(message))


def show_library_log(invocation: Invocation) -> None:
    """Show the errors that libraries log without a handler of their own; Python's warnings are left out."""
    logging.lastResort = LibraryLog(invocation)
    logging.captureWarnings(capture=True)

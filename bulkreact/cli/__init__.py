"""The command line: the only room where all the others meet, and where errors become exit codes."""

import gc
import signal
import sys
from types import FrameType

from bulkreact.early_signals import early_signals
from bulkreact.errors import EXIT_INTERRUPTED, EXIT_TERMINATED


def main() -> None:
    """Run the program and exit with the code that the documentation's table gives."""
    # Until a run has begun a signal simply ends the program, with what was being prepared cleared away; that holds
    # already while the program is being loaded.
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        from bulkreact.cli.app import exit_code  # noqa: PLC0415 - see above
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    # Calls leave hardly any cycles behind: so many new objects are a few MiB.
    gc.set_threshold(20_000)
    code = exit_code()
    for number in (signal.SIGINT, signal.SIGTERM):
        # All is done: a signal that comes now must not change the code.
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)


# Both are raised as instances: compiled code that is interrupted stumbles over what sys.exit and Python's own handler
# for SIGINT leave behind, and turns it into an error of its own.
def _interrupt(number: int, _frame: FrameType | None) -> None:
    early_signals.append(number)
    raise KeyboardInterrupt


def _terminate(number: int, _frame: FrameType | None) -> None:
    early_signals.append(number)
    raise SystemExit(EXIT_TERMINATED)

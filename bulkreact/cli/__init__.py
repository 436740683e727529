"""The command line: options, output and confirmation of every command, and errors as exit codes."""

import gc
import signal
import sys
from types import FrameType

from bulkreact.errors import EXIT_INTERRUPTED, EXIT_TERMINATED

# Calls create hardly any reference cycles: this many new objects are a few MiB.
_GC_THRESHOLD = 20_000


def main(signals: list[int] | None = None) -> None:
    """Run the program and exit with the documented code.

    Every signal is appended to ``signals``: an exception that is raised while a module loads may be lost.
    """
    received = [] if signals is None else signals
    # Modules are no garbage; the collector starts again when the command is loaded.
    gc.disable()

    # Until a run begins a signal ends the program at once, even while modules load, and temporary files are removed.
    # Both raise instances: interrupted compiled code turns what sys.exit and Python's own handler for SIGINT raise
    # into a different error.
    def interrupt(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt

    def terminate(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        raise SystemExit(EXIT_TERMINATED)

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, terminate)
    try:
        from bulkreact.cli.output.streams import install_streams  # noqa: PLC0415 - see above

        install_streams()
        from bulkreact.cli.app import exit_code  # noqa: PLC0415 - see above
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    gc.set_threshold(_GC_THRESHOLD)
    code = exit_code(received)
    for number in (signal.SIGINT, signal.SIGTERM):
        # The work is done: a signal that comes now must not change the code.
        signal.signal(number, signal.SIG_IGN)
    # The collection at exit would look through everything that was imported, for a quarter of a second.
    gc.freeze()
    sys.exit(code)

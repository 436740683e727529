"""Measures how soon the first call arrives when a long run with few rows left is resumed."""

import shutil
import sys
import time
from collections.abc import Iterator

from bulkreact.batch.journal.fingerprint import FINGERPRINT_NAME

from .inputs import write_input
from .servers import Limit, limiting_server
from .table import Row, Threshold
from .workspace import Workspace

_ROWS = 1_000_000
_LEFT = 1000


def measure(workspace: Workspace) -> Iterator[Row]:
    """Yield the seconds to the first call, and those to the end of the process, after a process that ended and one that was killed."""
    rows = workspace.rows(_ROWS)
    left = min(_LEFT, rows // 2)
    name, against = f"resume of {rows:,} rows", f"{left:,} left"
    ended = [_resume(workspace, rows, left) for _ in range(workspace.repetitions)]
    killed = [_resume(workspace, rows, left, killed=True) for _ in range(workspace.repetitions)]
    yield Row(f"{name}: first call", against, tuple(first for first, _ in ended), Threshold(most=1), unit="s")
    yield Row(f"{name}: all done", against, tuple(end for _, end in ended), unit="s")
    yield Row(f"{name} after a kill: first call", against, tuple(first for first, _ in killed), unit="s")


def _resume(workspace: Workspace, rows: int, left: int, *, killed: bool = False) -> tuple[float, float]:
    """Return the seconds to the first call and to the end."""
    reports = workspace.folder / "reports"
    with limiting_server(workspace, Limit()) as server:
        source = write_input(workspace, rows)
        workspace.program("journals", "finished", source, reports / "long-run", server.base_url, left)
        if killed:
            (reports / "long-run" / FINGERPRINT_NAME).unlink(missing_ok=True)
        began = time.time()
        command = [sys.executable, "-m", "bulkreact", "resume", "long-run", "-q", "--yes", "--rate", "off"]
        end = workspace.time_command([*command, "--reports", reports]).seconds
        first = server.arrivals()[0].at - began
    shutil.rmtree(reports)
    return first, end

"""Measures how soon the first call arrives when a long run with few rows left is resumed."""

import shutil
import sys
import time
from collections.abc import Iterator

from .inputs import write_input
from .servers import Limit, limiting_server
from .table import Row, Threshold
from .workspace import Workspace

_ROWS = 1_000_000
_LEFT = 1000


def measure(workspace: Workspace) -> Iterator[Row]:
    """Yield the seconds to the first call, and those to the end of the process."""
    rows, reports = workspace.rows(_ROWS), workspace.folder / "reports"
    left = min(_LEFT, rows // 2)
    firsts, ends = [], []
    for _ in range(workspace.repetitions):
        shutil.rmtree(reports, ignore_errors=True)
        with limiting_server(workspace, Limit()) as server:
            workspace.program(
                "journals", "finished", write_input(workspace, rows), reports / "long-run", server.base_url, left
            )
            began = time.time()
            command = [sys.executable, "-m", "bulkreact", "resume", "long-run", "-q", "--yes", "--rate", "off"]
            ends.append(workspace.time_command([*command, "--reports", reports]).seconds)
            firsts.append(server.arrivals()[0].at - began)
    shutil.rmtree(reports)
    name = f"resume of {rows:,} rows"
    yield Row(f"{name}: first call", f"{left:,} left", tuple(firsts), Threshold(most=1), unit="s")
    yield Row(f"{name}: all done", f"{left:,} left", tuple(ends), unit="s")

"""Continuing a long run of which little is left: how soon the first call arrives after the command was given."""

import shutil
import sys
import time
from collections.abc import Iterator

from .inputs import written
from .servers import Limit, limiting_server
from .table import Row, Threshold
from .workplace import Workplace

_ROWS = 1_000_000
_LEFT = 1000


def measure(place: Workplace) -> Iterator[Row]:
    """Yield the seconds to the first call, and those to the end of the process."""
    rows, reports = place.rows(_ROWS), place.folder / "reports"
    left = min(_LEFT, rows // 2)
    firsts, ends = [], []
    for _ in range(place.repetitions):
        shutil.rmtree(reports, ignore_errors=True)
        with limiting_server(place, Limit()) as server:
            place.program("journals", "made", written(place, rows), reports / "long-run", server.base_url, left)
            began = time.time()
            command = [sys.executable, "-m", "bulkreact", "resume", "long-run", "-q", "--yes", "--rate", "off"]
            ends.append(place.timed([*command, "--reports", reports]).seconds)
            firsts.append(server.arrivals()[0].at - began)
    shutil.rmtree(reports)
    name = f"resume of {rows:,} rows"
    yield Row(f"{name}: first call", f"{left:,} left", tuple(firsts), Threshold(most=3), unit="s")
    yield Row(f"{name}: all done", f"{left:,} left", tuple(ends), unit="s")

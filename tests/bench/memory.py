"""Measures the peak memory of a run of a million rows, against one of ten thousand."""

from collections.abc import Iterator

from .inputs import write_input
from .servers import fast_server
from .table import REPORTED, Row, Threshold
from .workspace import CONCURRENCY, Spent, Workspace

_ROWS = 1_000_000
_FEW = 10_000
_MIB = 1 << 20


def measure(workspace: Workspace) -> Iterator[Row]:
    """Yield how much more a long run takes, and how long it takes."""
    few, many = min(_FEW, workspace.rows(_ROWS)), workspace.rows(_ROWS)
    with fast_server(workspace) as base_url:
        usual, long = (_run(workspace, rows, base_url) for rows in (few, many))
    more = (long.peak - usual.peak) / _MIB
    detail = {"mib": [long.peak / _MIB], "other_mib": [usual.peak / _MIB]}
    yield Row(f"memory of {many:,} rows", f"{few:,} rows", (more,), Threshold(most=48), unit="MiB", detail=detail)
    for rows, spent in ((few, usual), (many, long)):
        yield Row(f"a run of {rows:,} rows", "-", (spent.seconds,), REPORTED, unit="s", detail={"cpu": [spent.cpu]})


def _run(workspace: Workspace, rows: int, base_url: str) -> Spent:
    return workspace.run(write_input(workspace, rows), base_url, "--rate", "off", "--concurrency", str(CONCURRENCY))

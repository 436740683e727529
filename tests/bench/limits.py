"""Measures how much of a server's unknown limit is used, and how many calls are turned away."""

from collections.abc import Iterator

from .inputs import write_input
from .servers import Arrival, Limit, limiting_server
from .table import Row, Threshold
from .workspace import Workspace

# Windows of seconds, calls in each, and how many of them the rows would fill: the published limit, and shorter ones.
_CASES = ((60.0, 500, 5.0), (10.0, 200, 9.0), (1.0, 20, 40.0))


def measure(workspace: Workspace) -> Iterator[Row]:
    """Yield both figures for every kind of limit; ``--rate`` is twice of it."""
    for window, calls, most in _CASES:
        seconds, windows = round(workspace.seconds(window)), max(2.0, most * workspace.scale)
        allowed = round(calls * seconds / window)
        for sliding in (False, True):
            name = f"{allowed} in {'any' if sliding else 'a fixed'} {seconds} s"
            limit = Limit(calls=allowed, window=seconds, sliding=sliding)
            arrivals = _arrivals(workspace, limit, round(allowed * windows))
            taken = arrivals[-1].at - arrivals[0].at
            ideal = windows * seconds
            refused = sum(arrival.status != 202 for arrival in arrivals) / len(arrivals)
            detail = {"calls": [float(len(arrivals))], "seconds": [taken]}
            yield Row("unknown limit: time / ideal", name, (taken / ideal,), Threshold(most=1.12), detail=detail)
            yield Row("unknown limit: turned away", name, (100 * refused,), Threshold(most=3), unit="%")


def _arrivals(workspace: Workspace, limit: Limit, rows: int) -> list[Arrival]:
    source = write_input(workspace, rows, customers=50)
    with limiting_server(workspace, limit) as server:
        workspace.run(source, server.base_url, "--rate", f"{2 * limit.calls / limit.window:g}/s")
        return server.arrivals()

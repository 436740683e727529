"""Measures how long the other customers take while one of twenty is throttled for a minute."""

from collections.abc import Iterator

from .inputs import customer, write_input
from .servers import Limit, limiting_server
from .table import Row, Threshold
from .workspace import Workspace, ratios

_CUSTOMERS = 20
_ROWS = 1600
_SECONDS = 60.0
_RATE = "20/s"


def measure(workspace: Workspace) -> Iterator[Row]:
    """Yield the time until all others are done."""
    ours = customer(0)
    storms, calms = [], []
    for _ in range(min(2, workspace.repetitions)):
        storms.append(_time_others(workspace, Limit(throttled=ours, throttled_seconds=workspace.seconds(_SECONDS))))
        calms.append(_time_others(workspace, Limit()))
    detail = {"seconds": storms, "other_seconds": calms}
    yield Row("others done", "no throttling", ratios(storms, calms), Threshold(most=1.05), detail=detail)


def _time_others(workspace: Workspace, limit: Limit) -> float:
    source = write_input(workspace, workspace.rows(_ROWS, least=_CUSTOMERS * 3), customers=_CUSTOMERS)
    with limiting_server(workspace, limit) as server:
        workspace.run(source, server.base_url, "--rate", _RATE)
        arrivals = server.arrivals()
    return max(arrival.at for arrival in arrivals if arrival.customer != customer(0)) - arrivals[0].at

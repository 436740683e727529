"""The pace: how much of the rate is used, and the most calls that come in any second, as a server sees it."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from .inputs import write_input
from .servers import Limit, limiting_server
from .table import Row, Threshold
from .workspace import CONCURRENCY, FailedError, Workspace

_RATES = {"300/min": 5.0, "20/s": 20.0, "200/s": 200.0, "1000/s": 1000.0}
_SECONDS = 30.0


def measure(workspace: Workspace) -> Iterator[Row]:
    """Yield both figures of every rate."""
    for name, rate in _RATES.items():
        moments = _moments(workspace, name, rate)
        steady = [time for time in moments if time >= moments[0] + 1]
        achieved = (len(steady) - 1) / (steady[-1] - steady[0])
        yield Row("pace achieved", name, (achieved / rate,), Threshold(least=0.985, most=1.005))
        most = float(_most_in_any_second(moments))
        yield Row("calls in any second", name, (most,), Threshold(most=rate * 1.05 + 1), unit="calls")


def _moments(workspace: Workspace, name: str, rate: float) -> list[float]:
    source = write_input(workspace, round(rate * (workspace.seconds(_SECONDS, least=1) + 1)) + 1)
    with limiting_server(workspace, Limit()) as server:
        workspace.run(source, server.base_url, "--rate", name, "--concurrency", str(CONCURRENCY))
        moments = [arrival.at for arrival in server.arrivals()]
    if any(later < earlier for earlier, later in pairwise(moments)):
        raise FailedError("the clock was put back meanwhile")
    return moments


def _most_in_any_second(moments: Sequence[float]) -> int:
    most = first = 0
    for last, time in enumerate(moments):
        while moments[first] <= time - 1:
            first += 1
        most = max(most, last - first + 1)
    return most

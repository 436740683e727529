"""One customer of twenty throttled for a minute: how long all others take, against nobody being throttled."""

from collections.abc import Iterator

from .inputs import customer, written
from .servers import Limit, limiting_server
from .table import Row, Threshold
from .workplace import Workplace, ratios

_CUSTOMERS = 20
_ROWS = 1600
_SECONDS = 60.0
_RATE = "20/s"


def measure(place: Workplace) -> Iterator[Row]:
    """Yield the time until all others are done."""
    ours = customer(0)
    storms, calms = [], []
    for _ in range(min(2, place.repetitions)):
        storms.append(_others_done(place, Limit(throttled=ours, throttled_seconds=place.seconds(_SECONDS))))
        calms.append(_others_done(place, Limit()))
    detail = {"seconds": storms, "other_seconds": calms}
    yield Row("others done", "nobody throttled", ratios(storms, calms), Threshold(most=1.05), detail=detail)


def _others_done(place: Workplace, limit: Limit) -> float:
    source = written(place, place.rows(_ROWS, least=_CUSTOMERS * 3), customers=_CUSTOMERS)
    with limiting_server(place, limit) as server:
        place.run(source, server.base_url, "--rate", _RATE)
        arrivals = server.arrivals()
    return max(one.at for one in arrivals if one.customer != customer(0)) - arrivals[0].at

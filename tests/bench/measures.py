"""The measures, by their names; each yields the rows of its table."""

from collections.abc import Callable, Iterable

from . import growth, limits, memory, pace, reading, resuming, starting, throttled, throughput, web, writing
from .table import Row
from .workspace import Workspace

Measure = Callable[[Workspace], Iterable[Row]]

MEASURES: dict[str, Measure] = {
    "throughput": throughput.measure,
    "pace": pace.measure,
    "limits": limits.measure,
    "throttled": throttled.measure,
    "memory": memory.measure,
    "reading": reading.measure,
    "writing": writing.measure,
    "resuming": resuming.measure,
    "growth": growth.measure,
    "starting": starting.measure,
    "web": web.measure,
}

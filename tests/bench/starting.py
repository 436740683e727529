"""What it costs to start: the help, and the smallest run that there is."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace

from .inputs import written
from .table import Row, Threshold
from .workplace import Spent, Workplace, ratios

_TURNS = 5


def measure(place: Workplace) -> Iterator[Row]:
    """Yield both, after a first turn that is not counted."""
    python = sys.executable
    sides = {
        "help": lambda: place.timed([python, "-m", "bulkreact", "--help"]),
        "click": lambda: place.timed([python, "-c", "import click"]),
        "run": lambda: _simulated(place),
    }
    spent = replace(place, repetitions=place.rows(_TURNS, least=1) * place.repetitions + 1).alternate(sides)
    seconds = {name: [one.seconds for one in all_of[1:]] for name, all_of in spent.items()}
    detail = {"seconds": seconds["help"], "other_seconds": seconds["click"]}
    limit = Threshold(most=2.5)
    yield Row("bulkreact --help", "import click", ratios(seconds["help"], seconds["click"]), limit, detail=detail)
    yield Row("10 simulated rows", "-", tuple(seconds["run"]), unit="s")


def _simulated(place: Workplace) -> Spent:
    reports = place.folder / "simulated"
    shutil.rmtree(reports, ignore_errors=True)
    source = written(place, 10)
    return place.timed(
        [sys.executable, "-m", "bulkreact", "run", source, "--simulate", "--rate", "off", "-q", "--reports", reports]
    )

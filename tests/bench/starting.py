"""What it costs to start: the help, and the smallest run that there is."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace

from .inputs import write_input
from .table import Row, Threshold
from .workspace import Spent, Workspace, ratios

_TURNS = 5


def measure(workspace: Workspace) -> Iterator[Row]:
    """Yield both, after a first turn that is not counted."""
    python = sys.executable
    sides = {
        "help": lambda: workspace.time_command([python, "-m", "bulkreact", "--help"]),
        "click": lambda: workspace.time_command([python, "-c", "import click"]),
        "run": lambda: _simulated(workspace),
    }
    spent = replace(workspace, repetitions=workspace.rows(_TURNS, least=1) * workspace.repetitions + 1).alternate(sides)
    seconds = {name: [run.seconds for run in runs[1:]] for name, runs in spent.items()}
    cpu = {name: [run.cpu for run in runs[1:]] for name, runs in spent.items()}
    for figures, title in ((seconds, "bulkreact --help"), (cpu, "bulkreact --help: CPU")):
        detail = {"seconds": figures["help"], "other_seconds": figures["click"]}
        against, limit = "import click", Threshold(most=1.5)
        yield Row(title, against, ratios(figures["help"], figures["click"]), limit, detail=detail)
    detail = {"cpu": cpu["run"]}
    yield Row("10 simulated rows", "-", tuple(seconds["run"]), Threshold(most=0.55), unit="s", detail=detail)


def _simulated(workspace: Workspace) -> Spent:
    reports = workspace.folder / "simulated"
    shutil.rmtree(reports, ignore_errors=True)
    source = write_input(workspace, 10)
    return workspace.time_command(
        [sys.executable, "-m", "bulkreact", "run", source, "--simulate", "--rate", "off", "-q", "--reports", reports]
    )

"""How the commands grow with the rows of a run and with the runs of a folder, in processor time."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.support.made_runs import make_runs

from .inputs import write_input
from .table import Row, Threshold
from .workspace import Workspace

_ROWS = (10_000, 100_000, 1_000_000)
_RUNS = (100, 1_000, 10_000)
# For ten times as much.
_TENFOLD = Threshold(most=11.5)
_Commands = Mapping[str, Sequence[str | Path]]


def measure(workspace: Workspace) -> Iterator[Row]:
    """Yield how many times as much each command takes for the largest size as for the one before."""
    yield from _compare("rows", [(size, dict(_of_rows(workspace, size))) for size in map(workspace.rows, _ROWS)])
    yield from _compare("runs", [(size, dict(_of_runs(workspace, size))) for size in map(workspace.rows, _RUNS)])


def _compare(unit: str, spent: Sequence[tuple[int, Mapping[str, float]]]) -> Iterator[Row]:
    sizes = [size for size, _ in spent]
    for name in spent[-1][1]:
        cpu = [seconds[name] for _, seconds in spent]
        figures = ", ".join(f"{seconds:.2f}" for seconds in cpu)
        measured = f"{name}, of {', '.join(f'{size:,}' for size in sizes)} {unit}: {figures} s"
        yield Row(measured, f"{sizes[-2]:,} {unit}", (cpu[-1] / cpu[-2],), _TENFOLD, detail={"cpu": cpu})


def _of_rows(workspace: Workspace, rows: int) -> Iterator[tuple[str, float]]:
    """Yield the commands over a finished run, in which every thousandth row failed."""
    reports, source = workspace.folder / "reports", write_input(workspace, rows)
    run = reports / "20260301T120000Z-input-0000"
    workspace.program("journals", "settled", source, run)
    yield "report", workspace.program("write_report", run).cpu
    yield from _spent(
        workspace,
        reports,
        {
            "plan": ("plan", source, "--max-rows", "10000000"),
            "status": ("status", run),
            "results": ("results", run),
            "retry": ("retry", run, "--all-failed", "--limit", "0", "--yes"),
        },
    )


def _of_runs(workspace: Workspace, runs: int) -> Iterator[tuple[str, float]]:
    """Yield the commands over many runs of two rows each."""
    reports = workspace.folder / "reports"
    make_runs(reports, runs)
    for path in (*reports.glob("*/*"), *reports.iterdir()):
        # What has just been changed is not entered in the index.
        os.utime(path, (0, 0))
    known = ("--reports", reports)
    yield from _spent(
        workspace,
        reports,
        {
            "status --all, first": ("status", "--all", *known),
            "status --all": ("status", "--all", *known),
            "status": ("status", *known),
            "prune": ("prune", "--older-than", "1d", "--yes", *known),
        },
    )


def _spent(workspace: Workspace, reports: Path, commands: _Commands) -> Iterator[tuple[str, float]]:
    for name, command in commands.items():
        yield name, workspace.time_command([sys.executable, "-m", "bulkreact", *command], codes=(0, 1)).cpu
    shutil.rmtree(reports)

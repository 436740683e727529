"""Reading, checking, de-duplicating and journalling a file, against pandas or calamine reading it and nothing else."""

from collections.abc import Iterator

from .inputs import write_input, write_workbook
from .table import Row, Threshold
from .workspace import Workspace, ratios

_ROWS = 1_000_000
_WORKBOOK_ROWS = 100_000


def measure(workspace: Workspace) -> Iterator[Row]:
    """Yield how much longer it takes; importing is counted on neither side."""
    source = write_input(workspace, workspace.rows(_ROWS))
    sides = {
        "bulkreact": lambda: workspace.program("journals", "timed", source, workspace.folder),
        "pandas": lambda: workspace.program("read_with_pandas", source),
    }
    spent = {name: [float(run.out.split()[0]) for run in runs] for name, runs in workspace.alternate(sides).items()}
    detail = {"seconds": spent["bulkreact"], "other_seconds": spent["pandas"]}
    against, limit = "pandas.read_csv", Threshold(most=4.5)
    yield Row("reading and journalling", against, ratios(spent["bulkreact"], spent["pandas"]), limit, detail=detail)
    yield from _measure_workbook(workspace)


def _measure_workbook(workspace: Workspace) -> Iterator[Row]:
    """Yield the same for a workbook of fourteen columns, in time on the processor: it is read in another process."""
    source = workspace.folder / "input.xlsx"
    write_workbook(source, workspace.rows(_WORKBOOK_ROWS))
    sides = {
        "bulkreact": lambda: workspace.program("journals", "timed", source, workspace.folder),
        "calamine": lambda: workspace.program("read_with_calamine", source),
    }
    spent = {name: [float(run.out.split()[-1]) for run in runs] for name, runs in workspace.alternate(sides).items()}
    detail = {"cpu": spent["bulkreact"], "other_cpu": spent["calamine"]}
    values = ratios(spent["bulkreact"], spent["calamine"])
    yield Row("journalling a workbook: CPU", "calamine", values, Threshold(most=2.5), detail=detail)

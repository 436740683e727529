"""Writing results: from a journal against pandas, as a workbook against XlsxWriter, and the report."""

import shutil
from collections.abc import Iterator

from .inputs import write_input
from .table import Row, Threshold
from .workspace import Workspace, ratios

_ROWS = 1_000_000
_WORKBOOK_ROWS = 100_000


def measure(workspace: Workspace) -> Iterator[Row]:
    """Yield how much longer it takes; importing, and pandas' reading of the table, are not counted."""
    folder = workspace.folder / "written"
    workspace.program("journals", "settled", write_input(workspace, workspace.rows(_ROWS)), folder)
    sides = {
        "bulkreact": lambda: workspace.program("write_results", folder),
        "pandas": lambda: workspace.program("write_with_pandas", folder / "results.csv"),
        "report": lambda: workspace.program("write_report", folder),
    }
    spent = {name: [float(run.out) for run in runs] for name, runs in workspace.alternate(sides).items()}
    shutil.rmtree(folder)
    detail = {"seconds": spent["bulkreact"], "other_seconds": spent["pandas"]}
    against, limit = "DataFrame.to_csv", Threshold(most=3)
    yield Row("writing results.csv", against, ratios(spent["bulkreact"], spent["pandas"]), limit, detail=detail)
    yield Row("report.html: CPU", "-", tuple(spent["report"]), Threshold(most=5), unit="s")
    yield _measure_workbook(workspace)


def _measure_workbook(workspace: Workspace) -> Row:
    """Return the same for results.xlsx, in time on the processor."""
    rows = workspace.rows(_WORKBOOK_ROWS)
    sides = {
        name: lambda name=name: workspace.program("write_workbooks", name, workspace.folder / f"{name}.xlsx", rows)
        for name in ("results", "bare")
    }
    spent = {name: [float(run.out) for run in runs] for name, runs in workspace.alternate(sides).items()}
    detail = {"cpu": spent["results"], "other_cpu": spent["bare"]}
    values = ratios(spent["results"], spent["bare"])
    return Row("writing results.xlsx: CPU", "XlsxWriter, constant_memory", values, Threshold(most=1.3), detail=detail)

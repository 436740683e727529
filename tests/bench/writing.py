"""Writing the results of a run from its journal, against pandas writing the same table."""

import shutil
from collections.abc import Iterator

from .inputs import write_input
from .table import Row, Threshold
from .workspace import Workspace, ratios

_ROWS = 1_000_000


def measure(workspace: Workspace) -> Iterator[Row]:
    """Yield how much longer it takes; importing, and pandas' reading of the table, are not counted."""
    folder = workspace.folder / "written"
    workspace.program(
        "journals", "finished", write_input(workspace, workspace.rows(_ROWS)), folder, "http://127.0.0.1:1", 0
    )
    sides = {
        "bulkreact": lambda: workspace.program("write_results", folder),
        "pandas": lambda: workspace.program("write_with_pandas", folder / "results.csv"),
    }
    spent = {name: [float(run.out) for run in runs] for name, runs in workspace.alternate(sides).items()}
    shutil.rmtree(folder)
    detail = {"seconds": spent["bulkreact"], "other_seconds": spent["pandas"]}
    against, limit = "DataFrame.to_csv", Threshold(most=3)
    yield Row("writing results.csv", against, ratios(spent["bulkreact"], spent["pandas"]), limit, detail=detail)

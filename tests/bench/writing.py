"""Writing the results of a run from its journal, against pandas writing the same table."""

import shutil
from collections.abc import Iterator

from .inputs import written
from .table import Row, Threshold
from .workplace import Workplace, ratios

_ROWS = 1_000_000


def measure(place: Workplace) -> Iterator[Row]:
    """Yield how much longer it takes; importing, and pandas' reading of the table, are not counted."""
    folder = place.folder / "written"
    place.program("journals", "made", written(place, place.rows(_ROWS)), folder, "http://127.0.0.1:1", 0)
    sides = {
        "bulkreact": lambda: place.program("write_results", folder),
        "pandas": lambda: place.program("write_with_pandas", folder / "results.csv"),
    }
    spent = {name: [float(one.out) for one in all_of] for name, all_of in place.alternate(sides).items()}
    shutil.rmtree(folder)
    detail = {"seconds": spent["bulkreact"], "other_seconds": spent["pandas"]}
    against, limit = "DataFrame.to_csv", Threshold(most=3)
    yield Row("writing results.csv", against, ratios(spent["bulkreact"], spent["pandas"]), limit, detail=detail)

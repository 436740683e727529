"""Reading, checking, de-duplicating and journalling a file, against pandas reading it and doing nothing else."""

from collections.abc import Iterator

from .inputs import written
from .table import Row, Threshold
from .workplace import Workplace, ratios

_ROWS = 1_000_000


def measure(place: Workplace) -> Iterator[Row]:
    """Yield how much longer it takes; importing is counted on neither side."""
    source = written(place, place.rows(_ROWS))
    sides = {
        "bulkreact": lambda: place.program("journals", "timed", source, place.folder),
        "pandas": lambda: place.program("read_with_pandas", source),
    }
    spent = {name: [float(one.out) for one in all_of] for name, all_of in place.alternate(sides).items()}
    detail = {"seconds": spent["bulkreact"], "other_seconds": spent["pandas"]}
    against, limit = "pandas.read_csv", Threshold(most=8)
    yield Row("reading and journalling", against, ratios(spent["bulkreact"], spent["pandas"]), limit, detail=detail)

"""``python -m tests.bench``: runs all measures, or some of them, prints a table and writes JSON."""

import argparse
import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from .measures import MEASURES
from .table import Row, as_json, table
from .workspace import Workspace


def main() -> int:
    """Return 1 when a threshold is missed at full size, else 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(MEASURES), help="one of the measures, repeatable")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="the share of the full size, 1 takes about half an hour"
    )
    parser.add_argument("--repetitions", type=int, default=3, help="how often both sides take turns")
    parser.add_argument("--json", type=Path, help="where the figures go, for programs")
    options = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="bulkreact-bench-") as folder:
        workspace = Workspace(Path(folder), options.scale, options.repetitions)
        for name in options.only or MEASURES:
            print(f"{name} …", file=sys.stderr, flush=True)  # noqa: T201 - it takes a while
            rows.extend(MEASURES[name](workspace))
    print(table(rows))  # noqa: T201 - what it is for
    if options.json:
        content = {"bulkreact": version("bulkreact"), "python": sys.version.split()[0], "scale": options.scale}
        options.json.write_text(json.dumps({**content, "rows": as_json(rows)}, indent=2) + "\n")
    return int(options.scale >= 1 and not all(row.passed for row in rows))


if __name__ == "__main__":
    sys.exit(main())

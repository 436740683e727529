"""Writes a table with pandas that it has read before, and says how many seconds the writing took."""

import sys
import time
from pathlib import Path

import pandas as pd

if __name__ == "__main__":
    source = Path(sys.argv[1])
    table = pd.read_csv(source, dtype=str, keep_default_na=False, na_filter=False)
    began = time.perf_counter()
    table.to_csv(source.with_suffix(".pandas"), index=False)
    print(time.perf_counter() - began)  # noqa: T201 - the figure

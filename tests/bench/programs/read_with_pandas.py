"""Reads a file with pandas, everything as text, and says how many seconds that took."""

import sys
import time

import pandas as pd

if __name__ == "__main__":
    began = time.perf_counter()
    table = pd.read_csv(sys.argv[1], dtype=str)
    seconds = time.perf_counter() - began
    if table.empty:
        sys.exit("nothing was read")
    print(seconds)  # noqa: T201 - the figure

"""Writes the result files of a run from its journal, and says how many seconds that took."""

import sys
import time
from contextlib import closing
from pathlib import Path

from bulkreact.batch.journal.metadata import load_metadata
from bulkreact.batch.journal.reading import read_only
from bulkreact.batch.journal.row_results import result_rows
from bulkreact.sheets.output import results_csv

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    began = time.perf_counter()
    with closing(read_only(folder)) as connection:
        results_csv.write(folder, load_metadata(connection).header, result_rows(connection))
    print(time.perf_counter() - began)  # noqa: T201 - the figure

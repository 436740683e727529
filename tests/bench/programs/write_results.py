"""Writes the result files of a run from its journal, and says how many seconds that took."""

import sys
import time
from pathlib import Path

from bulkreact.batch.journal.reading import JournalReader
from bulkreact.sheets.output import results_csv

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    began = time.perf_counter()
    with (
        JournalReader(folder) as journal,
        results_csv.writing(folder, journal.metadata.header, journal.result_chunks()),
    ):
        pass
    print(time.perf_counter() - began)  # noqa: T201 - the figure

"""Reads the first sheet of a workbook with calamine, and says how many seconds on the processor that took."""

import sys
import time

from python_calamine import CalamineWorkbook

if __name__ == "__main__":
    began = time.process_time()
    rows = CalamineWorkbook.from_path(sys.argv[1]).get_sheet_by_index(0).to_python()
    seconds = time.process_time() - began
    if not rows:
        sys.exit("nothing was read")
    print(seconds)  # noqa: T201 - the figure

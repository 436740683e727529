"""Writes a workbook of fourteen columns from rows in memory, and says how many seconds on the processor that took.

``results`` writes results.xlsx, ``bare`` the same cells with XlsxWriter alone; reading the journal is on neither side.
"""

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from xlsxwriter import Workbook

from bulkreact.models import Answer, Call, Outcome, ResultRow, Status
from bulkreact.sheets.output import results_xlsx
from bulkreact.sheets.output.sheet_layout import InputColumns
from bulkreact.sheets.result_columns import RESULT_COLUMNS

_HEADER = ("customer_id", "subscription_id", "entitlement_id")
_AT = "2026-03-01T12:00:00.000Z"


def guid(kind: int, number: int) -> str:
    """Return a GUID of a kind."""
    return str(UUID(int=(kind << 124) | number))


def rows(count: int) -> Iterable[ResultRow]:
    """Yield rows of a finished run; every hundredth has failed."""
    for number in range(count):
        owner = number % 1000
        failed = number % 100 == 0
        answer = Answer(
            404 if failed else 202, "800002" if failed else "", "Not found" if failed else "", business=True
        )
        call = Call(number, guid(4, number), guid(5, number), _AT, _AT, answer)
        status = Status.FAILED if failed else Status.ACCEPTED
        outcome = Outcome(status, 1, call, answer.code, answer.description)
        cells = (guid(1, owner), guid(2, owner), guid(3, number))
        yield ResultRow(number + 2, cells, outcome, not failed, excluded_by_limit=False, customer_id=cells[0])


def write_results(path: Path, table: list[ResultRow]) -> None:
    """Write them as a run does."""
    results_xlsx.write(path, _HEADER, table, (("Run", "bench"),), InputColumns(None, [0, 1, 2], ()))


def write_bare(path: Path, table: list[ResultRow]) -> None:
    """Write their cells without formats."""
    with Workbook(path, {"constant_memory": True}) as book:
        sheet = book.add_worksheet("Results")
        sheet.write_row(0, 0, (*_HEADER, *RESULT_COLUMNS))
        for index, row in enumerate(table, 1):
            for column, cell in enumerate(results_xlsx.sheet_cells(row)):
                if isinstance(cell, str):
                    sheet.write_string(index, column, cell)
                elif isinstance(cell, int):
                    sheet.write_number(index, column, cell)


if __name__ == "__main__":
    finished = list(rows(int(sys.argv[3])))
    began = time.process_time()
    (write_results if sys.argv[1] == "results" else write_bare)(Path(sys.argv[2]), finished)
    print(time.process_time() - began)  # noqa: T201 - the figure

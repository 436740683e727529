"""Lines of CSV: byte for byte what the standard library writes, and guarded wherever a formula could begin."""

import csv
import io

from hypothesis import example, given
from hypothesis import strategies as st

from bulkreact.sheets.formula_guard import guard
from bulkreact.sheets.output.csv_writer import csv_line, guarded_line

_rows = st.lists(st.text(max_size=6) | st.text(st.sampled_from("'=+-@\t\r\n,\"; a1"), max_size=4), max_size=5)


def written(cells: list[str]) -> str:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\r\n").writerow(cells)
    return f"{file.getvalue()[:-2]}\n"


@given(_rows)
@example([])
@example([""])
@example(["", "\n"])
@example(["a\rb", "c"])
@example(["a", ""])
def test_a_line_is_what_the_standard_library_writes(cells: list[str]) -> None:
    assert csv_line(cells) == written(cells)


@given(_rows)
@example(["-x"])
@example(["a", "-x"])
@example(["a", "'=1"])
@example(["a", "\tx"])
@example(["a", "\rx"])
@example(["+x", "@x"])
@example(["a", "+x"])
@example(["a", "@x"])
@example(["a", "=x"])
@example(["a,-1-1"])
def test_a_guarded_line_is_that_of_its_guarded_cells(cells: list[str]) -> None:
    assert guarded_line(cells) == written([guard(cell) for cell in cells])

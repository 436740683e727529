"""Lines of CSV: read back as they were, with bare line feeds and quotes only where they are needed."""

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulkreact.sheets.formula_guard import guard
from bulkreact.sheets.output.csv_writer import csv_line, guarded_line

_cells = st.lists(st.text(max_size=6) | st.text(st.sampled_from("'\r\n,\"; a1"), max_size=4), min_size=1, max_size=5)


@given(_cells)
def test_a_line_is_read_back_as_the_cells_it_was_made_of(cells: list[str]) -> None:
    assert list(csv.reader(io.StringIO(csv_line(cells), newline=""))) == [cells]


@pytest.mark.parametrize(
    ("cells", "line"),
    [
        ([""], '""\n'),
        (["a", ""], "a,\n"),
        (["a'b", "c d"], "a'b,c d\n"),
        (["a,b", 'c"d'], '"a,b","c""d"\n'),
        (["a\nb", "c\rd"], '"a\nb","c\rd"\n'),
    ],
)
def test_only_cells_that_need_quotes_have_them(cells: list[str], line: str) -> None:
    assert csv_line(cells) == line


@given(st.lists(st.text(max_size=6) | st.text(st.sampled_from("'=+-@\t\r\n,\";|\0\uff1d a1"), max_size=4), max_size=5))
@example([])
@example([""])
@example(["", "\n"])
@example(["a\rb", "c"])
@example(["a", ""])
@example(["-x"])
@example(["a", "-x"])
@example(["a", "'=1"])
@example(["a", "\tx"])
@example(["a", "\rx"])
@example(["+x", "@x"])
@example(["a", "=x"])
@example(["a,-1-1"])
@example(["a;-1-1"])
@example(["a|-1-1"])
@example(["a;\0-x"])
@example(["a", "\uff20x"])
@example(["a", "b\uff0bx"])
def test_a_guarded_line_is_that_of_its_guarded_cells(cells: list[str]) -> None:
    assert guarded_line(cells) == csv_line([guard(cell) for cell in cells])

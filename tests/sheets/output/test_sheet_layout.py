"""Where results.xlsx has status and advice, and which columns stay visible."""

import pytest

from bulkreact.sheets.output.sheet_layout import InputColumns, lay_out
from bulkreact.sheets.result_columns import RESULT_COLUMNS

STATUS, ADVICE = RESULT_COLUMNS.index("status"), RESULT_COLUMNS.index("advice")
OURS = [14.0] * len(RESULT_COLUMNS)


@pytest.mark.parametrize(
    ("widths", "name", "ids", "frozen"),
    [
        ([25.0, 38.0, 38.0, 38.0, 10.0], 0, (1, 2, 3), 1),
        ([9.0, 40.0, 38.0, 38.0, 38.0], 1, (2, 3, 4), 2),
        ([38.0, 38.0, 38.0, 25.0, 10.0], 3, (0, 1, 2), 3),
        ([38.0, 38.0, 38.0, 25.0, 10.0], None, (0, 1, 2), 3),
        ([12.0, 12.0, 12.0, 25.0, 10.0], 3, (0, 1, 2), 4),
        ([60.0, 60.0, 60.0, 38.0, 38.0], 2, (3, 4), 0),
    ],
    ids=["name first", "name near", "name far", "no name", "name behind narrow ids", "everything far"],
)
def test_status_and_advice_are_beside_the_customer_or_the_ids(
    widths: list[float], name: int | None, ids: tuple[int, ...], frozen: int
) -> None:
    layout = lay_out(len(widths), [*widths, *OURS], InputColumns(name, ids))
    assert layout.frozen == frozen + 2
    assert layout.order[frozen : frozen + 2] == (len(widths) + STATUS, len(widths) + ADVICE)
    rest = [index for index in layout.order if index not in layout.order[frozen : frozen + 2]]
    assert rest == [index for index in range(len(widths) + len(OURS)) if index not in layout.order[frozen : frozen + 2]]


def test_a_wide_frozen_part_is_shown_smaller() -> None:
    ids = InputColumns(None, (0, 1, 2))
    assert lay_out(3, [38.0] * 3 + OURS, ids).zoom < lay_out(3, [12.0] * 3 + OURS, ids).zoom == 100

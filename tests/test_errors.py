"""The order of exit codes by severity."""

import pytest

from bulkreact.errors import SEVERITY, is_fatal, most_severe


@pytest.mark.parametrize(
    ("codes", "most"),
    [
        ([], 0),
        ([0, 1], 1),
        ([1, 2, 0], 2),
        ([2, 5], 5),
        ([5, 4], 4),
        ([4, 75], 75),
        ([75, 3], 3),
        ([3, 74], 74),
        ([74, 70], 70),
        ([70, 130], 130),
        ([130, 143], 143),
    ],
)
def test_the_most_severe_code_is_that_of_several(codes: list[int], most: int) -> None:
    assert most_severe(codes) == most


def test_signals_bugs_lost_results_refused_credentials_and_outages_stop_everything() -> None:
    assert [code for code in SEVERITY if is_fatal(code)] == [143, 130, 70, 74, 3, 75]

"""The programs that measure: each works and yields its rows; what they measure here means nothing."""

import sys
from pathlib import Path

import pytest

from tests.bench.measures import MEASURES
from tests.bench.table import Row, Threshold, as_json, table
from tests.bench.workspace import Workspace


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell what a process has taken")
@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_yields_its_rows(tmp_path: Path, name: str) -> None:
    rows = list(MEASURES[name](Workspace(tmp_path, 0.0001, 1)))
    assert rows
    assert all(row.measure and row.against and row.values for row in rows)


def test_a_figure_is_judged_by_its_median() -> None:
    row = Row("speed", "others", (1.0, 3.0, 9.0), Threshold(least=2, most=4))
    assert row.passed
    assert table([row]).splitlines()[1].split() == [
        "speed",
        "others",
        "3.000",
        "x",
        "1.000",
        "x",
        "9.000",
        "x",
        "2",
        "to",
        "4",
        "pass",
    ]
    assert as_json([row])[0]["median"] == 3.0

"""Whose rows a retry takes, by what the runs say of each other."""

import pytest

from bulkreact.runs import handover


@pytest.mark.parametrize(
    ("parents", "first"),
    [
        ({}, "a"),
        ({"a": None}, "a"),
        ({"a": "b", "b": "c", "c": None}, "c"),
        ({"a": "b", "b": "b"}, "b"),
        ({"a": "b", "b": "c", "c": "b"}, "c"),
    ],
)
def test_the_first_run_is_found_also_where_runs_are_retries_of_each_other(
    parents: dict[str, str | None], first: str
) -> None:
    assert handover._first_run(parents, "a") == first

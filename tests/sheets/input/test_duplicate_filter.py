"""What is denied of a whole input without looking at it again is certain."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkreact.sheets.input import csv_table as text_module
from bulkreact.sheets.input import duplicate_filter
from bulkreact.sheets.input.duplicate_filter import Fingerprints
from bulkreact.sheets.input.input_file import InputFile
from bulkreact.sheets.input.input_options import InputOptions
from tests.support.ids import guid, row, write_csv

C, S, E = guid(1001), guid(2001), guid(1)
NUMBERS = st.lists(st.tuples(st.integers(0, 9), st.integers(5, 14), st.integers(10, 90)), max_size=8)


def known(parts: list[list[tuple[str, str, str]]]) -> Fingerprints:
    found = Fingerprints()
    for part in parts:
        found.add(*([ids[place] for ids in part] for place in range(3)))
    return found


@given(st.lists(NUMBERS, max_size=4))
def test_it_tells_what_comparing_all_ids_tells(parts: list[list[tuple[int, int, int]]]) -> None:
    rows = [one for part in parts for one in part]
    customers, subscriptions, entitlements = ({ids[place] for ids in rows} for place in range(3))
    found = known([[(guid(one), guid(two), guid(three)) for one, two, three in part] for part in parts])
    assert found.may_have_duplicates == (len(entitlements) < len(rows))
    assert found.may_have_swapped_ids == bool(customers & subscriptions or subscriptions & entitlements)


def test_with_too_many_ids_nothing_is_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicate_filter, "_MOST", 5)
    few = known([[(C, S, E)]])
    many = known([[(C, S, guid(number))] for number in range(1, 4)])
    assert (few.may_have_duplicates, few.may_have_swapped_ids) == (False, False)
    assert (many.may_have_duplicates, many.may_have_swapped_ids) == (True, True)


def looked_at(path: Path, lines: Iterable[Iterable[str]], options: InputOptions | None = None) -> tuple[bool, bool]:
    """Tell what an input may have: a target twice, an id in two columns."""
    intake = InputFile(write_csv(path, lines), max_rows=100, options=options)
    list(intake.rows())
    return intake.may_have_duplicates, intake.may_have_swapped_ids


@pytest.mark.parametrize("cells", [3, 6, 200_000])
def test_an_input_is_known_whatever_its_chunks(tmp_path: Path, cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "_CHUNK_CELLS", cells)
    path = tmp_path / "input.csv"
    proper = [(C, S, guid(number)) for number in range(1, 6)]
    assert looked_at(path, proper) == (False, False)
    assert looked_at(path, [*proper, (C, S, E.upper())]) == (True, False)
    assert looked_at(path, [*proper, (C, S, S)]) == (False, True)
    assert looked_at(path, [*proper, (guid(3), S, guid(9))]) == (False, True)


def test_an_invalid_row_proves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "input.csv"
    assert looked_at(path, [(C, S, E), (C, "", E), (S, "x", guid(2))]) == (False, False)


def test_subscriptions_are_looked_for_in_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "input.csv"
    lines = [(*row(E)[:2], ""), (*row(guid(2), 2)[:2], "")]
    assert looked_at(path, lines, InputOptions(kind=None))[0]

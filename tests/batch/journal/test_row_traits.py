"""What rows are denied while they are inserted is certain: the journal is the one that looking for all of it makes."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkreact.batch.journal import row_traits
from bulkreact.batch.journal.journal import create, finalize
from bulkreact.batch.journal.journal_file import read_only
from bulkreact.batch.journal.row_traits import ANY_TRAITS, RowTraits, TraitFinder
from bulkreact.batch.journal.swapped_ids import flag_swapped_ids
from bulkreact.models import InputRow, Target
from tests.support.ids import guid, metadata, target

PROPER = [InputRow(number, ("a",), target(guid(number), number % 3)) for number in range(2, 12)]
INVALID = InputRow(20, ("a",), None, "no-ids", "no ids")
SUBSCRIPTION = InputRow(30, ("a",), target(""))
CARRIED = InputRow(30, ("a",), target(guid(99)), request_id=guid(7))
PAIRS = st.lists(st.tuples(st.integers(0, 9), st.integers(5, 14), st.integers(10, 90)), min_size=1, max_size=12)


@pytest.fixture(autouse=True)
def _of_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_traits, "_FEW", 1)


def traits_of(rows: Sequence[InputRow], *, size: int = 3) -> RowTraits:
    finder = TraitFinder()
    for begin in range(0, len(rows), size):
        finder.add(rows[begin : begin + size])
    return finder.traits()


def only(**traits: bool) -> RowTraits:
    """Return traits that are false unless they are given."""
    return RowTraits(**{name: traits.get(name, False) for name in RowTraits.__dataclass_fields__})


@given(PAIRS)
def test_it_finds_what_comparing_all_ids_finds(numbers: list[tuple[int, int, int]]) -> None:
    rows = [InputRow(2, (), Target(*map(guid, ids))) for ids in numbers]
    customers, subscriptions, entitlements = ({ids[index] for ids in numbers} for index in range(3))
    expected = only(
        may_have_swapped_ids=bool(customers & subscriptions or subscriptions & entitlements),
        may_have_duplicates=len(entitlements) < len(rows),
    )
    assert traits_of(rows) == expected


@pytest.mark.parametrize(
    ("row", "trait"),
    [
        (PROPER[-1], "may_have_duplicates"),
        (InputRow(30, ("a",), Target(guid(3000), guid(3001), guid(2001))), "may_have_swapped_ids"),
        (CARRIED, "may_have_request_ids"),
        (SUBSCRIPTION, "may_have_subscriptions"),
    ],
)
def test_one_row_is_enough(row: InputRow, trait: str) -> None:
    assert traits_of([*PROPER, INVALID]) == only()
    assert traits_of([*PROPER, INVALID, row]) == only(**{trait: True})


@pytest.mark.parametrize("extra", [[], PROPER[:2], [SUBSCRIPTION], [CARRIED, CARRIED]])
def test_a_journal_is_the_same_as_if_all_had_been_looked_for(tmp_path: Path, extra: list[InputRow]) -> None:
    dumps: list[list[str]] = []
    for traits in (None, ANY_TRAITS):
        folder = tmp_path / str(len(dumps))
        folder.mkdir()
        found = create(folder, [*PROPER, INVALID, *extra]).traits()
        if (traits or found).may_have_swapped_ids:
            flag_swapped_ids(folder)
        finalize(folder, metadata(header=("a",)), traits or found)
        with closing(read_only(folder)) as connection:
            dumps.append([*connection.iterdump()])
    assert dumps[0] == dumps[1]


def test_of_few_rows_nothing_is_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_traits, "_FEW", len(PROPER) + 1)
    assert traits_of(PROPER) == ANY_TRAITS

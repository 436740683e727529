"""Ids in the wrong column: flagged where the file itself proves it, and nowhere else."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkreact.batch.journal.journal import create, finalize
from bulkreact.batch.journal.swapped_ids import SwappedId, flag_swapped_ids, input_digest
from bulkreact.models import InputRow, Target
from tests.support.ids import guid, metadata, read_csv, target, write_csv
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST, latest_run, row_statuses

C, S, E = guid(1001), guid(2001), guid(1)


def flag_rows(folder: Path, targets: list[Target | None]) -> list[SwappedId]:
    """Make a journal of rows from row 2 on, and flag what is misplaced."""
    rows = [
        InputRow(number, ("x",), row_target) if row_target else InputRow(number, ("x",), None, "no-ids", "no ids")
        for number, row_target in enumerate(targets, 2)
    ]
    create(folder, rows)
    swapped = flag_swapped_ids(folder)
    # What is left makes a journal that holds.
    finalize(folder, metadata(header=("a",), uuid=guid(77)))
    return swapped


def flag_cells(folder: Path, targets: list[Target | None]) -> list[tuple[int, str]]:
    return [(swapped.number, swapped.column) for swapped in flag_rows(folder, targets)]


def test_a_proper_file_has_nothing_misplaced(tmp_path: Path) -> None:
    assert flag_rows(tmp_path, [target(guid(number), number % 3) for number in range(50)]) == []


def test_a_subscriptions_id_in_the_entitlements_column_is_flagged(tmp_path: Path) -> None:
    (swapped,) = flag_rows(tmp_path, [Target(C, S, E), Target(C, S, S), Target(C, S, guid(2))])
    assert (swapped.number, swapped.column, swapped.value) == (3, "entitlement_id", S)
    assert swapped.description == (
        f"entitlement_id is also the subscription_id of row 2 and 2 more: '{swapped.value}' (it belongs there)"
    )


def test_customer_and_subscription_the_wrong_way_round_are_flagged(tmp_path: Path) -> None:
    targets: list[Target | None] = [Target(C, S, guid(number)) for number in range(5)]
    targets[3] = Target(S, C, guid(3))
    assert flag_cells(tmp_path, targets) == [(5, "customer_id")]


def test_both_rows_are_flagged_if_either_could_be_wrong(tmp_path: Path) -> None:
    swapped = flag_rows(tmp_path, [Target(C, S, E), Target(guid(1002), C, guid(2))])
    assert [(cell.number, cell.column) for cell in swapped] == [(2, "customer_id"), (3, "subscription_id")]
    assert "one of the two is in the wrong column" in swapped[0].description


def test_rows_that_are_invalid_already_prove_nothing(tmp_path: Path) -> None:
    assert flag_rows(tmp_path, [None, Target(C, S, E), None]) == []


def test_the_digest_leaves_them_out(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    flag_rows(tmp_path / "a", [Target(C, S, E), Target(C, S, S), Target(C, S, guid(2))])
    flag_rows(tmp_path / "b", [Target(C, S, E), Target(C, S, guid(2))])
    assert input_digest(tmp_path / "a") == input_digest(tmp_path / "b")


@given(st.lists(st.tuples(*[st.integers(0, 5)] * 3), max_size=12))
def test_no_id_is_left_in_two_columns(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[int, int, int]]
) -> None:
    targets = [Target(*map(guid, ids)) for ids in drawn]
    bad = {cell.number for cell in flag_rows(tmp_path_factory.mktemp("run"), list(targets))}
    good = [row_target for number, row_target in enumerate(targets, 2) if number not in bad]
    columns = [
        {row_target.customer_id for row_target in good},
        {row_target.subscription_id for row_target in good},
        {row_target.entitlement_id for row_target in good},
    ]
    shared = [first & second for index, first in enumerate(columns) for second in columns[index + 1 :]]
    # An id that is in its right place may have lost its rows to another reason; it is never left in a wrong one.
    mixed = set.union(set(), *shared)
    assert not mixed
    apart = {
        len({name for row_target in targets for name, value in _named(row_target) if value == each})
        for each in map(guid, range(6))
    }
    assert bad if max(apart, default=0) > 1 else not bad


def _named(row_target: Target) -> list[tuple[str, str]]:
    return [("c", row_target.customer_id), ("s", row_target.subscription_id), ("e", row_target.entitlement_id)]


def test_a_run_sends_none_of_them_and_says_why(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", [(C, S, E), (C, S, S), (S, C, guid(3)), (C, S, guid(4))])
    process = program("run", "input.csv", "--base-url", partner.base_url, *FAST)
    assert process.code == 1
    assert row_statuses(process.run) == ["accepted", "invalid", "invalid", "accepted"]
    lines = read_csv(process.run / "results.csv")
    assert {line["error_code"] for line in lines[1:3]} == {"swapped-ids"}
    assert lines[1]["entitlement_id"] == S
    assert "row 3: entitlement_id is also the subscription_id of" in process.err
    assert len(partner.requests()) == 2
    again = program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--strict", "--new")
    assert again.code == 2
    assert "2 of 4 rows are invalid" in again.err


@pytest.mark.parametrize("name", ["failed.csv", "failed.xlsx"])
def test_without_the_rows_that_prove_it_they_are_not_sent_until_corrected(
    program: Program, partner: Partner, name: str
) -> None:
    write_csv(program.folder / "input.csv", [(C, S, E), (C, S, S), (S, C, guid(3)), (C, S, guid(4))])
    target = ("--base-url", partner.base_url, *FAST)
    first = program("run", "input.csv", *target, "--xlsx").run
    sent = len(partner.requests())
    second = program("run", first / name, *target)
    assert second.code == 1, second.err
    assert "row 2: entitlement_id is also the subscription_id of rows of the run before" in second.err
    third = program("run", latest_run(program) / name, *target, "--new")
    assert third.code == 1, third.err
    folder = latest_run(program)
    assert row_statuses(folder) == ["invalid", "invalid"]
    assert len(partner.requests()) == sent
    header, swapped, _ = (folder / "failed.csv").read_text().splitlines()
    program.folder.joinpath("corrected.csv").write_text(
        "\n".join([header, swapped.replace(f"{S},{S}", f"{S},{E[:-1]}f"), ""])
    )
    assert program("run", "corrected.csv", *target).code == 0
    assert len(partner.requests()) == sent + 1

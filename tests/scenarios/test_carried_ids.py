"""Request ids that come from files: carried on where they prove to be of the row's target, and nowhere else."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from bulkreact.batch.journal.journal import create, finalize
from bulkreact.batch.journal.metadata import RunSettings
from bulkreact.models import InputRow, NoResponse
from bulkreact.settings import Limits
from tests.support.ids import guid, metadata, read_csv, scenario_id, target
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST, ids_by_path, run
from tests.support.virtual_run import VirtualRun

Lines = list[dict[str, str]]
LOST, REFUSED = scenario_id(599), scenario_id(800111, 1)


def failed_rows(program: Program, partner: Partner) -> Lines:
    """Return a results file with one unknown row: the simulator answers its request id with a 202 from now on."""
    process = run(program, partner, [599], "--attempts", "1")
    lines = read_csv(process.run / "failed.csv")
    assert [line["status"] for line in lines] == ["unknown"]
    return lines


def run_again(program: Program, partner: Partner, lines: Lines) -> tuple[Lines, str]:
    with (program.folder / "again.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    process = program("run", "again.csv", "--base-url", partner.base_url, *FAST, "--reports", "second")
    (results,) = (program.folder / "second").glob("*/results.csv")
    return read_csv(results), process.err


def change_target(lines: Lines) -> Lines:
    return [{**lines[0], "entitlement_id": REFUSED}]


def copy_below(lines: Lines) -> Lines:
    return [lines[0], {**lines[0], "entitlement_id": REFUSED}]


def copy_above(lines: Lines) -> Lines:
    return [{**lines[0], "entitlement_id": REFUSED}, lines[0]]


@pytest.mark.parametrize(("change", "named"), [(change_target, "row 2"), (copy_below, "row 3"), (copy_above, "row 2")])
def test_a_row_that_was_given_another_target_is_not_answered_with_the_old_ones_outcome(
    program: Program, partner: Partner, change: Callable[[Lines], Lines], named: str
) -> None:
    lines = failed_rows(program, partner)
    results, messages = run_again(program, partner, change(lines))
    statuses = {(line["entitlement_id"], line["status"], line["http_status"]) for line in results}
    assert (REFUSED, "failed", "404") in statuses
    assert statuses <= {(REFUSED, "failed", "404"), (LOST, "accepted", "202")}
    assert f"again.csv: a new request id for {named}: nothing proves" in messages
    assert partner.service.call_log.violations == []
    # Its first owner keeps it.
    ids = ids_by_path(partner)
    lost, refused = (next(ids[path] for path in ids if tail in path) for tail in (LOST, REFUSED))
    assert set(lost) == {lines[0]["request_id"]}
    assert set(lost).isdisjoint(refused)


def test_rows_that_nobody_changed_keep_their_request_ids_without_a_word(program: Program, partner: Partner) -> None:
    results, messages = run_again(program, partner, failed_rows(program, partner))
    assert [line["status"] for line in results] == ["accepted"]
    assert "request id" not in messages
    assert [len(set(ids)) for ids in ids_by_path(partner).values()] == [1]


def test_a_request_id_of_an_earlier_version_is_not_carried_on_from_a_file(program: Program, partner: Partner) -> None:
    lines = failed_rows(program, partner)
    earlier = "3f2b8f0e-6b1c-5d4e-9a57-0c1d2e3f4a5b"
    _, messages = run_again(program, partner, [{**lines[0], "request_id": earlier}])
    assert "again.csv: a new request id for row 2: nothing proves" in messages
    (ids,) = ids_by_path(partner).values()
    assert earlier not in ids


def test_a_run_that_an_earlier_version_began_is_continued_under_its_request_ids(tmp_path: Path) -> None:
    create(tmp_path, [InputRow(2, ("x",), target(guid(1)))])
    finalize(tmp_path, metadata(header=("a",), settings=RunSettings()))
    virtual_run = VirtualRun(tmp_path)
    virtual_run.answer = lambda _: NoResponse(sent=True, code="connection-lost", description="")
    virtual_run.work(Limits(attempts=1))
    virtual_run.answer = lambda _: None
    virtual_run.work(Limits(), command="resume")
    (call,) = {sent.request_id for sent in virtual_run.sent}
    assert (len(virtual_run.sent), call[14]) == (2, "5")

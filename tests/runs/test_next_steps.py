"""The next commands for a run, by how its rows ended."""

import pytest

from bulkreact.models import Answer, Call, Outcome, ResultRow, RunState, Status
from bulkreact.runs.next_steps import next_steps
from bulkreact.sheets.output.results_csv import RowCounts, count_rows


def row(status: Status, code: str = "", http_status: int = 400, *, owner: str = "") -> ResultRow:
    call = Call(1, "r", "c", "t", "t", Answer(http_status, code, "", business=True))
    outcome = Outcome(status, 1, call, code, "")
    succeeded = status is Status.REACTIVATED
    return ResultRow(2, (), outcome, succeeded, excluded_by_limit=False, transferred_to=owner)


def steps(counts: RowCounts, *, resume: str = "", is_from_inbox: bool = False) -> list[str]:
    """Return the lines for a run that was interrupted; ``resume`` is empty if nothing is left to be sent."""
    found = next_steps(
        counts,
        RunState.INTERRUPTED,
        "x",
        resume_command=resume,
        correct_command="bulkreact run failed.csv",
        failed_file="failed.csv",
        is_from_inbox=is_from_inbox,
    )
    return [step.line for step in found]


def test_what_continues_is_said_last_and_only_where_something_is_left() -> None:
    counts = count_rows([(row(Status.UNKNOWN), 1), (row(Status.FAILED, "900118"), 1)])
    assert steps(counts, resume="bulkreact resume x") == ["Continue it with: bulkreact resume x"]
    assert [line.partition(":")[0].split()[0] for line in steps(counts)] == ["Correct", "1", "Send"]


def test_a_row_from_the_inbox_is_corrected_where_the_inbox_has_it() -> None:
    (line,) = steps(count_rows([(row(Status.FAILED, "900118"), 2)]), is_from_inbox=True)
    assert line.startswith("Correct 2 rows in the copy of failed.csv in done/, and move that into the inbox; or in ")


@pytest.mark.parametrize(
    ("code", "argument"), [("900335", "900335"), ("-rf", "failed"), ("0; reboot", "failed"), ("$(reboot)", "failed")]
)
def test_a_code_from_outside_is_in_a_command_only_if_it_is_one(code: str, argument: str) -> None:
    (line,) = steps(count_rows([(row(Status.FAILED, code, 403), 1)]))
    assert line == f"1 row was refused. See who must act, and how, with: bulkreact explain {argument}"


@pytest.mark.parametrize(
    ("codes", "when"),
    [
        (["900280"], "now with"),
        (["900278"], "in 24 hours with"),
        (["900280", "900278", "900278"], "now, 2 of them in 24 hours, with"),
    ],
)
def test_what_is_sent_again_says_when_that_may_succeed(codes: list[str], when: str) -> None:
    (line,) = steps(count_rows([(row(Status.DEFERRED, code), 1) for code in codes]))
    assert line.partition("that may succeed ")[2] == f"{when}: bulkreact retry x"


def test_rows_that_another_run_has_count_as_its_own_also_when_they_are_active_meanwhile() -> None:
    counts = count_rows([(row(Status.UNKNOWN, owner="y"), 2), (row(Status.REACTIVATED, owner="y"), 1)])
    assert (counts.transferred, counts.unsuccessful, counts.unknown) == ({"y": 3}, 2, 0)

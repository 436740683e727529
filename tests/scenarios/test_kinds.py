"""What rows want besides their ids: kinds, options and deadlines, from the file to the results."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bulkreact.models import InputRow, Kind
from bulkreact.sheets.columns import ColumnError, HeaderRule, find_layout
from bulkreact.sheets.input.input_file import InputFile
from bulkreact.sheets.input.input_options import InputOptions
from tests.scenarios.test_subscription_updates import subscription_target
from tests.support.ids import guid, read_csv, row, write_csv
from tests.support.program import CANARY, Partner, Program, ProgramResult
from tests.support.run_commands import FAST

HEADER = ("customer_id", "subscription_id", "entitlement_id", "kind")
CUSTOMER, PLAN, ENTITLEMENT = row(guid(1))
PLAIN = subscription_target(1)


def take(folder: Path, header: Sequence[str], *rows: Sequence[str], **options: object) -> list[InputRow]:
    path = write_csv(folder / "input.csv", rows, header)
    return list(InputFile(path, max_rows=100, options=InputOptions(**options)).rows())  # type: ignore[arg-type]


def kinds(rows: list[InputRow]) -> list[str]:
    """Return what each row wants, or why it is invalid."""
    return [input_row.target.kind if input_row.target else input_row.problem_code for input_row in rows]


BOTH = ((CUSTOMER, PLAN, ENTITLEMENT), (CUSTOMER, PLAN, ""), (CUSTOMER, PLAN, "x"), ("", "", ""), (CUSTOMER, "", ""))


def test_rows_name_azure_subscriptions_by_default(tmp_path: Path) -> None:
    row_kinds = kinds(take(tmp_path, HEADER[:3], *BOTH))
    assert row_kinds == ["azure", "missing-entitlement-id", "invalid-entitlement-id", "missing-subscription-id"]


def test_ids_decide_the_kind_if_it_is_open(tmp_path: Path) -> None:
    row_kinds = kinds(take(tmp_path, HEADER[:3], *BOTH, kind=None))
    assert row_kinds == ["azure", "subscription", "invalid-entitlement-id", "missing-subscription-id"]


def test_suspended_subscriptions_need_no_entitlement_and_ignore_it(tmp_path: Path) -> None:
    rows = take(tmp_path, HEADER[:3], *BOTH, kind=Kind.SUBSCRIPTION)
    assert kinds(rows) == ["subscription"] * 3 + ["missing-subscription-id"]
    assert {input_row.target.entitlement_id for input_row in rows if input_row.target} == {""}


@pytest.mark.parametrize("kind", [Kind.SUBSCRIPTION, None])
def test_suspended_subscriptions_need_no_column_of_entitlements(kind: Kind | None, tmp_path: Path) -> None:
    assert kinds(take(tmp_path, HEADER[:2], (CUSTOMER, PLAN), kind=kind)) == ["subscription"]


def test_a_column_kind_wins_over_what_holds_for_all(tmp_path: Path) -> None:
    rows = take(
        tmp_path,
        HEADER,
        (CUSTOMER, PLAN, ENTITLEMENT, " Azure "),
        (CUSTOMER, PLAN, "", "SUBSCRIPTION"),
        (CUSTOMER, PLAN, ENTITLEMENT, ""),
        (CUSTOMER, PLAN, ENTITLEMENT, "auto"),
        (CUSTOMER, PLAN, "", "azure"),
        ("", "", "", "subscription"),
        kind=Kind.SUBSCRIPTION,
    )
    assert kinds(rows) == ["azure", "subscription", "subscription", "invalid-kind", "missing-entitlement-id", "no-ids"]


def test_where_every_row_says_what_it_wants_there_may_be_no_entitlements_at_all(tmp_path: Path) -> None:
    header = ("customer_id", "subscription_id", "kind")
    rows = take(tmp_path, header, (CUSTOMER, PLAN, "subscription"), (CUSTOMER, PLAN, ""))
    assert kinds(rows) == ["subscription", "missing-entitlement-id"]


def test_a_header_can_be_named_that_holds_the_kind(tmp_path: Path) -> None:
    rows = take(tmp_path, (*HEADER[:3], "What"), (CUSTOMER, PLAN, "", "subscription"), columns={"kind": "What"})
    assert kinds(rows) == ["subscription"]
    with pytest.raises(ColumnError, match="no column is called that"):
        find_layout(HEADER, HeaderRule({"kind": "Which"}))


def test_a_row_with_several_candidates_is_no_row_of_any_kind(tmp_path: Path) -> None:
    header = (*HEADER, "candidates")
    rows = (
        (CUSTOMER, PLAN, "", "", f"{guid(1)}; {guid(2)}"),
        (CUSTOMER, PLAN, "", "subscription", guid(1)),
        (CUSTOMER, PLAN, ENTITLEMENT, "", f"{guid(1)}; {guid(2)}"),
    )
    for_azure = kinds(take(tmp_path, header, *rows))
    assert for_azure == ["ambiguous-row", "ambiguous-row", "azure"]
    assert kinds(take(tmp_path, header, *rows, kind=None)) == for_azure


@pytest.mark.parametrize(
    ("cell", "restored"),
    [("", False), ("true", True), ("YES", True), ("1", True), ("False", False), ("no", False), ("0", False)],
)
def test_the_auto_renew_cell_is_read(cell: str, restored: bool, tmp_path: Path) -> None:
    header = (*HEADER, "restore_auto_renew")
    (input_row,) = take(tmp_path, header, (CUSTOMER, PLAN, "", "subscription", cell))
    assert input_row.restore_auto_renew is restored
    (same,) = take(tmp_path, header, (CUSTOMER, PLAN, "", "subscription", cell), restore_auto_renew=True)
    assert same.restore_auto_renew is (restored if cell else True)


def test_an_unclear_auto_renew_cell_is_not_guessed(tmp_path: Path) -> None:
    header = (*HEADER, "restore_auto_renew")
    assert kinds(take(tmp_path, header, (CUSTOMER, PLAN, "", "subscription", "perhaps"))) == [
        "invalid-restore-auto-renew"
    ]


@pytest.mark.parametrize(
    ("cancelled", "deadline", "soonest"),
    [
        ("2026-03-01", "", "2026-05-30T00:00:00Z"),
        ("2026-03-01T12:00:00+02:00", "", "2026-05-30T10:00:00Z"),
        ("", "2026-04-01T10:00:00Z", "2026-04-01T10:00:00Z"),
        ("2026-03-01", "2026-04-01", "2026-04-01T00:00:00Z"),
        ("2026-01-01", "2026-04-02", "2026-04-01T00:00:00Z"),
        ("01.03.2026", "", ""),
        ("03/01/2026", "9999-12-31", ""),
        ("0001-01-01", "0001-01-01T00:00:00", ""),
        ("9999-12-31", "2026-13-01", ""),
        ("", "", ""),
    ],
)
def test_the_time_left_is_what_the_file_says_of_it(cancelled: str, deadline: str, soonest: str, tmp_path: Path) -> None:
    header = (*HEADER[:3], "cancelled_on", "deadline")
    (input_row,) = take(tmp_path, header, (CUSTOMER, PLAN, ENTITLEMENT, cancelled, deadline))
    assert input_row.deadline == soonest


def test_dates_that_cannot_be_read_are_counted_once(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "input.csv",
        [(CUSTOMER, PLAN, ENTITLEMENT, "1 March"), (CUSTOMER, PLAN, guid(2), "2026-03-01")],
        (*HEADER[:3], "cancelled_on"),
    )
    input_file = InputFile(path, max_rows=100)
    assert len(list(input_file.rows())) == 2
    assert input_file.unread_dates == 1


def test_the_digest_distinguishes_kinds_and_nothing_else(tmp_path: Path) -> None:
    def digest(header: Sequence[str], cells: Sequence[str], **options: object) -> str:
        path = write_csv(tmp_path / "input.csv", [cells], header)
        input_file = InputFile(path, max_rows=100, options=InputOptions(**options))  # type: ignore[arg-type]
        list(input_file.rows())
        return input_file.digest

    azure = digest(HEADER[:3], (CUSTOMER, PLAN, ENTITLEMENT))
    assert digest((*HEADER, "cancelled_on"), (CUSTOMER.upper(), PLAN, ENTITLEMENT, "azure", "2026-01-01")) == azure
    itself = digest(HEADER[:3], (CUSTOMER, PLAN, ENTITLEMENT), kind=Kind.SUBSCRIPTION)
    assert itself != azure
    assert digest(HEADER[:2], (CUSTOMER, PLAN), kind=None) == itself


def day(days: int) -> str:
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}"


MIXED = (
    (*row(guid(1)), "", day(-80)),
    (*row(guid(2)), "azure", day(-1)),
    (PLAIN.customer_id, PLAIN.subscription_id, "", "subscription", ""),
    (PLAIN.customer_id, subscription_target(208).subscription_id, "", "subscription", day(-85)),
    (*row(guid(3)), "azure", day(-91)),
    (*row(guid(4)), "azure", "some day"),
)


def test_a_plan_shows_kinds_and_deadlines(program: Program) -> None:
    write_csv(program.folder / "input.csv", MIXED, (*HEADER, "cancelled_on"))
    plan = json.loads(program("plan", "input.csv", "--json", "--rate", "1/s").out)
    assert plan["kinds"] == {"azure": 4, "subscription": 2}
    # A subscription is read before it is updated.
    assert plan["estimated_seconds"] == 8.0
    assert [entry[:2] for entry in plan["targets"]] == [
        [2, "azure"],
        [3, "azure"],
        [4, "subscription"],
        [5, "subscription"],
        [6, "azure"],
        [7, "azure"],
    ]
    assert plan["targets"][2][2:] == [PLAIN.customer_id, PLAIN.subscription_id, ""]
    assert [entry[0] for entry in plan["deadlines"]] == [6, 5, 2, 3]
    as_text = program("plan", "input.csv")
    assert "less than 14 days left, row 5 only" in as_text.out
    assert "2 rows (2, 5) have" in as_text.out
    assert "the deadline of 1 row (6) has passed" in as_text.out
    assert "1 date in cancelled_on or deadline could not be read: write them like 2026-03-01." in as_text.err


def test_an_online_plan_adds_what_the_service_says(program: Program, partner: Partner) -> None:
    write_csv(program.folder / "input.csv", MIXED, (*HEADER, "cancelled_on"))
    process = program("plan", "input.csv", "--online", "--json", "--base-url", partner.base_url, "--rate", "off")
    plan = json.loads(process.out)
    assert dict(plan["statuses"])[4] == "suspended"
    assert dict(plan["statuses"])[5] == "active"
    # What is active is in no danger; the end of a term comes from the service.
    assert {entry[0] for entry in plan["deadlines"]} == {2, 3, 4, 6}
    assert {call["method"] for call in partner.service.call_log.calls} == {"GET"}


def run(
    program: Program, partner: Partner, rows: Sequence[Sequence[str]], header: Sequence[str], *more: str
) -> ProgramResult:
    write_csv(program.folder / "input.csv", rows, header)
    return program("run", "input.csv", "--base-url", partner.base_url, *FAST, *more)


def test_both_kinds_run_from_one_file(program: Program, partner: Partner) -> None:
    plan = subscription_target(7003)
    rows = (
        (plan.customer_id, plan.subscription_id, guid(1), "", "kept"),
        (plan.customer_id, plan.subscription_id, "", "", "kept"),
        (PLAIN.customer_id.upper(), f"{{{PLAIN.subscription_id}}}", "", "", "kept"),
        (plan.customer_id, subscription_target(8001).subscription_id, "", "", "kept"),
    )
    process = run(
        program,
        partner,
        rows,
        (*HEADER[:3], "kind", "note"),
        *("--kind", "auto", "--verify-after", "0", "--verify-every", "0.2s"),
    )
    assert process.code == 1
    results = read_csv(process.run / "results.csv")
    assert [(line["status"], line["error_code"]) for line in results] == [
        ("accepted", ""),
        ("reactivated", ""),
        ("accepted", ""),
        ("failed", "subscription-expired"),
    ]
    assert [tuple(line[name] for name in (*HEADER[:3], "kind", "note")) for line in results] == list(rows)
    assert results[3]["advice"].startswith("This subscription cannot be brought back")
    assert "Auto-renew is off since the suspension" in results[2]["advice"]
    assert partner.service.call_log.violations == []
    assert sum(process.summary["counts"].values()) == 4  # type: ignore[attr-defined]


def test_auto_renewal_is_restored_where_a_row_asks_for_it(program: Program, partner: Partner) -> None:
    rows = [
        (PLAIN.customer_id, subscription_target(tail).subscription_id, wish)
        for tail, wish in ((1, "yes"), (2, ""), (6001, "1"))
    ]
    header = ("customer_id", "subscription_id", "restore_auto_renew")
    process = run(program, partner, rows, header, "--kind", "subscription", "--verify-after", "0")
    assert process.code == 0
    results = read_csv(process.run / "results.csv")
    assert [line["status"] for line in results] == ["reactivated", "accepted", "reactivated"]
    advices = [line["advice"] for line in results]
    assert advices[0] == ""
    assert advices[1].startswith("Auto-renew is off")
    assert advices[2].startswith("Auto-renew is still off")
    assert [effect["subscription_id"] for effect in partner.service.call_log.effects if "auto_renew" in effect] == [
        subscription_target(1).subscription_id
    ]


def test_auto_renewal_is_restored_for_all_rows_if_the_command_says_so(program: Program, partner: Partner) -> None:
    rows = [(PLAIN.customer_id, PLAIN.subscription_id)]
    process = run(
        program, partner, rows, ("customer_id", "subscription_id"), "--kind", "subscription", "--restore-auto-renew"
    )
    assert read_csv(process.run / "results.csv")[0]["advice"] == ""
    assert [effect.get("auto_renew") for effect in partner.service.call_log.effects] == [None, "restored"]


def test_the_resource_that_goes_back_is_what_was_read_and_nothing_of_it_is_kept(
    program: Program, partner: Partner
) -> None:
    rows = [
        (PLAIN.customer_id, subscription_target(tail).subscription_id) for tail in (1, 7000, 9001, 9002, 9003, 9004)
    ]
    process = run(program, partner, rows, ("customer_id", "subscription_id"), "--kind", "subscription")
    assert process.code == 0
    assert partner.service.call_log.violations == []
    written = b"".join(path.read_bytes() for path in process.run.iterdir() if path.is_file())
    assert b"commitmentEndDate" not in written
    assert CANARY.encode() not in written


def test_a_failed_reading_hands_its_request_id_on_to_the_next_reading(program: Program, partner: Partner) -> None:
    reading, update = subscription_target(9_000_500), subscription_target(1504)
    rows = [(PLAIN.customer_id, id_target.subscription_id) for id_target in (reading, update)]
    header = ("customer_id", "subscription_id")
    process = run(
        program, partner, rows, header, "--kind", "subscription", "--attempts", "1", "--halt-on-failures", "off"
    )
    failed, unknown = read_csv(process.run / "failed.csv")
    assert failed["error_description"].startswith("while reading the subscription: ")
    assert (failed["status"], unknown["status"]) == ("failed", "unknown")
    partner.service.call_log.calls.clear()
    again = program(
        *("run", process.run / "failed.csv", "--kind", "subscription", "--reports", "again", "--attempts", "1"),
        *("--base-url", partner.base_url, *FAST, "--halt-on-failures", "off"),
    )
    assert again.code == 1
    calls = {(call["method"], str(call["path"])[-12:]): call["request_id"] for call in partner.service.call_log.calls}
    assert calls["GET", reading.subscription_id[-12:]] == failed["request_id"]
    assert calls["PATCH", update.subscription_id[-12:]] == unknown["request_id"]
    assert calls["GET", update.subscription_id[-12:]] != unknown["request_id"]
    assert partner.service.call_log.violations == []


def test_a_retry_takes_a_parent_and_its_children_together(program: Program, partner: Partner) -> None:
    plan = subscription_target(9_000_500)
    rows = [(plan.customer_id, plan.subscription_id, guid(1)), (plan.customer_id, plan.subscription_id, "")]
    process = run(program, partner, rows, HEADER[:3], "--kind", "auto", "--attempts", "1", "--halt-on-failures", "off")
    first = read_csv(process.run / "results.csv")
    assert [line["status"] for line in first] == ["not_attempted", "failed"]
    assert first[0]["error_code"] == "parent-failed"
    retried = program(
        *("retry", process.run.name, "--attempts", "1", "--halt-on-failures", "off", *FAST),
    )
    assert "Retrying 2 rows" in retried.err


def test_urgent_rows_go_first_where_that_is_asked_for(program: Program, partner: Partner) -> None:
    rows = [(*row(guid(number), number), deadline) for number, deadline in ((1, day(60)), (2, ""), (3, day(5)))]
    process = run(program, partner, rows, (*HEADER[:3], "deadline"), "--order", "urgent", "--concurrency", "1")
    assert process.code == 0
    assert [call["path"].split("/")[-2] for call in partner.requests()] == [guid(3), guid(1), guid(2)]

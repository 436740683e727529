"""What a run shows before it sends anything, and what its question names."""

from pathlib import Path

import pytest

from bulkreact.batch.journal.journal import LOCK_NAME
from bulkreact.batch.journal.pending_rows import OpenCount
from bulkreact.cli import confirm as confirm_module
from bulkreact.cli.confirm import confirm
from bulkreact.partnercenter.auth.access import AuthorizedAccess
from bulkreact.partnercenter.auth.access_tokens import StaticToken
from bulkreact.runs.beginning import describe_sending
from bulkreact.settings import Cloud, Limits, Service
from bulkreact.system_lock import system_lock
from tests.support.ids import HEADER, guid, metadata, read_csv, row, write_csv
from tests.support.program import Partner, Program, ProgramResult
from tests.support.run_commands import FAST, latest_run, run

SERVICE = Service(Cloud.GLOBAL, "https://partner.example", "v1", simulated=False)


def read_facts(ended: ProgramResult) -> dict[str, str]:
    """Return the block with which a command begins."""
    lines = ended.err.partition("status ")[0].splitlines()
    return {name: value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon}


def test_a_run_begins_with_its_facts(program: Program, partner: Partner) -> None:
    ended = run(program, partner, ["a", "b", "c"], "--tenant-id", guid(7), "--rate", "10/s")
    facts = read_facts(ended)
    assert facts["Run"] == ended.run.name
    assert facts["Folder"].endswith(ended.run.name)
    assert facts["Input"] == "input.csv, 3 rows"
    assert facts["Target"] == f"{partner.base_url}/v1, tenant {guid(7)}"
    assert facts["To send"] == "3 rows of 3 customers"
    assert facts["Duration"] == "about 1 second"
    assert len(read_csv(ended.run / "results.csv")) == 3


@pytest.mark.parametrize(("customers", "whom"), [([1, 1], "customer Kessler"), ([1, 2], "2 customers")])
def test_the_question_names_the_only_customer(
    program: Program, partner: Partner, customers: list[int], whom: str
) -> None:
    rows = [(*row(guid(number), customer), "Kessler") for number, customer in enumerate(customers)]
    write_csv(program.folder / "input.csv", rows, (*HEADER, "Kunde"))
    refused = program("run", "input.csv", "--base-url", partner.base_url)
    assert (refused.code, f"Reactivate 2 subscriptions of {whom} at {partner.base_url}" in refused.err) == (2, True)


def test_every_command_that_works_on_a_run_begins_with_its_facts(program: Program, partner: Partner) -> None:
    first = run(program, partner, ["a", 900278, "b"], "--limit", "2").run.name
    resume, verify, retry = (program(command, first, *FAST) for command in ("resume", "verify", "retry"))
    assert read_facts(retry)["Origin"] == f"retry of {first}"
    assert [read_facts(ended)["Run"] for ended in (resume, verify, retry)] == [first, first, latest_run(program).name]
    assert [read_facts(ended)["To send"] for ended in (retry, resume)] == [
        f"1 row of customer {guid(number)}" for number in (1001, 1002)
    ]
    assert read_facts(verify)["To look at"] == "2 rows"


def test_a_sweep_begins_each_run_with_its_facts(program: Program) -> None:
    (program.folder / "inputs").mkdir()
    write_csv(program.folder / "inputs" / "list.csv", [row(guid(1)), row("no-guid")])
    facts = read_facts(program("sweep", "--simulate", "--settle", "0"))
    assert facts["Run"] == latest_run(program).name
    assert facts["Input"] == "list.csv, 2 rows, 1 invalid"
    assert facts["To send"] == f"1 row of customer {guid(1001)}"


def test_a_run_says_how_long_it_takes_and_not_until_when_as_nobody_has_agreed_yet() -> None:
    access = AuthorizedAccess(StaticToken("token", now=lambda: 0.0))
    count, limits = OpenCount(rows=200_000, customers=9, calls=300_000), Limits(calls_per_second=5)
    lines = describe_sending(metadata(), Path("reports/x"), count, access, limits).splitlines()
    assert lines[-2:] == [
        "To send:    200,000 rows of 9 customers",
        "Duration:   about 16 hours 40 minutes",
    ]


def test_a_quiet_run_does_not(program: Program, partner: Partner) -> None:
    assert "Folder:" not in run(program, partner, ["a"], *FAST, "-q").err


@pytest.mark.parametrize(
    ("tenant", "rate", "question"),
    [
        (
            "contoso.example",
            5.0,
            (
                "Reactivate 1,200 subscriptions of 1 customer at https://partner.example, tenant contoso.example? "
                "That takes about 4 minutes and cannot be undone."
            ),
        ),
        (
            "",
            None,
            "Reactivate 1,200 subscriptions of 1 customer at https://partner.example? That cannot be undone.",
        ),
    ],
)
def test_the_question_names_what_cannot_be_undone(
    monkeypatch: pytest.MonkeyPatch, tenant: str, rate: float | None, question: str
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(confirm_module, "ask", lambda text, _refusal: asked.append(text))
    confirm(OpenCount(1200, 1, 1200), "", SERVICE, yes=False, tenant_id=tenant, calls_per_second=rate)
    assert asked == [question]


def test_rows_that_were_run_before_are_sent_again_only_by_who_is_told_in_the_question(
    program: Program, partner: Partner
) -> None:
    first = run(program, partner, ["a"])
    asked = program("run", "input.csv", "--base-url", partner.base_url)
    assert asked.code == 2
    assert (
        f"I cannot ask: The same rows were run before and finished, as {first.run.name}: they are sent again. "
        in asked.err
    )
    assert len(partner.requests()) == 1


@pytest.mark.parametrize("command", [("run", "input.csv"), ("resume",)])
def test_a_run_that_has_its_process_ends_another_before_it_says_what_it_would_send(
    program: Program, partner: Partner, command: tuple[str, ...]
) -> None:
    folder = run(program, partner, ["a", 1599], "--attempts", "1").run
    target = ("--base-url", partner.base_url) if command[0] == "run" else ()
    with system_lock(folder / LOCK_NAME):
        ended = program(*command, *target, *FAST)
    assert ended.code == 5
    assert f"Another process is working on run {folder.name}." in ended.err
    assert "Target:" not in ended.err

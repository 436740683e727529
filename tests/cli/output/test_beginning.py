"""What a run shows before it sends anything, and what its question names."""

from functools import partial

import pytest

from bulkreact.batch.journal.pending_rows import OpenCount
from bulkreact.cli import confirm as confirm_module
from bulkreact.cli.confirm import confirm
from bulkreact.settings import Cloud, Service
from tests.support.ids import HEADER, guid, read_csv, row, write_csv
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST, run

SERVICE = Service(Cloud.GLOBAL, "https://partner.example", "v1", simulated=False)


def test_a_run_begins_with_its_facts(program: Program, partner: Partner) -> None:
    ended = run(program, partner, ["a", "b", "c"], "--tenant-id", guid(7), "--rate", "10/s")
    facts = dict(line.split(":", 1) for line in ended.err.partition("status ")[0].splitlines() if ":  " in line)
    facts = {name: value.strip() for name, value in facts.items()}
    assert facts["Run"] == ended.run.name
    assert facts["Folder"].endswith(ended.run.name)
    assert facts["Input"] == "input.csv, 3 rows"
    assert facts["Target"] == f"{partner.base_url}/v1, tenant {guid(7)}"
    assert facts["Duration"].startswith("about 0:01, until ")
    assert len(read_csv(ended.run / "results.csv")) == 3


@pytest.mark.parametrize(("customers", "whom"), [([1, 1], "customer Kessler"), ([1, 2], "2 customers")])
def test_the_question_names_the_only_customer(
    program: Program, partner: Partner, customers: list[int], whom: str
) -> None:
    rows = [(*row(guid(number), customer), "Kessler") for number, customer in enumerate(customers)]
    write_csv(program.folder / "input.csv", rows, (*HEADER, "Kunde"))
    refused = program("run", "input.csv", "--base-url", partner.base_url)
    assert (refused.code, f"Reactivate 2 subscriptions of {whom} at {partner.base_url}" in refused.err) == (2, True)


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
                "That takes about 4:00 and cannot be undone."
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
    confirm(partial(OpenCount, 1200, 1), SERVICE, yes=False, tenant_id=tenant, calls_per_second=rate)
    assert asked == [question]

"""Outages as people and monitors see them: the terminal, the log, status, the report and the next sweep."""

import json
import os
import re
import signal
import socket
from collections import Counter
from collections.abc import Callable

import pytest

from bulkreact.simulator.partnercenter.outages import OutageKind, ScheduledOutage
from bulkreact.simulator.partnercenter.service import Behaviour
from tests.support.ids import guid, row, write_csv
from tests.support.inboxes import file_names, inbox_folder, sweep
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST, row_statuses, wait_until

FOR_EVER = Behaviour(outages=(ScheduledOutage(0, 1e9, OutageKind.UNAVAILABLE),))
AS_JSON = ("--log-format", "json")


def write_rows(program: Program, rows: int = 12) -> None:
    write_csv(program.folder / "input.csv", [row(guid(number), number) for number in range(rows)])


def can_connect(partner: Partner) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(partner.base_url.rpartition(":")[2]))) == 0


def test_a_run_waits_until_a_probe_is_accepted_and_says_so_everywhere(program: Program, partner: Partner) -> None:
    write_rows(program)
    partner.service.behaviour = FOR_EVER
    process = program.start("run", "input.csv", "--base-url", partner.base_url, *FAST, *AS_JSON)
    wait_until(lambda: len(partner.requests()) == 3)
    wait_until(lambda: "Outage:" in program("status").out)
    while_down = program("status").out
    as_json = json.loads(program("status", "--json").out)
    partner.service.behaviour = Behaviour()
    ended = program.wait(process)
    assert ended.code == 0
    assert "Partner Center is down since" in while_down
    assert "the next probe is at" in while_down
    assert as_json["outages"][0]["next_probe_at"] > as_json["outages"][0]["since"]
    assert row_statuses(ended.run) == ["accepted"] * 12
    events = [json.loads(line)["event"] for line in ended.err.splitlines()]
    assert Counter(event for event in events if event.startswith("outage.")) == {"outage.began": 1, "outage.ended": 1}
    (outage,) = json.loads((ended.run / "summary.json").read_text())["outages"]
    assert (outage["probes"], outage["next_probe_at"], outage["cause"][:8]) == (1, "", "http-503")
    page = (ended.run / "report.html").read_text()
    assert "Partner Center was unreachable from" in page
    assert re.search(
        r"Partner Center could not be reached.*All calls waited for [\d:]+. 1 probe. The latest answer: http-503", page
    )
    assert "1 probe" in program("status").out


@pytest.mark.parametrize("kind", [kind for kind in OutageKind if kind is not OutageKind.REFUSED])
def test_whatever_it_looks_like_an_outage_that_is_too_long_ends_with_75(
    program: Program, partner: Partner, kind: OutageKind
) -> None:
    write_rows(program)
    partner.service.behaviour = Behaviour(outages=(ScheduledOutage(0, 1e9, kind),))
    options = ("--max-outage", "0", "--timeout", "0.3")
    process = program("run", "input.csv", "--base-url", partner.base_url, *FAST, *options)
    assert process.code == 75
    assert (process.summary["state"], process.summary["exit_code"]) == ("interrupted", 75)
    assert len(partner.requests()) == 3
    assert f"bulkreact resume {process.run.name}" in process.err
    partner.service.behaviour = Behaviour()
    assert program("resume", *FAST).code == 0
    assert row_statuses(process.run) == ["accepted"] * 12


def test_what_cannot_be_connected_to_is_an_outage_and_no_row_of_it_fails(program: Program) -> None:
    write_rows(program)
    process = program("run", "input.csv", "--base-url", "http://127.0.0.1:1", *FAST, "--max-outage", "0")
    assert process.code == 75
    assert row_statuses(process.run) == ["not_attempted"] * 12


def test_a_simulator_that_refuses_connections_gets_no_call(
    program: Program, start_partner: Callable[[Behaviour], Partner]
) -> None:
    write_rows(program)
    partner = start_partner(Behaviour(outages=(ScheduledOutage(0, 1e9, OutageKind.REFUSED),)))
    wait_until(lambda: not can_connect(partner))
    process = program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--max-outage", "0")
    assert process.code == 75
    assert row_statuses(process.run) == ["not_attempted"] * 12
    assert partner.requests() == []


def test_the_next_sweep_goes_on_by_itself(program: Program, partner: Partner) -> None:
    write_csv(inbox_folder(program) / "a.csv", [row(guid(number), number) for number in range(12)])
    write_csv(inbox_folder(program) / "b.csv", [row(guid(100 + number), number) for number in range(12)])
    partner.service.behaviour = FOR_EVER
    assert sweep(program, partner, "--max-outage", "0").code == 75
    assert file_names(inbox_folder(program)) == ["a.csv", "b.csv"]
    partner.service.behaviour = Behaviour()
    assert sweep(program, partner).code == 0
    assert len(partner.service.call_log.effects) == 24


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM")
def test_a_signal_does_not_wait_for_the_end_of_an_outage(program: Program, partner: Partner) -> None:
    write_rows(program)
    partner.service.behaviour = FOR_EVER
    process = program.start("run", "input.csv", "--base-url", partner.base_url, *FAST)
    wait_until(lambda: len(partner.requests()) == 3)
    process.send_signal(signal.SIGTERM)
    assert program.wait(process).code == 143
    assert len(partner.requests()) == 3


def test_the_simulator_can_be_told_when_it_is_down(program: Program) -> None:
    process = program("simulator", "--outage", "20s..50s:418")
    assert process.code == 2
    assert "write it like 20s..50s:503" in process.err

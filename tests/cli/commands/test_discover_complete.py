"""Filling in entitlement ids: only where there is one candidate, and nothing else of the file is touched."""

import asyncio
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from openpyxl import Workbook

from bulkreact.sheets.columns import HeaderRule
from bulkreact.sheets.input.input_options import InputOptions
from bulkreact.sheets.input.workbook.xlsx_table import WorkbookTable
from tests.support.background_loop import serving
from tests.support.discovery_server import Answer, DiscoveryServer, entitlement, plan, serve_portfolio, subscription
from tests.support.ids import guid, read_csv, write_csv
from tests.support.program import Program, ProgramResult
from tests.support.run_commands import wait_until

HEADER = ("Note", "customer_id", "subscription_id", "entitlement_id", "name")


@pytest.fixture
def server(loop: asyncio.AbstractEventLoop) -> Iterator[DiscoveryServer]:
    with serving(loop, serve_portfolio(DiscoveryServer())) as server:
        server.add(1, plan(11), plan(14), plan(15), subscription(12), name="Contoso")
        server.add(2, plan(21), name="Fabrikam")
        server.entitlements[11] = [entitlement(111), entitlement(112, "active")]
        server.entitlements[14] = [
            entitlement(141, friendlyName="A; b"),
            entitlement(142, "suspended"),
            entitlement(143),
        ]
        server.entitlements[15] = [entitlement(151, "active")]
        server.entitlements[21] = [entitlement(211)]
        yield server


def row(
    customer: int, subscription_number: int, entitlement_id: str = "", note: str = "", name: str = ""
) -> Sequence[str]:
    """Return a row by numbers."""
    return note, guid(customer), guid(subscription_number), entitlement_id, name


def complete(program: Program, server: DiscoveryServer, *options: str | Path, source: str = "in.csv") -> ProgramResult:
    """Complete a file."""
    return program("discover", "--base-url", server.base_url, "--rate", "off", "--complete", source, *options)


def test_one_candidate_is_filled_in_and_several_are_listed(program: Program, server: DiscoveryServer) -> None:
    rows = [
        row(1, 11, note="=1+1", name="x"),
        # Its name is that of a candidate, which proves nothing.
        row(1, 14, name="Azure 142"),
        row(1, 15),
        row(1, 12),
        row(1, 19),
        row(2, 21, guid(7).upper(), note="kept"),
        ("total", "", "", "", "6"),
        row(2, 21),
    ]
    write_csv(program.folder / "in.csv", rows, HEADER)
    process = complete(program, server, "--out", "out.csv")
    assert process.code == 0, process.err
    lines = read_csv(program.folder / "out.csv")
    assert list(lines[0]) == [*HEADER, "candidates"]
    assert [[*list(line.values())[:3], line["name"]] for line in lines] == [[*line[:3], line[4]] for line in rows]
    assert [line["entitlement_id"] for line in lines] == [
        *(guid(111).upper(), "", "", "", "", guid(7).upper(), "", guid(211).upper())
    ]
    candidates = [line["candidates"] for line in lines]
    assert candidates[1] == (
        f"{guid(141).upper()} (A, b, inactive); {guid(142).upper()} (Azure 142, suspended); "
        f"{guid(143).upper()} (Azure 143, inactive)"
    )
    assert [bool(candidate) for candidate in candidates] == [False, True, False, False, False, False, False, False]
    for message in (
        "2  Filled in",
        "choose one, and put it into entitlement_id (row 3)",
        "every Azure subscription of this plan is already active (row 4)",
        "Not an Azure plan, so it has no entitlements (row 5)",
        "the customer has none with this id (row 6)",
        "2  Left as they were",
    ):
        assert message in process.err
    assert {call.method for call in server.calls} == {"GET"}
    asked = [path.split("/")[-2].lower() for path in server.call_paths("/azureEntitlements")]
    assert sorted(asked) == [guid(number) for number in (11, 14, 15, 21)]
    assert len(server.call_paths("/subscriptions")) == 2
    assert [file.name for file in (program.folder / "reports").iterdir()] == [".discover.lock"]


@pytest.mark.parametrize("out", ["out.csv", "out.xlsx"])
def test_what_is_completed_can_be_planned(program: Program, server: DiscoveryServer, out: str) -> None:
    lines = [("Kunden-ID", "Abonnement-ID", "Name"), (guid(1), guid(11), "Müller"), (guid(2), guid(21), "=x")]
    text = "\r\n".join(";".join(cells) for cells in lines)
    (program.folder / "in.csv").write_bytes(b"sep=;\r\n" + text.encode("cp1252"))
    process = complete(program, server, "--out", out)
    assert process.code == 0, process.err
    planned = program("plan", out, "--json")
    assert planned.code == 0, planned.err
    assert guid(111) in planned.out
    assert guid(211) in planned.out


def book(path: Path, rows: Sequence[Sequence[str]]) -> None:
    """Write a workbook with a title."""
    made = Workbook()
    sheet = made.active
    sheet.append(["What finance wants back"])
    for cells in rows:
        sheet.append(cells)
    for line in sheet.iter_rows():
        for cell in line:
            cell.data_type = "s" if cell.value else cell.data_type
    made.save(path)


def test_a_workbook_is_completed_into_a_workbook_or_into_text(program: Program, server: DiscoveryServer) -> None:
    book(program.folder / "in.xlsx", [HEADER, row(1, 11, note="=1+1"), row(1, 14)])
    before = (program.folder / "in.xlsx").read_bytes()
    for out in ("out.xlsx", "out.csv"):
        assert complete(program, server, "--out", out, source="in.xlsx").code == 0
    table = WorkbookTable(program.folder / "out.xlsx", "out.xlsx", HeaderRule(), InputOptions())
    assert table.header == (*HEADER, "candidates")
    ((first, second),) = [chunk.to_numpy().tolist() for chunk in table.chunks()]
    assert first[0] == "=1+1"
    assert (first[3], second[3]) == (guid(111).upper(), "")
    assert guid(143).upper() in second[5]
    lines = read_csv(program.folder / "out.csv")
    assert [line["Note"] for line in lines] == ["'=1+1", ""]
    assert (program.folder / "in.xlsx").read_bytes() == before


def test_a_results_file_stays_one_and_a_second_completion_changes_nothing(
    program: Program, server: DiscoveryServer
) -> None:
    write_csv(program.folder / "in.csv", [row(1, 11, guid(5), note="=1"), row(1, 14, note="x\r\ny")], HEADER)
    ran = program("run", "in.csv", "--base-url", server.base_url, "--rate", "off", "--yes", "--results", "results.csv")
    assert ran.code == 1
    before = (program.folder / "results.csv").read_bytes()
    assert complete(program, server, "--out", "once.csv", source="results.csv").code == 0
    assert complete(program, server, "--out", "twice.csv", source="once.csv").code == 0
    once = (program.folder / "once.csv").read_bytes()
    assert once == (program.folder / "twice.csv").read_bytes()
    assert once.split(b"\n")[1] == before.split(b"\n")[1] + b","
    assert b"'=1" in once


def test_rows_of_other_kinds_and_ragged_ones_are_left_alone(program: Program, server: DiscoveryServer) -> None:
    header = ("kind", "customer_id", "subscription_id", "candidates")
    rows = [
        ("subscription", guid(1), guid(11), "old"),
        ("AZURE", guid(1), guid(11), "old"),
        ("", guid(1), guid(11), "", "surplus"),
        ("sometimes", guid(1), guid(11), ""),
    ]
    write_csv(program.folder / "in.csv", rows, header)
    assert complete(program, server, "--out", "out.csv").code == 0
    with (program.folder / "out.csv").open(newline="") as file:
        names, *lines = csv.reader(file)
    assert names == ["kind", "customer_id", "subscription_id", "candidates", "entitlement_id"]
    assert [line[3:] for line in lines] == [["old", ""], ["", guid(111).upper()], ["", "", "surplus"], ["", ""]]


def test_what_cannot_be_read_is_left_as_it_is_and_named(program: Program, server: DiscoveryServer) -> None:
    write_csv(program.folder / "in.csv", [row(1, 11), row(2, 21), row(1, 14)], HEADER)
    server.fixed_answers[f"{guid(2)}/subscriptions"] = Answer.error(403, 20002)
    server.fixed_answers[f"{guid(11)}/azureEntitlements"] = Answer.error(404, 20003)
    process = complete(program, server, "--out", "out.csv")
    assert process.code == 1
    lines = read_csv(program.folder / "out.csv")
    assert [bool(line["candidates"]) for line in lines] == [False, False, True]
    assert [line["entitlement_id"] for line in lines] == ["", "", ""]
    assert "could not be read (rows 2-3)" in process.err
    assert "20002" in process.err
    assert f"Azure plan {guid(11).upper()}" in process.err


@pytest.mark.parametrize("out", ["./in.csv", "linked.csv"])
def test_the_input_is_never_overwritten(program: Program, server: DiscoveryServer, out: str) -> None:
    path = write_csv(program.folder / "in.csv", [row(1, 11)], HEADER)
    (program.folder / "linked.csv").hardlink_to(path)
    before = path.read_bytes()
    process = complete(program, server, "--out", out)
    assert process.code == 2
    assert "would overwrite the input" in process.err
    assert path.read_bytes() == before
    assert server.calls == []


def test_usage_is_checked_before_any_call(program: Program, server: DiscoveryServer) -> None:
    write_csv(program.folder / "in.csv", [("x", "y")], ("customer_id", "name"))
    missing = complete(program, server, "--out", "out.csv")
    assert (missing.code, server.calls) == (2, [])
    assert "subscription_id" in missing.err
    assert complete(program, server, "--status", "x").code == 2
    assert complete(program, server, "--customer", guid(1)).code == 2
    assert complete(program, server, "--kind", "subscription").code == 2
    assert complete(program, server, source="nowhere.csv").code == 2


def test_a_file_that_lacks_nothing_needs_no_call(program: Program, server: DiscoveryServer) -> None:
    write_csv(program.folder / "in.csv", [row(1, 11, guid(5))], HEADER)
    process = complete(program, server)
    assert process.code == 0
    assert server.calls == []
    assert process.out.splitlines()[1] == f",{guid(1)},{guid(11)},{guid(5)},,"


def test_it_continues_after_a_kill(program: Program, server: DiscoveryServer) -> None:
    write_csv(program.folder / "in.csv", [row(1, 11), row(2, 21)], HEADER)
    last = f"{guid(21)}/azureEntitlements"
    server.blocked.add(last)
    options = ("--base-url", server.base_url, "--rate", "off", "--concurrency", "1")
    command = ("discover", *options, "--complete", "in.csv", "--out", "out.csv")
    process = program.start(*command)
    wait_until(lambda: len(server.call_paths(last)) == 1)
    process.kill()
    program.wait(process)
    server.blocked.clear()
    assert not (program.folder / "out.csv").exists()
    server.calls.clear()
    again = program(*command)
    assert again.code == 0, again.err
    assert server.call_paths(f"{guid(1)}/subscriptions") == []
    assert [line["entitlement_id"] for line in read_csv(program.folder / "out.csv")] == [
        guid(111).upper(),
        guid(211).upper(),
    ]

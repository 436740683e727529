"""A run that others may have written is worked on only when it is named and agreed to, and sends nothing elsewhere."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from bulkreact import file_access
from bulkreact.batch.discovery.store import DiscoveryStore
from bulkreact.batch.journal.journal import Journal
from bulkreact.batch.journal.metadata import RunSettings
from bulkreact.cli import credentials
from bulkreact.cli.commands import run
from bulkreact.errors import InputRefusedError
from bulkreact.inbox.ledger import LEDGER
from bulkreact.models import RunState, Status
from bulkreact.runs.index import list_runs
from bulkreact.runs.index_file import INDEX_NAME, load_all
from bulkreact.runs.retry_selection import preview_retry
from bulkreact.runs.run_record import read_run
from bulkreact.runs.run_trust import foreign_run, refuse_unknown_addresses
from tests.support.ids import AT, guid, metadata, row, write_csv
from tests.support.made_runs import make_run, make_runs
from tests.support.program import Partner, Program, ProgramResult
from tests.support.run_commands import FAST

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has neither such owners nor such modes")
CLOUD, ELSEWHERE = "https://api.partnercenter.microsoft.com", "https://partner.example"
LOGIN = "https://login.microsoftonline.com"
COMMANDS = ["resume", "retry", "verify", "results"]


@pytest.fixture
def begun(program: Program, partner: Partner) -> ProgramResult:
    """Begin a run, and leave a row of it out."""
    write_csv(program.folder / "input.csv", [row(guid(number), number) for number in range(2)])
    process = program("run", "input.csv", "--base-url", partner.base_url, *FAST, "--limit", "1")
    assert process.code == 0
    partner.service.call_log.calls.clear()
    return process


def test_what_a_run_says_that_others_may_have_written_keeps_no_row_from_a_retry(tmp_path: Path) -> None:
    failed = read_run(make_run(tmp_path / "20260301T120000Z-test-0000", 2, Status.FAILED))
    later = make_run(tmp_path / "20260301T120001Z-test-0001", 2, Status.ACCEPTED, at="2026-03-01T13:00:00.000Z")
    believed = preview_retry(failed, tmp_path, all_failed=False)
    later.chmod(0o777)
    doubted = preview_retry(failed, tmp_path, all_failed=False)
    assert [(rows.customers.total(), rows.reactivated) for rows in (believed, doubted)] == [(0, 2), (2, 0)]


def let_files_be_anothers(_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_access, "foreign_owner", lambda _file: "it belongs to bob (user 1002)")


def let_others_write_the_folder(folder: Path, _monkeypatch: pytest.MonkeyPatch) -> None:
    folder.chmod(0o777)


def let_others_write_the_journal(folder: Path, _monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "journal.sqlite3").chmod(0o666)


def let_others_write_its_log(folder: Path, _monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "journal.sqlite3-wal").touch()
    (folder / "journal.sqlite3-wal").chmod(0o666)


SPOILED = [let_files_be_anothers, let_others_write_the_folder, let_others_write_the_journal, let_others_write_its_log]
Spoil = Callable[[Path, pytest.MonkeyPatch], None]


@pytest.mark.parametrize("spoil", SPOILED)
def test_it_is_told_by_owner_and_mode(begun: ProgramResult, monkeypatch: pytest.MonkeyPatch, spoil: Spoil) -> None:
    assert foreign_run(begun.run) == ""
    spoil(begun.run, monkeypatch)
    assert foreign_run(begun.run)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["latest", "id", "folder"])
def test_it_is_refused_before_anything_is_sent(
    program: Program, partner: Partner, begun: ProgramResult, command: str, name: str
) -> None:
    begun.run.chmod(0o777)
    named = {"latest": "latest", "id": begun.run.name, "folder": str(begun.run)}[name]
    process = program(command, named)
    assert process.code == 2
    assert "Others may have written run" in process.err
    assert "everybody can write to it" in process.err
    assert partner.service.call_log.calls == []


@pytest.mark.parametrize(("command", "calls"), [("resume", 1), ("verify", 1), ("results", 0)])
def test_it_is_worked_on_when_it_is_named_and_agreed_to(
    program: Program, partner: Partner, begun: ProgramResult, command: str, calls: int
) -> None:
    begun.run.chmod(0o777)
    options = FAST[: {"resume": 3, "verify": 2, "results": 0}[command]]
    assert program(command, "latest", "--trust-folder", *options).code == 2
    process = program(command, begun.run.name, "--trust-folder", *options)
    assert process.code in {0, 1}, process.err
    assert len(partner.service.call_log.calls) == calls


def interrupt(folder: Path) -> None:
    """Let a run have a session that was interrupted."""
    with Journal(folder) as journal:
        session = journal.begin_session(command="resume", version="1", configured_per_minute=None, now=AT)
        journal.end_session(session, state=RunState.INTERRUPTED, exit_code=130, reason="", now=AT)


def test_the_same_input_is_not_run_anew_beside_it(program: Program, partner: Partner, begun: ProgramResult) -> None:
    interrupt(begun.run)
    begun.run.chmod(0o777)
    options = ("run", "input.csv", "--base-url", partner.base_url, *FAST, "--limit", "1")
    process = program(*options)
    assert process.code == 2
    assert f"Others may have written run {begun.run.name}" in process.err
    assert partner.service.call_log.calls == []


def test_its_index_is_not_believed(tmp_path: Path) -> None:
    make_runs(tmp_path, 2)
    for journal in tmp_path.glob("*/journal.sqlite3"):
        os.utime(journal, (1_000_000_000, 1_000_000_000))
    assert len(list_runs(tmp_path).runs) == 2
    assert len(load_all(tmp_path).entries) == 2
    (tmp_path / INDEX_NAME).chmod(0o666)
    assert not load_all(tmp_path).entries
    assert len(list_runs(tmp_path).runs) == 2


def test_a_ledger_that_others_can_write_is_not_believed(program: Program) -> None:
    (program.folder / "inputs").mkdir()
    assert program("sweep", "--simulate").code == 0
    (program.folder / "reports" / LEDGER).chmod(0o666)
    process = program("sweep", "--simulate")
    assert process.code == 2
    assert "Others may have written the ledger" in process.err


def test_a_discovery_that_others_can_write_is_not_believed(tmp_path: Path) -> None:
    path, now = tmp_path / "discovery.sqlite3", datetime.now(UTC)
    with DiscoveryStore(path, now=now):
        path.chmod(0o666)
    with pytest.raises(InputRefusedError, match="everybody can write to it"):
        DiscoveryStore(path, now=now)
    with DiscoveryStore(path, now=now, ignore_cache=True):
        assert file_access.foreign_access(path) == ""


# Where the calls of a run go.


@pytest.mark.parametrize(
    ("base_url", "authority", "settings", "expected"),
    [
        (CLOUD, "", [], ""),
        (CLOUD, LOGIN, [], ""),
        (CLOUD, f"{LOGIN}/contoso.example", [], ""),
        ("http://127.0.0.1:8080", "https://localhost:1", [], ""),
        (ELSEWHERE, "", [ELSEWHERE], ""),
        (CLOUD, ELSEWHERE, [f"{ELSEWHERE}/tenant"], ""),
        (ELSEWHERE, "", [], f"--base-url {ELSEWHERE}"),
        (ELSEWHERE, "", ["https://other.example"], f"--base-url {ELSEWHERE}"),
        (f"{CLOUD}.example", "", [], f"--base-url {CLOUD}.example"),
        (f"{CLOUD}:444", "", [], f"--base-url {CLOUD}:444"),
        (CLOUD, ELSEWHERE, [], f"--authority {ELSEWHERE}"),
        (ELSEWHERE, ELSEWHERE, [], f"--base-url {ELSEWHERE} --authority {ELSEWHERE}"),
    ],
)
def test_an_address_that_only_the_journal_names_needs_the_command_lines_word(
    base_url: str, authority: str, settings: list[str], expected: str
) -> None:
    begun = metadata(base_url=base_url, settings=RunSettings(authority=authority))
    refuse_unknown_addresses(replace(begun, simulated=True), base_urls=settings, authorities=settings)
    refused = ""
    try:
        refuse_unknown_addresses(begun, base_urls=settings, authorities=settings)
    except InputRefusedError as error:
        refused = str(error).partition("say so: ")[2]
    assert refused == expected


@pytest.mark.parametrize("command", ["resume", "verify", "retry"])
def test_it_is_asked_for_before_a_token_is_fetched(program: Program, command: str) -> None:
    folder = make_run(program.folder / "reports" / "20260301T120000Z-test-0000", 1, Status.FAILED, base_url=ELSEWHERE)
    folder.chmod(0o700)
    interrupt(folder)
    process = program(command, folder.name, *FAST[: 2 if command == "verify" else 3])
    assert process.code == 2
    assert f"--base-url {ELSEWHERE}" in process.err
    other = program(command, folder.name, "--base-url", "https://other.example")
    assert other.code == 2
    assert "a run keeps its address" in other.err


def test_the_settings_or_the_command_line_confirm_it(program: Program, partner: Partner, begun: ProgramResult) -> None:
    assert program("verify", begun.run.name, "--base-url", partner.base_url, *FAST[:2]).code == 1
    program.environment["BULKREACT_BASE_URL"] = "https://other.example"
    # It confirms nothing else, and changes nothing.
    assert program("verify", begun.run.name, *FAST[:2]).code == 1
    assert len(partner.service.call_log.calls) == 2


@pytest.mark.parametrize(
    ("options", "printed"),
    [
        ([], []),
        (["--base-url", "http://127.0.0.1:8080"], []),
        (["--base-url", ELSEWHERE, "--authority", LOGIN], ["base_url", "authority"]),
    ],
)
def test_what_must_be_confirmed_is_in_the_commands_that_are_printed(options: list[str], printed: list[str]) -> None:
    ctx = run.command.make_context("run", ["input.csv", *options])
    assert credentials._addresses_to_confirm(ctx) == printed

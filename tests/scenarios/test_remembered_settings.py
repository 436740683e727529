"""What a run was begun with holds for whatever continues it; printed commands have what the journal must not say."""

import json
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.program import Program, ProgramResult
from tests.support.run_commands import FAST, latest_run
from tests.support.seals import make_earlier, seal_again
from tests.support.signed_in import run, secret_app
from tests.support.token_authority import CLIENT, SECRET, TENANT, Authority

OTHER_CLIENT = "c11e4700-0000-4000-8000-a00000000002"
OTHER_AUTHORITY = "https://127.0.0.1:9"
SCOPE = "https://api.partnercenter.microsoft.com/.default"
COMMANDS = ["resume", "retry", "verify"]


def set_stored(program: Program, content: str) -> None:
    """Change what the journal of the latest run has of its settings."""
    with closing(sqlite3.connect(latest_run(program) / "journal.sqlite3")) as connection, connection:
        connection.execute("UPDATE settings SET content = ?", (content,))
        seal_again(connection)


def locales(authority: Authority) -> list[object]:
    """Return the language that each call asked for."""
    return [call["locale"] for call in authority.service.call_log.calls]


@pytest.fixture
def begun(program: Program, authority: Authority) -> ProgramResult:
    """Begin a run whose identity was named on the command line alone; the environment names another since."""
    authority.directory.register(secret_app())
    environment = {"BULKREACT_CLIENT_ID": "", "BULKREACT_AUTHORITY": "", "BULKREACT_CLIENT_SECRET": SECRET}
    program.environment |= environment
    identity = ("--client-id", CLIENT, "--authority", authority.authority_url, "--scope", SCOPE, "--tenant-id", TENANT)
    process = run(program, *identity, "--locale", "de-DE", "--limit", "1")
    assert process.code == 0, process.err
    program.environment |= {
        "BULKREACT_CLIENT_ID": OTHER_CLIENT,
        "BULKREACT_AUTHORITY": OTHER_AUTHORITY,
        "BULKREACT_SCOPE": "https://elsewhere.example",
    }
    authority.service.call_log.calls.clear()
    return process


@pytest.mark.parametrize("command", COMMANDS)
def test_client_authority_scope_and_language_are_the_runs(
    program: Program, authority: Authority, begun: ProgramResult, command: str
) -> None:
    process = program(command, begun.run.name, *FAST[: 2 if command == "verify" else 3])
    assert process.code == 0, process.err
    assert set(locales(authority)) == {"de-DE"}
    assert authority.outcomes == [("client_credentials", "issued")] * 2


def test_a_retry_of_a_retry_remembers_them_too(program: Program, authority: Authority, begun: ProgramResult) -> None:
    assert program("retry", begun.run.name, *FAST, "--limit", "1").code == 0
    assert program("retry", latest_run(program).name, *FAST).code == 0
    assert locales(authority) == ["de-DE"] * 2


def test_the_command_line_still_beats_the_journal(program: Program, begun: ProgramResult) -> None:
    process = program("resume", begun.run.name, *FAST, "--client-id", OTHER_CLIENT)
    assert process.code == 3
    assert "700016" in process.err


def test_a_journal_of_an_earlier_version_has_none(program: Program, authority: Authority, begun: ProgramResult) -> None:
    with closing(sqlite3.connect(begun.run / "journal.sqlite3")) as connection, connection:
        connection.execute("DROP TABLE settings")
        make_earlier(connection)
    program.environment |= {"BULKREACT_CLIENT_ID": CLIENT, "BULKREACT_AUTHORITY": authority.authority_url}
    program.environment["BULKREACT_SCOPE"] = ""
    assert program("resume", begun.run.name, *FAST).code == 0
    assert set(locales(authority)) == {"en-US"}


@pytest.mark.parametrize(
    "content",
    [
        '{"authority": "http://login.example"}',
        '{"client_id": "x"}',
        '{"locale": "de\\r\\nX-Evil: 1"}',
        '{"scope": "a b"}',
        '{"locale": 1}',
    ],
)
def test_what_nobody_could_have_typed_is_refused(program: Program, begun: ProgramResult, content: str) -> None:
    set_stored(program, content)
    process = program("resume", str(begun.run), *FAST)
    assert process.code == 2
    assert "is damaged: " in process.err


@pytest.fixture
def secret_file(program: Program, authority: Authority) -> Path:
    """Register the app and keep its secret in a file whose name needs quotes."""
    authority.directory.register(secret_app())
    path = program.folder / "my secret.txt"
    path.write_text(SECRET)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("command", ["resume", "verify", "status", "results", "report"])
def test_a_printed_command_has_the_same_credentials(program: Program, secret_file: Path, command: str) -> None:
    (program.folder / "other.toml").write_text("[profiles.a]\nattempts = 2\n")
    begun = run(
        program,
        "--config",
        "other.toml",
        "--profile",
        "a",
        "--auth",
        "app",
        "--client-secret-file",
        secret_file.name,
        "--limit",
        "1",
    )
    assert begun.code == 0, begun.err
    options = f"--config {program.folder}/other.toml --profile a --auth app --client-secret-file '{program.folder}/my secret.txt'"
    match command:
        case "status":
            text = program("status", begun.run.name).out
        case "results":
            set_state(begun.run)
            text = program("results", begun.run.name).err
        case "report":
            text = (begun.run / "report.html").read_text().replace("&#39;", "'")
        case _:
            text = begun.err
    printed = command if command in COMMANDS else "resume"
    line = next(line for line in text.splitlines() if f"bulkreact {printed} " in line)
    assert f"bulkreact {printed} {begun.run.name} {options}" in line
    assert SECRET not in text
    if command in COMMANDS:
        arguments = shlex.split(line[line.index(f"{printed} ") :].partition(" (")[0])
        again = program(*arguments, *FAST[: 2 if command == "verify" else 3])
        assert again.code == 0, again.err


def set_state(run_folder: Path) -> None:
    """Let a run look as if it had been interrupted."""
    with closing(sqlite3.connect(run_folder / "journal.sqlite3")) as connection, connection:
        connection.execute("UPDATE sessions SET state = 'interrupted', exit_code = 130")
        seal_again(connection)


@pytest.mark.parametrize(
    ("variable", "table", "shown"),
    [
        ("BULKREACT_RUN_AUTH", "", True),
        ("BULKREACT_AUTH", "", False),
        ("", "[run]\nauth = 'app'", True),
        ("", "[profiles.a.run]\nauth = 'app'", True),
        ("", "auth = 'app'", False),
        ("", "[profiles.a]\nauth = 'app'", False),
    ],
)
@pytest.mark.usefixtures("authority")
def test_what_every_command_gets_by_itself_is_not_printed(
    program: Program, secret_file: Path, variable: str, table: str, shown: bool
) -> None:
    program.environment |= {
        "BULKREACT_CLIENT_SECRET_FILE": str(secret_file),
        "BULKREACT_PROFILE": "a" if "profiles" in table else "",
    }
    program.environment |= {variable: "app"} if variable else {}
    (program.folder / "bulkreact.toml").write_text(table)
    begun = run(program, "--limit", "1")
    assert begun.code == 0, begun.err
    assert (f"bulkreact resume {begun.run.name} --auth app" in begun.err) is shown
    assert "secret.txt" not in begun.err


def test_options_that_would_change_the_terminal_are_not_printed(program: Program, begun: ProgramResult) -> None:
    set_stored(program, json.dumps({"options": ["--auth", "\x1b[2Japp"]}))
    shown = program("status", str(begun.run))
    assert shown.code == 0
    assert "\x1b" not in shown.out

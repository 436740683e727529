"""Options from the configuration file: for all commands, for one, for a profile; and what does not belong there."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from bulkreact.cli.app import _bulkreact
from bulkreact.cli.config_file import NOT_IN_FILES, Configuration
from bulkreact.cli.options.option_names import OPTION_NAMES
from bulkreact.simulator.partnercenter.service import Behaviour
from tests.support.ids import guid, row, scenario_id, write_csv
from tests.support.program import Partner, Program
from tests.support.run_commands import FAST, row_statuses
from tests.support.token_authority import CLIENT, SECRET, TENANT


def configure(program: Program, text: str, name: str = "bulkreact.toml") -> Path:
    """Write a configuration file, and an input of three rows."""
    write_csv(program.folder / "input.csv", [row(guid(number), number) for number in range(3)])
    path = program.folder / name
    path.write_text(text, encoding="utf-8")
    return path


def count_calls(partner: Partner) -> int:
    return len(partner.requests())


def test_the_file_of_the_working_directory_replaces_options(program: Program, partner: Partner) -> None:
    configure(
        program, f'base_url = "{partner.base_url}"\nreports = "there"\n[run]\nyes = true\nrate = "off"\nlimit = 2\n'
    )
    process = program("run", "input.csv")
    assert process.code == 0, process.err
    assert count_calls(partner) == 2
    (run,) = (path.parent for path in (program.folder / "there").glob("*/journal.sqlite3"))
    assert row_statuses(run) == ["accepted", "accepted", "not_attempted"]
    # The table of one command says nothing to another, what is above all tables does.
    assert f"Run {run.name}: finished" in program("status").out
    assert program("resume").code == 2


def test_the_command_line_beats_the_environment_and_that_beats_the_file(
    program: Program, start_partner: Callable[[Behaviour], Partner]
) -> None:
    partner = start_partner(Behaviour(activation_delay=0))
    configure(program, f'[run]\nbase_url = "{partner.base_url}"\nyes = true\nrate = "off"\nlimit = 3\n')
    program.environment["BULKREACT_RUN_LIMIT"] = "2"
    assert program("run", "input.csv", "--limit", "1").code == 0
    assert count_calls(partner) == 1
    assert program("run", "input.csv").code == 0
    assert count_calls(partner) == 3
    program.environment["BULKREACT_RUN_LIMIT"] = ""
    assert program("run", "input.csv").code == 0
    assert count_calls(partner) == 6


@pytest.mark.parametrize(
    ("variable", "value"),
    [("BULKREACT_RUN_RATE", "often"), ("BULKREACT_RATE", "often"), ("BULKREACT_RUN_NEW", "perhaps")],
)
def test_a_wrong_value_of_a_variable_names_the_variable(program: Program, variable: str, value: str) -> None:
    configure(program, "")
    program.environment[variable] = value
    refused = program("run", "input.csv", "--simulate")
    assert (refused.code, f"Invalid value for {variable}: '{value}'" in refused.err) == (2, True), refused.err


def test_a_commands_own_variable_beats_the_one_for_all(program: Program, partner: Partner) -> None:
    configure(program, "")
    program.environment |= {"BULKREACT_BASE_URL": "http://127.0.0.1:1", "BULKREACT_RUN_BASE_URL": partner.base_url}
    assert program("run", "input.csv", *FAST).code == 0
    assert count_calls(partner) == 3


@pytest.mark.parametrize("before", [True, False])
def test_another_file_can_be_named_before_and_behind_the_command(
    program: Program, partner: Partner, before: bool
) -> None:
    configure(program, "nonsense = 1")
    there = configure(program, f'base_url = "{partner.base_url}"\nyes = true\n', "other.toml")
    command = ("run", "input.csv")
    process = program("--config", there, *command) if before else program(*command, "--config", there)
    assert process.code == 0, process.err


@pytest.mark.parametrize(
    ("options", "environment", "limit"),
    [
        ((), {}, 1),
        (("--profile", "contoso"), {}, 2),
        (("--profile", "fabrikam"), {}, 3),
        ((), {"BULKREACT_PROFILE": "contoso"}, 2),
        (("--profile", "fabrikam"), {"BULKREACT_PROFILE": "contoso"}, 3),
        (("--profile", "fabrikam", "--limit", "0"), {}, 0),
    ],
)
def test_a_profile_beats_what_holds_for_all(
    program: Program, partner: Partner, options: tuple[str, ...], environment: dict[str, str], limit: int
) -> None:
    configure(
        program,
        f'base_url = "{partner.base_url}"\n[run]\nyes = true\nlimit = 1\n'
        "[profiles.contoso]\nlimit = 2\n[profiles.fabrikam]\nlimit = 2\n[profiles.fabrikam.run]\nlimit = 3\n",
    )
    program.environment |= environment
    process = program("run", "input.csv", *options)
    assert process.code == 0, process.err
    assert count_calls(partner) == limit


def test_the_file_can_choose_its_profile(program: Program, partner: Partner) -> None:
    configure(program, f'profile = "a"\n[profiles.a]\nbase_url = "{partner.base_url}"\nyes = true\n')
    assert program("run", "input.csv").code == 0
    assert count_calls(partner) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tenantid = 1", "Did you mean tenant_id?"),
        ('tenant-id = "a"', "Did you mean tenant_id?"),
        ("[run]\nlimitt = 1", "[run] limitt is not an option here. Did you mean limit?"),
        ("[runn]\nlimit = 1", "Did you mean run?"),
        ("[status]\nrate = 1", "[status] rate is not an option here."),
        ("[profiles.a.run]\nratee = 1", "[profiles.a.run] ratee"),
        ("profiles = 1", "profiles must be tables"),
        ("[profiles]\na = 1", "profiles.a must be a table"),
        ("[run]\nlimit = true", "limit must be not true or false"),
        ('[run]\nlimit = "many"', "'many' is not a valid integer"),
        ("[run]\nstrict = 1", "strict must be true or false"),
        ('[run]\nrate = "fast"', "'fast' is not a rate"),
        ('cloud = "moon"', "'moon' is not one of"),
        ('base_url = "http://partner.example"', "is not encrypted"),
        ("[run]\nlimit = [1]", "limit must be one value"),
        ("limit =", "is not TOML"),
        ('profile = "b"\n[profiles.a]', "has no profile 'b' (it has: a)"),
        ("config = 1", "config is not an option here"),
        ('[run]\nprofile = "a"\n[profiles.a]', "[run] profile is not an option here"),
        ("[rate]\na = 1", "rate must be one value, and no table"),
    ],
)
def test_what_is_wrong_with_the_file_is_said(program: Program, partner: Partner, text: str, message: str) -> None:
    configure(program, text)
    process = program("run", "input.csv", "--base-url", partner.base_url, *FAST)
    assert process.code == 2
    assert message in process.err
    assert "bulkreact.toml" in process.err
    assert count_calls(partner) == 0


def test_everything_that_is_wrong_is_said_at_once(program: Program) -> None:
    configure(program, "a = 1\nb = 2\n[run]\nc = 3\n")
    process = program("run", "input.csv", "--simulate")
    assert [key for key in "abc" if f" {key} is not an option here" in process.err] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("key", "location"),
    [
        ("client_secret", "BULKREACT_CLIENT_SECRET"),
        ("access_token", "BULKREACT_ACCESS_TOKEN"),
        ("refresh_token", "bulkreact login"),
        ("certificate_password", "BULKREACT_CERTIFICATE_PASSWORD"),
        ("BULKREACT_CLIENT_SECRET", "client_secret_file"),
        ("password", "a file of its own"),
        ("my_private_key", "a file of its own"),
        ("pfx_pass", "a file of its own"),
        ("api_key", "a file of its own"),
    ],
)
@pytest.mark.parametrize("table", ["", "[profiles.a.login]\n"])
def test_a_secret_is_refused_with_the_location_where_it_belongs(
    program: Program, key: str, location: str, table: str
) -> None:
    configure(program, f'{table}{key} = "{SECRET}"')
    process = program("run", "input.csv", "--simulate")
    assert process.code == 2
    assert "secrets do not belong into this file" in process.err
    assert location in process.err
    assert SECRET not in process.err


def test_a_file_that_is_named_must_be_there(program: Program) -> None:
    assert "There is no configuration file nowhere.toml" in program("status", "--config", "nowhere.toml").err
    process = program("status", "--profile", "contoso")
    assert (process.code, "needs a configuration file" in process.err) == (2, True)


def test_a_table_of_a_command_is_no_value_of_the_option_of_that_name(program: Program, partner: Partner) -> None:
    configure(program, '[verify]\nverify_timeout = "10s"\n[results]\nreports = "elsewhere"\n')
    process = program("run", "input.csv", "--base-url", partner.base_url, *FAST)
    assert process.code == 0, process.err
    assert program("doctor", "--simulate").code == 0
    assert "must be" not in program("verify", process.run.name, *FAST, "--verify-timeout", "0").err


def test_a_password_in_an_address_is_not_quoted(program: Program) -> None:
    configure(
        program, 'base_url = "https://ann:canary@part ner.example:x"\nauthority = "http://ann:canary@login.example"'
    )
    process = program("run", "input.csv")
    assert process.code == 2
    assert "part ner.example:x" in process.err
    assert "login.example" in process.err
    assert "canary" not in process.err


def test_help_is_given_whatever_the_file_says(program: Program) -> None:
    configure(program, "nonsense")
    assert program("run", "--help").code == 0
    assert program("--help").code == 0


def test_paths_and_bom_and_windows_line_ends_are_understood(program: Program, partner: Partner) -> None:
    configure(program, f"\ufeffbase_url = '{partner.base_url}'\r\n[run]\r\nresults = 'copy.csv'\r\nyes = true\r\n")
    assert program("run", "input.csv").code == 0
    assert (program.folder / "copy.csv").is_file()


def test_the_names_of_the_options_are_those_of_the_commands() -> None:
    context = _bulkreact.make_context("bulkreact", ["status"])
    names = {
        name: {str(param.name) for param in command.params if isinstance(param, click.Option)} - NOT_IN_FILES
        for name in _bulkreact.list_commands(context)
        if (command := _bulkreact.get_command(context, name))
    }
    assert names == OPTION_NAMES


def test_every_command_has_a_table() -> None:
    content = tomllib.loads('[run]\nhalt_on_failures = "off"\n[simulator]\nport = 0\n[login]\nbrowser = true\n')
    assert Configuration(Path("x"), content).problems(OPTION_NAMES) == []


@pytest.mark.parametrize("arguments", [["explain", "404"], ["status"], ["run", "missing.csv", "--simulate"]])
def test_no_other_command_is_imported_for_the_file(program: Program, arguments: list[str]) -> None:
    configure(
        program,
        'tenant_id = "contoso.com"\n[sweep]\nevery = 30\n[login]\nstore = "memory"\n[profiles.a.plan]\njson = true\n',
    )
    code = (
        f"import sys; sys.argv[1:] = {arguments}\n"
        "from bulkreact.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('discover', 'login', 'plan', 'sweep') if f'bulkreact.cli.commands.{name}' in sys.modules])"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=program.folder, capture_output=True, text=True, check=True
    )
    assert process.stdout.splitlines()[-1] == "[]"


@pytest.mark.soak
def test_identity_can_be_in_the_file(program: Program, partner: Partner) -> None:
    configure(
        program,
        f'base_url = "{partner.base_url}"\n[profiles.a]\nauth = "app"\ntenant_id = "{TENANT}"\nclient_id = "{CLIENT}"\n'
        'authority = "https://127.0.0.1:1"\nclient_secret_file = "secret.txt"\n',
    )
    write_csv(program.folder / "input.csv", [row(scenario_id(202))])
    (program.folder / "secret.txt").write_text(SECRET)
    process = program("run", "input.csv", *FAST, "--profile", "a")
    assert process.code == 3
    assert f"https://127.0.0.1:1/{TENANT}" in process.err


@pytest.mark.parametrize("source", ["command line", "environment", "file"])
@pytest.mark.parametrize("rate", ["30", "30/min", "0.5/s"])
def test_a_bare_rate_is_per_minute_wherever_it_comes_from(program: Program, source: str, rate: str) -> None:
    configure(program, f'rate = "{rate}"\n' if source == "file" else "")
    if source == "environment":
        program.environment["BULKREACT_RATE"] = rate
    process = program("plan", "input.csv", "--json", *(("--rate", rate) if source == "command line" else ()))
    assert json.loads(process.out)["estimated_seconds"] == 6

"""Help: commands and options in groups, examples that work, and suggestions for what was mistyped."""

import shlex
from itertools import chain

import click
import pytest

from bulkreact.cli.app import _bulkreact
from bulkreact.cli.options.help_groups import COMMANDS, EXAMPLES, MOST_USED, OPTION_GROUPS, option_sections
from bulkreact.partnercenter.error_codes.lookup import all_entries
from tests.support.program import Program

# Within 60 columns, where the last is left free.
_LONGEST = 57


def command_of(name: str) -> click.Command:
    """Return a command of the program."""
    command = _bulkreact.get_command(click.Context(_bulkreact), name)
    assert command
    return command


def option_names(name: str) -> list[str]:
    """Return the names of a command's options, as the parser has them."""
    return [str(param.name) for param in command_of(name).params if isinstance(param, click.Option)]


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_disappears_and_each_is_in_a_group(name: str) -> None:
    sections = dict(option_sections(option_names(name)))
    assert sorted(chain(*sections.values())) == sorted(option_names(name))
    assert sections.keys() <= {MOST_USED, *OPTION_GROUPS}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_shows_each_option_once(program: Program, name: str) -> None:
    shown = program(name, "--help").out
    options = [param for param in command_of(name).params if isinstance(param, click.Option)]
    lines = [line.split() for line in shown.splitlines()]
    counts = {
        option.opts[0]: sum(option.opts[0] in (line[:1] or [""])[0].split(",") for line in lines) for option in options
    }
    assert set(counts.values()) == {1}


def test_ten_options_come_first_where_there_are_many() -> None:
    (title, first), *_ = option_sections(option_names("run"))
    assert title == MOST_USED
    assert first == ["kind", "map", "limit", "rate", "verify", "yes", "simulate", "auth", "reports", "new"]
    assert [title for title, _ in option_sections(option_names("status"))] == ["Output", "Configuration"]


@pytest.mark.parametrize(("name", "line"), [(name, line) for name, lines in EXAMPLES.items() for line in lines])
def test_every_example_is_understood_and_fits_a_narrow_terminal(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch, name: str, line: str
) -> None:
    monkeypatch.chdir(str(tmp_path))
    program, *arguments = shlex.split(line)
    assert (program, arguments[0]) == ("bulkreact", name)
    assert len(line) <= _LONGEST
    rest = [argument for argument in arguments[1:] if argument not in {"--profile", "contoso"}]
    with command_of(name).make_context(name, rest):
        pass


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_the_same_as_the_option_and_has_examples(program: Program, name: str) -> None:
    process = program("help", name)
    assert process.code == 0
    assert process.out.rstrip() == program(name, "--help").out.rstrip()
    assert "\nExamples:\n  bulkreact " in process.out


@pytest.mark.parametrize("name", ["status", "results", "verify", "resume", "retry"])
def test_commands_that_take_a_run_say_how_it_is_named(program: Program, name: str) -> None:
    assert "its beginning or ending like 63ed" in " ".join(program(name, "--help").out.split())


def test_help_alone_lists_the_commands(program: Program) -> None:
    assert program("help").out.rstrip() == program("--help").out.rstrip()


def test_examples_are_not_wrapped_in_a_narrow_terminal(program: Program) -> None:
    program.environment["COLUMNS"] = "40"
    assert "\n  bulkreact run orders.csv --map customer_id=Tenant\n" in program("run", "--help").out


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["rnu"], "Did you mean 'bulkreact run'?"),
        (["statu"], "Did you mean 'bulkreact status'?"),
        (["help", "rezume"], "Did you mean 'bulkreact resume'?"),
        (["reactivate"], "Did you mean 'bulkreact run'?"),
        (["history"], "Did you mean 'bulkreact status --all'?"),
        (["xyzzy"], "'bulkreact --help' lists all commands."),
        (["run", "--rat", "3"], "There is no option --rat. Did you mean --rate?"),
        (["--profil", "x", "run"], "Did you mean --profile?"),
        (["--dry-run", "run", "x.csv"], "'bulkreact plan'"),
        (["run", "--sim"], "Did you mean --simulate?"),
        (["sweep", "--expect-whithin=3d"], "Did you mean --expect-within?"),
        (["run", "--token", "secret-of-ours"], "There is no option --token. Secrets are no options: set BULKREACT"),
    ],
)
def test_what_is_mistyped_gets_a_suggestion(program: Program, arguments: list[str], advice: str) -> None:
    process = program(*arguments)
    assert (process.code, process.out) == (2, "")
    assert advice in process.err
    assert "secret-of-ours" not in process.err


@pytest.mark.parametrize("arguments", [["run", "--dry-run", "x.csv"], ["sweep", "--dry-run"], ["retry", "--dry-run"]])
def test_a_dry_run_is_named_by_its_names_here(program: Program, arguments: list[str]) -> None:
    process = program(*arguments)
    assert process.code == 2
    assert "'bulkreact plan'" in process.err
    assert "--simulate" in process.err


def test_explain_lists_every_code_that_it_explains(program: Program) -> None:
    lines = program("explain", "--list").out.splitlines()
    assert len(lines) == len(all_entries())
    titles = {line.partition(": ")[0].partition(" (")[0] for line in lines}
    assert {"unknown", "900337", "http-404", "invalid-customer-id"} <= titles
    assert "not in the catalogue" not in program("explain", *titles).out


@pytest.mark.parametrize("arguments", [[], ["--list", "404"]])
def test_explain_takes_codes_or_lists_them(program: Program, arguments: list[str]) -> None:
    assert program("explain", *arguments).code == 2

"""README and guide are true: their commands exist, their parts are what they are generated from, their links lead somewhere."""

import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest

from bulkreact import CONFIG_FILE_NAME
from bulkreact.cli.options.help_groups import COMMANDS
from bulkreact.guide import TOPICS
from bulkreact.models import Status
from bulkreact.partnercenter.network import CERTIFICATE_VARIABLES
from bulkreact.secret_variables import SECRET_VARIABLES
from bulkreact.sheets.result_columns import RESULT_COLUMNS
from tests.support.generated_guide import GUIDE, PARTS, generated
from tests.support.program import PROJECT, Program

README = PROJECT / "README.md"
PAGES = [README, *sorted(GUIDE.glob("*.md"))]
_LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_IN_A_LINE = re.compile(r"`((?:\.venv/bin/)?bulkreact [^`]+)`")
_DEFAULT = re.compile(r"`(--[a-z-]+)` \((\d[^,;:)]*)[),;:]")
EXIT_CODES = (0, 1, 2, 3, 4, 5, 70, 74, 75, 130, 143)


def command_lines(page: Path) -> Iterator[list[str]]:
    """Yield the arguments of every command line of the program in a page."""
    text = page.read_text(encoding="utf-8")
    for language, block in _BLOCK.findall(text):
        if language in {"sh", "console"}:
            for line in block.splitlines():
                _, found, rest = line.removeprefix("$ ").partition("bulkreact ")
                if found and (language == "sh" or line.startswith("$ ")):
                    yield shlex.split(rest.replace("…", ""), comments=True)
    for line in _IN_A_LINE.findall(_BLOCK.sub("", text)):
        yield shlex.split(line.partition("bulkreact ")[2].partition(" < ")[0])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_names_a_command_and_options_that_exist(page: Path) -> None:
    for arguments in command_lines(page):
        name, rest = arguments[0], arguments[1:]
        if name in {"TOPIC", "COMMAND", "--help", "--version"}:
            continue
        command: click.Command = import_module(f"bulkreact.cli.commands.{name}").command
        ctx = click.Context(command, info_name=name, allow_extra_args=True)
        command.make_parser(ctx).parse_args(list(rest))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for target, heading in _LINK.findall(page.read_text(encoding="utf-8")):
        linked = (page.parent / target) if target else page
        assert linked.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def test_every_stated_default_is_the_options_own() -> None:
    run: click.Command = import_module("bulkreact.cli.commands.sweep").command
    shown = {
        option: record[1].replace(" ", "")
        for param in run.get_params(click.Context(run))
        if isinstance(param, click.Option) and (record := param.get_help_record(click.Context(run)))
        for option in param.opts
    }
    stated = [
        (option, default.replace(" ", "").replace("min", "m"))
        for page in PAGES
        for option, default in _DEFAULT.findall(page.read_text(encoding="utf-8"))
    ]
    assert len(stated) >= 8
    assert not [each for each in stated if f"[default:{each[1]}" not in shown[each[0]]]


@pytest.mark.parametrize(("chapter", "part"), PARTS)
def test_generated_parts_are_those_of_the_program(chapter: str, part: str) -> None:
    assert (GUIDE / chapter).read_text(encoding="utf-8") == generated(chapter, part), (
        "run: python -m tests.support.generated_guide"
    )


def test_the_readme_is_read_in_two_minutes() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 180
    assert len(text.encode()) <= 10_240
    assert "no undo" in text


def test_the_readme_offers_two_commands_that_set_everything_up() -> None:
    install = "python3 -m venv .venv && .venv/bin/pip install -e "
    text = README.read_text(encoding="utf-8")
    assert f"\n{install}. && .venv/bin/bulkreact run inputs/sample.csv --simulate\n" in text
    assert f"\n{install}'.[test]' && .venv/bin/pytest\n" in text


def test_readme_and_guide_name_every_chapter_status_exit_code_column_and_variable() -> None:
    text = README.read_text(encoding="utf-8")
    assert {f"bulkreact/guide/{topic}.md" for topic in TOPICS} <= {target for target, _ in _LINK.findall(text)}
    assert {page.stem for page in PAGES[1:]} == set(TOPICS)
    results, stops, reference = (
        (GUIDE / f"{topic}.md").read_text(encoding="utf-8") for topic in ("results", "when-it-stops", "reference")
    )
    assert not [status for status in Status if f"`{status}`" not in text or f"| `{status}` |" not in results]
    assert f"`{', '.join(RESULT_COLUMNS)}`" in results
    for code in EXIT_CODES:
        assert re.search(rf"^\| (?:\d+, )*{code}\b", text, re.MULTILINE), code
        assert re.search(rf"^\| (?:\d+, )*{code}\b", stops, re.MULTILINE), code
    more = [*CERTIFICATE_VARIABLES, "HTTPS_PROXY", "NO_PROXY", "BULKREACT_STATE_DIR", "BULKREACT_PROFILE"]
    assert not [name for name in (*SECRET_VARIABLES, *more, CONFIG_FILE_NAME) if f"`{name}`" not in reference]


def test_the_configuration_file_of_the_guide_is_one(program: Program) -> None:
    example = (GUIDE / "reference.md").read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    (program.folder / CONFIG_FILE_NAME).write_text(example)
    for name in ("contoso", "fabrikam"):
        assert f"[profiles.{name}]" in example
        shown = program("doctor", "--simulate", "--profile", name)
        assert shown.code == 0, shown.err
        assert f"{CONFIG_FILE_NAME} [profiles.{name}]" in shown.out


def test_the_guide_shows_no_marks_of_what_is_generated(program: Program) -> None:
    shown = program("guide", "reference").out
    assert shown.startswith("# Reference\n")
    assert "<!--" not in shown
    assert "\n### bulkreact run\n" in shown


def test_every_command_is_in_the_reference() -> None:
    reference = (GUIDE / "reference.md").read_text(encoding="utf-8")
    assert not [command for command in COMMANDS if f"\n### bulkreact {command}\n" not in reference]

"""Writes the help of commands: options in groups, examples, and suggestions for what was mistyped."""

import re
from collections.abc import Collection
from typing import Never

import click

from bulkreact.cli.options.help_groups import (
    COMMAND_GROUPS,
    COMMANDS,
    EXAMPLES,
    OTHER_COMMANDS,
    OTHER_NAMES,
    RUN_NAMES,
    option_sections,
)

_LOWER_BOUND = re.compile(r"\s+\[x>=[01]\]|; x>=[01]")
_DEFAULT_IN_BRACKETS = re.compile(r"\[default: \((.+)\)\]")


def write_commands(formatter: click.HelpFormatter) -> None:
    """Write the commands in groups, aligned with each other."""
    width = max(map(len, COMMANDS))
    for title, commands in COMMAND_GROUPS.items():
        with formatter.section(title):
            formatter.write_dl([(name.ljust(width), text) for name, text in commands.items()])


def write_run_names(formatter: click.HelpFormatter) -> None:
    """Write how a run is named on the command line."""
    formatter.write_paragraph()
    with formatter.indentation():
        formatter.write_text(RUN_NAMES)


def write_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write the options of a command in groups; no option is left out."""
    records = {
        _name(param): record
        for param in command.get_params(ctx)
        if isinstance(param, click.Option) and (record := param.get_help_record(ctx)) is not None
    }
    for title, names in option_sections(list(records)):
        with formatter.section(title):
            formatter.write_dl([_simplify(records[name]) for name in names])


def write_examples(command: str, formatter: click.HelpFormatter) -> None:
    """Write the examples of a command; their lines are never wrapped, so that they can be copied."""
    if command in EXAMPLES:
        with formatter.section("Examples"):
            for line, text in EXAMPLES[command].items():
                formatter.write(f"{' ' * formatter.current_indent}{line}\n")
                formatter.indent()
                formatter.write_text(text)
                formatter.dedent()


def suggest_command(name: str, ctx: click.Context) -> Never:
    """Raise a usage error for a command that does not exist, with the nearest one."""
    near = OTHER_COMMANDS.get(name.lower()) or _find_closest(name.lower(), COMMANDS)
    suggestion = f"Did you mean 'bulkreact {near}'?" if near else "'bulkreact --help' lists all commands."
    raise click.UsageError(f"There is no command {name!r}. {suggestion}", ctx)


def suggest_option(error: click.NoSuchOption, known: Collection[str], ctx: click.Context) -> Never:
    """Raise a usage error for an option that does not exist, with what does what it may have meant."""
    name = error.option_name
    near = next((option for option in sorted(known) if len(name) > len("--x") and option.startswith(name)), "")
    near = near or _find_closest(name, known)
    advice = OTHER_NAMES.get(name.lower()) or (f"did you mean {near}?" if near else "")
    suggestion = (
        f" {advice[0].upper()}{advice[1:].rstrip('.?')}{'?' if advice.endswith('?') else '.'}" if advice else ""
    )
    raise click.UsageError(f"There is no option {name}.{suggestion}", ctx)


def _find_closest(name: str, known: Collection[str]) -> str:
    """Return the known name that is most like a mistyped one, empty if none is."""
    from difflib import get_close_matches  # noqa: PLC0415 - only mistakes need it

    return next(iter(get_close_matches(name, known, n=1)), "")


def _name(option: click.Option) -> str:
    """Return the name that the table of groups has; click's own for --help differs from version to version."""
    return "help" if "--help" in option.opts else str(option.name)


def _simplify(record: tuple[str, str]) -> tuple[str, str]:
    """Return the names and the text of an option without what click says of numbers within bounds."""
    names, text = record
    for word in ("INTEGER RANGE", "FLOAT RANGE", "INTEGER"):
        names = names.replace(word, "N")
    return names, _DEFAULT_IN_BRACKETS.sub(r"[default: \1]", _LOWER_BOUND.sub("", text))

"""Writes the parts of the guide that are generated: ``python -m tests.support.generated_guide``."""

from collections.abc import Iterator, Mapping
from copy import copy
from importlib import import_module
from pathlib import Path
from typing import Protocol

import click

import bulkreact
from bulkreact.cli.options.help_groups import COMMAND_GROUPS, EXAMPLES, option_sections
from bulkreact.simulator.partnercenter.customer_scenarios import CUSTOMER_SCENARIOS
from bulkreact.simulator.partnercenter.entitlement_scenarios import ENTITLEMENT_SCENARIOS
from bulkreact.simulator.partnercenter.subscription_scenarios import SUBSCRIPTION_SCENARIOS

GUIDE = Path(bulkreact.__file__).parent / "guide"


class _Scenario(Protocol):
    @property
    def description(self) -> str: ...


def _table(kind: str, scenarios: Mapping[int, _Scenario]) -> str:
    lines = [f"| last digits of {kind} id | what happens |", "|---|---|"]
    lines += [f"| `{number}` | {scenarios[number].description} |" for number in sorted(scenarios)]
    return "\n".join(lines)


def _reference() -> str:
    return "\n\n".join(_command(name) for group in COMMAND_GROUPS.values() for name in group)


def _command(name: str) -> str:
    command: click.Command = import_module(f"bulkreact.cli.commands.{name}").command
    # Its option for help is made anew: it has the names of whatever used the command first.
    command = copy(command)
    command._help_option = None
    ctx = click.Context(command, info_name=name, help_option_names=["-h", "--help"])
    usage = " ".join(command.collect_usage_pieces(ctx))
    examples = [f"{line}  # {text}" for line, text in EXAMPLES.get(name, {}).items()]
    parts = [f"### bulkreact {name}", (command.help or "").partition("\n\n")[0], f"`bulkreact {name} {usage}`"]
    parts += ["```sh\n" + "\n".join(examples) + "\n```"] if examples else []
    return "\n\n".join([*parts, *_options(command, ctx)])


def _options(command: click.Command, ctx: click.Context) -> Iterator[str]:
    records = {
        "help" if "--help" in param.opts else str(param.name): record
        for param in command.get_params(ctx)
        if isinstance(param, click.Option) and (record := param.get_help_record(ctx))
    }
    for title, names in option_sections(list(records)):
        rows = [f"| `{_cell(records[name][0])}` | {_cell(records[name][1])} |" for name in names]
        yield "\n".join([f"| {title.lower()} | |", "|---|---|", *rows])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


PARTS = {
    ("simulator.md", "entitlements"): lambda: _table("an entitlement", ENTITLEMENT_SCENARIOS),
    ("simulator.md", "subscriptions"): lambda: _table("a subscription", SUBSCRIPTION_SCENARIOS),
    ("simulator.md", "customers"): lambda: _table("a customer", CUSTOMER_SCENARIOS),
    ("reference.md", "commands"): _reference,
}


def generated(chapter: str, part: str) -> str:
    """Return a chapter with one of its generated parts written anew."""
    text = (GUIDE / chapter).read_text(encoding="utf-8")
    begin, end = f"<!-- generated: {part} -->\n", "<!-- end -->"
    before, found, rest = text.partition(begin)
    if not found or end not in rest:
        raise ValueError(f"{chapter} has no part {part}")
    return f"{before}{begin}\n{PARTS[chapter, part]()}\n\n{end}{rest.partition(end)[2]}"


if __name__ == "__main__":
    for chapter, part in PARTS:
        (GUIDE / chapter).write_text(generated(chapter, part), encoding="utf-8")

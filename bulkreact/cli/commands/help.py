"""``bulkreact help``: shows the help of a command."""

import click

from bulkreact.cli.command import ConfiguredCommand
from bulkreact.cli.output.terminal import echo


@click.command("help", cls=ConfiguredCommand)
@click.argument("name", metavar="[COMMAND]", required=False)
@click.pass_context
def command(ctx: click.Context, /, *, name: str | None) -> None:
    """Show the options and examples of COMMAND, or the list of all commands."""
    outer = ctx.parent
    if outer is None or not isinstance(outer.command, click.Group):
        raise TypeError("this command belongs to the program")
    if name is None:
        echo(outer.get_help())
        return
    _, shown, _ = outer.command.resolve_command(outer, [name])
    if shown:
        echo(shown.get_help(shown.context_class(shown, info_name=name, parent=outer)))

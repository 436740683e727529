"""``bulkreact guide``: shows the manual."""

import re
import sys

import click
from rich.console import Console
from rich.markdown import Markdown

from bulkreact.cli.command import ConfiguredCommand
from bulkreact.cli.output.terminal import echo
from bulkreact.guide import TOPICS, list_chapters, read_chapter

# Lines longer than that are tiring, however wide the terminal is.
_WIDTH = 100


@click.command("guide", cls=ConfiguredCommand)
@click.argument("topic", metavar="[TOPIC]", type=click.Choice(TOPICS), required=False)
@click.option("--plain", is_flag=True, help="As it is written, in Markdown; so it is, too, where there is no terminal.")
def command(topic: str | None, *, plain: bool) -> None:
    """Show a chapter of the manual, or what chapters there are.

    On a terminal it is rendered, and shown page by page.
    """
    text = read_chapter(topic) if topic else list_chapters()
    if plain or not sys.stdout.isatty():
        # What is generated is marked for who changes it.
        echo(re.sub(r"<!--.*?-->\n*", "", text), end="")
        return
    console = Console(highlight=False)
    console.width = min(console.width, _WIDTH)
    with console.capture() as capture:
        console.print(Markdown(text))
    click.echo_via_pager(capture.get())

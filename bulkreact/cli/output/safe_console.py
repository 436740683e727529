"""Prints texts and tables for people, with nothing in them that could command a terminal."""

import os

from rich.console import Console
from rich.text import Text

from bulkreact.cli.output.terminal import redact_and_escape
from bulkreact.sheets.output.report_data import NextStep
from bulkreact.wording import wrap_lines

# The width without a terminal.
_WIDTH = 200


class SafeConsole(Console):
    """A console for texts and tables of text; markup in them is not interpreted."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)

    def render_str(self, text: str, *arguments: object, **options: object) -> Text:
        """Turn a text or a table's cell into what is shown."""
        return super().render_str(redact_and_escape(text), *arguments, **options)  # type: ignore[arg-type]

    def print_wrapped(self, message: str) -> None:
        """Print a message, wrapped between words on a terminal."""
        text = wrap_lines(redact_and_escape(message), self.width) if self.is_terminal else message
        self.print(text, soft_wrap=True)

    def print_step(self, step: NextStep) -> None:
        """Print what to do next: on a terminal the command is on a line of its own, to be copied whole."""
        if not self.is_terminal:
            self.print(step.line, soft_wrap=True)
            return
        self.print_wrapped(step.description)
        self.print(f"  {step.command}", soft_wrap=True)
        if step.remark:
            self.print_wrapped(step.remark)


def stdout_console() -> SafeConsole:
    """Return a console on standard output: as wide as the terminal or COLUMNS says, else wide enough for tables."""
    console = SafeConsole()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _WIDTH
    return console

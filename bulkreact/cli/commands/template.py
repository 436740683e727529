"""``bulkreact template``: writes an empty input file."""

from pathlib import Path

import click

from bulkreact.cli.command import ConfiguredCommand
from bulkreact.cli.options.paths import OutputFile
from bulkreact.cli.options.shared import check_suffix
from bulkreact.cli.output.terminal import echo
from bulkreact.errors import InputRefusedError
from bulkreact.runs.output_kinds import OutputKind
from bulkreact.wording import shell_quote


@click.command("template", cls=ConfiguredCommand)
@click.argument("file", metavar="[FILE]", type=OutputFile(OutputKind.TEMPLATE), default=Path("template.csv"))
def command(file: Path) -> None:
    """Write an empty input file, .csv or .xlsx; template.csv unless FILE names another.

    The workbook keeps ids as text, and says on its second sheet where they are found. An existing file with anything in
    it is left alone.
    """
    from bulkreact.sheets.output import template  # noqa: PLC0415 - what writes files is not loaded to show help

    check_suffix(file, str(file))
    command_line = f"bulkreact run {shell_quote(file)}"
    try:
        if file.suffix.lower() == ".csv":
            template.write_csv(file)
        else:
            template.write_xlsx(file, command=command_line)
    except OSError as error:
        raise InputRefusedError(f"{file} cannot be written: {error.strerror}. Name a file in another folder.") from None
    echo(f"Written: {file}\nFill it in, one row for each subscription, then: {command_line}", err=True)

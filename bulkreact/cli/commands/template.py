"""``bulkreact template``: writes an empty input file."""

from pathlib import Path

import click

from bulkreact.cli.command import ConfiguredCommand
from bulkreact.cli.options.shared import check_suffix
from bulkreact.errors import InputRefusedError
from bulkreact.wording import shell_quote


@click.command("template", cls=ConfiguredCommand)
@click.argument("file", metavar="[FILE]", type=click.Path(path_type=Path), default=Path("template.csv"))
def command(file: Path) -> None:
    """Write an empty input file, .csv or .xlsx; template.csv unless FILE names another.

    The workbook keeps ids as text, and says on its second sheet where they are found. An existing file is left alone.
    """
    from bulkreact.sheets.output import template  # noqa: PLC0415 - what writes files is not loaded to show help

    check_suffix(file, str(file))
    if file.exists() or file.is_symlink():
        raise InputRefusedError(f"{file} exists already, and is left as it is: name another file, or remove it first.")
    command_line = f"bulkreact run {shell_quote(file)}"
    try:
        if file.suffix.lower() == ".csv":
            template.write_csv(file)
        else:
            template.write_xlsx(file, command=command_line)
    except OSError as error:
        raise InputRefusedError(f"{file} cannot be written: {error.strerror}. Name a file in another folder.") from None
    click.echo(f"Written: {file}\nFill it in, one row for each subscription, then: {command_line}", err=True)

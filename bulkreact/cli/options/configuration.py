"""The options that choose the configuration file; ``bulkreact --help`` needs no more of it than these."""

import click

from bulkreact import CONFIG_FILE_NAME

PREFIX = "BULKREACT"


def configuration_options(*, expose: bool) -> list[click.Parameter]:
    """Return the options that name the configuration file and its profile; ``expose`` passes them to the function."""
    return [
        click.Option(
            ["--config"],
            type=click.Path(dir_okay=False),
            envvar=f"{PREFIX}_CONFIG",
            expose_value=expose,
            help=f"The configuration file.  [default: {CONFIG_FILE_NAME} in this folder, if there is one]",
        ),
        click.Option(["--profile"], envvar=f"{PREFIX}_PROFILE", expose_value=expose, help="The file's profile to use."),
    ]

"""The program's entry point: imports a command only when it is run, and turns every error into its exit code."""

import gc
import io
import os
import sys
from importlib import import_module

import click

from bulkreact import __version__
from bulkreact.cli.help_text import suggest_command, suggest_option, write_commands
from bulkreact.cli.invocation import Invocation, invocation_of
from bulkreact.cli.options.configuration import configuration_options
from bulkreact.cli.options.help_groups import COMMANDS

_PROGRAM = "bulkreact"


class _LazyGroup(click.Group):
    """Imports a command's module when the command is used; help is printed without that."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"bulkreact.cli.commands.{cmd_name}").command
        # Else the first collection would look through all that was imported, for 25 ms.
        gc.freeze()
        gc.enable()
        if not isinstance(command, click.Command):
            raise TypeError(f"bulkreact.cli.commands.{cmd_name}.command is not a command")
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the options before the command; a usage error suggests another one."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            suggest_option(error, ["--config", "--profile", "--version", "--help"], ctx)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; click itself would write an empty line at Ctrl-C, which is not JSON."""
        from bulkreact.cli.output.library_log import show_library_log  # noqa: PLC0415 - help needs no logging

        show_library_log(invocation_of(ctx))
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise click.Abort from error

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_commands(formatter)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command of the arguments; a usage error suggests another one."""
        if not args[0].startswith("-") and args[0] not in COMMANDS and not ctx.resilient_parsing:
            suggest_command(args[0], ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "BULKREACT"}
)
@click.version_option(__version__, prog_name=_PROGRAM)
def _bulkreact(**_: object) -> None:
    """Reactivate many Partner Center subscriptions from one file.

    Begin with: bulkreact guide getting-started

    The options and examples of a command: bulkreact help COMMAND
    """


_bulkreact.params.extend(configuration_options(expose=True))


def exit_code(signals: list[int] | None = None) -> int:
    """Run the command of the command line; turn every error into a message and its exit code."""
    invocation = Invocation(signals)
    try:
        code = _bulkreact.main(prog_name=_PROGRAM, standalone_mode=False, obj=invocation)
        sys.stdout.flush()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the only handler that turns a bug of ours into its exit code
        return _report(invocation, error)
    return code if isinstance(code, int) else 0


def _report(invocation: Invocation, error: BaseException) -> int:
    """Print why the command ends, as text or as a JSON line; return its exit code."""
    import traceback  # noqa: PLC0415 - most commands end well

    from bulkreact.cli.error_exit import ErrorExit  # noqa: PLC0415 - see above
    from bulkreact.cli.output import json_log  # noqa: PLC0415 - see above
    from bulkreact.cli.output.terminal import echo  # noqa: PLC0415 - see above

    ended = ErrorExit.of(error)
    as_json = json_log.json_requested(invocation.log_format, sys.argv[1:], os.environ)
    redact = invocation.redactor.redact
    message, trace = redact(ended.message), redact("".join(traceback.format_exception(error)) if ended.is_bug else "")
    match error:
        case click.exceptions.NoArgsIsHelpError():
            error.show()
        case _ if as_json:
            json_log.write(json_log.LogLevel.ERROR, "error", message=message, traceback=trace)
        case click.ClickException():
            shown = io.StringIO()
            error.show(shown)
            echo(redact(shown.getvalue()), err=True, end="")
        case click.Abort():
            # On a new line: a question or the terminal's ^C comes before it.
            echo(f"\n{message}", err=True)
        case _:
            prefix = "Error: " if isinstance(error, Exception) and not ended.is_bug else trace
            echo(f"{prefix}{message}", err=True)
    return ended.code

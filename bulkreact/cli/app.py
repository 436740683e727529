"""The program's entry point: imports a command only when it is run, and turns every error into its exit code."""

import io
import os
import sys
import traceback
from importlib import import_module

import click

from bulkreact import __version__
from bulkreact.cli.command import configuration_options
from bulkreact.cli.error_exit import ErrorExit
from bulkreact.cli.invocation import Invocation, secrets_of
from bulkreact.cli.output import json_log
from bulkreact.cli.output.terminal import echo
from bulkreact.errors import BulkreactError

_PROGRAM = "bulkreact"

# Short helps are here, so that the list of commands is shown without importing any of them.
_COMMANDS = {
    "template": "Write an empty input file, .csv or .xlsx.",
    "discover": "Write an input file of everything that is not active.",
    "run": "Reactivate every subscription of a file and write the results.",
    "plan": "Show what a run would send, and everything that is wrong with the input.",
    "resume": "Continue an unfinished run.",
    "retry": "Send what may succeed now of a finished run, as a new run.",
    "verify": "Read the present status of accepted subscriptions and finish the results.",
    "sweep": "Run every new file of a folder, each once: for schedules.",
    "login": "Sign in a user, so that runs can be made in their name.",
    "logout": "Delete a sign-in.",
    "doctor": "Prove that a run could work: settings, token, network, one harmless read.",
    "status": "Show the state of a run, also while it is running.",
    "prune": "Remove the folders of runs that finished long ago.",
    "results": "Write a run's result files again from its journal.",
    "explain": "Explain an error code or a status: what it means and what to do.",
    "simulator": "Run a local Partner Center to practise against.",
}


class _LazyGroup(click.Group):
    """Imports a command's module when the command is used; help is printed without that."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = import_module(f"bulkreact.cli.commands.{cmd_name}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"bulkreact.cli.commands.{cmd_name}.command is not a command")
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; click itself would write an empty line at Ctrl-C, which is not JSON."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise click.Abort from error

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "BULKREACT"}
)
@click.version_option(__version__, prog_name=_PROGRAM)
def _bulkreact(**_: object) -> None:
    """Reactivate many Partner Center subscriptions from one file.

    Begin with: bulkreact run inputs/sample.csv --simulate
    """


_bulkreact.params.extend(configuration_options(expose=True))


def exit_code(signals: list[int] | None = None) -> int:
    """Run the command of the command line; turn every error into a message and its exit code."""
    invocation = Invocation([] if signals is None else signals)
    try:
        invocation.redactor.add(*secrets_of(os.environ))
        code = _bulkreact.main(prog_name=_PROGRAM, standalone_mode=False, obj=invocation)
        sys.stdout.flush()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the only handler that turns a bug of ours into its exit code
        ended = ErrorExit.of(error)
        _print(invocation, error, ended)
        return ended.code
    return code if isinstance(code, int) else 0


def _print(invocation: Invocation, error: BaseException, ended: ErrorExit) -> None:
    """Print why the command ends, as text or as a JSON line."""
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
            prefix = "Error: " if isinstance(error, BulkreactError) else trace
            echo(f"{prefix}{message}", err=True)

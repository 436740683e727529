"""The program's entry: imports a command only when it is run, and turns every error into its exit code."""

import os
import sys
import traceback
from contextlib import suppress
from importlib import import_module

import click

from bulkreact import __version__
from bulkreact.cli.command import configuration_options
from bulkreact.cli.invocation import Invocation
from bulkreact.cli.output import json_log
from bulkreact.errors import EXIT_INTERRUPTED, BulkreactError, InputRefusedError

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
    """Imports a command's module when the command is asked for; help is printed without that."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = import_module(f"bulkreact.cli.commands.{cmd_name}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"bulkreact.cli.commands.{cmd_name}.command is not a command")
        return command

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
    """Run the command that was asked for; every error becomes a message and its exit code here."""
    invocation = Invocation([] if signals is None else signals)
    try:
        code = _bulkreact.main(prog_name=_PROGRAM, standalone_mode=False, obj=invocation)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        if _writes_json(invocation):
            _print(invocation, error.format_message())
        else:
            error.show()
        return error.exit_code
    except click.Abort as error:
        _print(invocation, "Nothing was sent.")
        return EXIT_INTERRUPTED if isinstance(error.__context__, KeyboardInterrupt) else InputRefusedError.exit_code
    except KeyboardInterrupt:
        _print(invocation, "Interrupted. Nothing was sent.")
        return EXIT_INTERRUPTED
    except BulkreactError as error:
        _print(invocation, f"Error: {error}")
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output has gone: nothing more can be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception:  # noqa: BLE001 - the only handler that turns a bug of ours into its exit code
        message = (
            "This is a bug in bulkreact. If there was a run, its journal is intact: the same command continues it."
        )
        _print(invocation, message, trace=traceback.format_exc())
        return BulkreactError.exit_code
    return code if isinstance(code, int) else 0


def _writes_json(invocation: Invocation) -> bool:
    return json_log.json_requested(invocation.log_format, sys.argv[1:], os.environ)


def _print(invocation: Invocation, message: str, *, trace: str = "") -> None:
    """Print why the command ends, for people or as a line for programs."""
    if _writes_json(invocation):
        json_log.write(json_log.LogLevel.ERROR, "error", message=message.removeprefix("Error: "), traceback=trace)
        return
    with suppress(BrokenPipeError):
        click.echo(f"{trace}{message}", err=True)

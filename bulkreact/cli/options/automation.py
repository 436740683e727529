"""What commands that call the partner have for runs that nobody watches: options, a voice, and monitors."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from bulkreact.cli.command import ConfiguredCommand
from bulkreact.cli.options.param_types import HOOK
from bulkreact.cli.options.shared import Decorated, add, shared
from bulkreact.cli.output import json_log
from bulkreact.cli.output.console import ConsoleReporter
from bulkreact.cli.output.json_console import JsonReporter
from bulkreact.errors import EXIT_INTERRUPTED, EXIT_SUCCESS, BulkreactError, InputRefusedError
from bulkreact.monitoring.monitors import CommandEnd, Monitors
from bulkreact.monitoring.webhooks import TEAMS
from bulkreact.runs.interruption import deferring_signals
from bulkreact.runs.output_options import Output
from bulkreact.runs.result_files import WrittenResults

_SPEAKER = "bulkreact.speaker"
_NOTED = "bulkreact.noted"
_OPTIONS = (
    shared("--wait", is_flag=True, help="Wait for another run against the same partner, instead of exit code 5."),
    shared(
        json_log.OPTION,
        type=click.Choice(["text", json_log.JSON]),
        default="text",
        show_default=True,
        is_eager=True,
        callback=json_log.choose,
        help="Words for people, or one JSON object a line on stderr for programs.",
    ),
    shared(
        "--metrics",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Write figures for Prometheus to this file when done, like /var/lib/node_exporter/bulkreact.prom.",
    ),
    shared(
        "--ping",
        type=HOOK,
        help="Tell this dead-man's switch: URL/start at first, then URL, or URL/fail unless all is well.",
    ),
    shared("--notify-url", type=HOOK, help="Post the summary to this hook when done."),
    shared(
        "--notify-format",
        type=click.Choice(["json", TEAMS]),
        default="json",
        show_default=True,
        help="How: as JSON, or as a card for a Teams channel.",
    ),
    shared(
        "--notify-rows", is_flag=True, help="Post the ids of all rows, and not only of those that did not end well."
    ),
)


class MonitoredCommand(ConfiguredCommand):
    """A command that tells its monitors how it begins and ends."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; whatever becomes of telling the monitors, it ends as it would have ended without them."""
        monitors = Monitors(ctx)
        try:
            monitors.check()
            monitors.notify_start()
            result: object = super().invoke(ctx)
        except BaseException as error:
            code, words = ending_of(error)
            noted: CommandEnd = ctx.meta.get(_NOTED, CommandEnd(code))
            words, finished = words or noted.message, completed_runs(ctx)
            told = noted.already_reported and code == EXIT_SUCCESS
            shown = noted.exit_code if told else code
            with deferring_signals():
                monitors.notify_end(
                    replace(noted, exit_code=shown, message=words, finished=finished, already_reported=told)
                )
            raise
        with deferring_signals():
            monitors.notify_end(CommandEnd(EXIT_SUCCESS, "", completed_runs(ctx)))
        return result


def unattended_options(function: Decorated) -> Decorated:
    """Add the options for runs that nobody watches."""
    return add(function, _OPTIONS)


def ending_of(error: BaseException) -> tuple[int, str]:
    """Return the exit code that an exception leads to, and what is said of it."""
    match error:
        case BulkreactError():
            return error.exit_code, str(error)
        case click.exceptions.Exit():
            return error.exit_code, ""
        case click.ClickException():
            return error.exit_code, error.format_message()
        case click.Abort():
            return InputRefusedError.exit_code, "Nothing was sent."
        case KeyboardInterrupt():
            return EXIT_INTERRUPTED, "Interrupted. Nothing was sent."
        case SystemExit(code=int(code)):
            return code, "Interrupted. Nothing was sent."
        case _:
            return BulkreactError.exit_code, f"a bug in bulkreact ({type(error).__name__})"


def make_reporter(ctx: click.Context, output: Output) -> ConsoleReporter:
    """Return what speaks for a command, to people or to programs, and remembers the runs that have ended."""
    voice = JsonReporter(output) if ctx.params["log_format"] == json_log.JSON else ConsoleReporter(output)
    ctx.meta[_SPEAKER] = voice
    return voice


def completed_runs(ctx: click.Context) -> list[WrittenResults]:
    """Return the runs that have ended while a command ran."""
    voice = ctx.meta.get(_SPEAKER)
    return voice.ended if isinstance(voice, ConsoleReporter) else []


def set_command_end(ctx: click.Context, occasion: CommandEnd) -> None:
    """Take note of what a command has done besides its runs, for the monitors."""
    ctx.meta[_NOTED] = occasion


def waiting(ctx: click.Context, terminal: ConsoleReporter) -> Callable[[str], None] | None:
    """Return what is told that another run is waited for, None when it is not to be waited for."""
    return terminal.info if ctx.params["wait"] else None

"""Options for unattended runs: waiting for the lock, JSON logs, and monitors that are notified of a command's end."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial

import click
from msgspec.structs import replace

from bulkreact.cli.command import CommandContext, ConfiguredCommand
from bulkreact.cli.error_exit import ErrorExit
from bulkreact.cli.event_loop import run_async
from bulkreact.cli.invocation import invocation_of, secrets_in_url
from bulkreact.cli.options.param_types import WEBHOOK_URL
from bulkreact.cli.options.paths import OutputFile
from bulkreact.cli.options.shared import combine_options, option
from bulkreact.cli.output import json_log
from bulkreact.cli.output.console import ConsoleReporter
from bulkreact.cli.output.json_console import JsonReporter
from bulkreact.errors import BulkreactError, OutputRefusedError
from bulkreact.monitoring.monitors import CommandEnd, Notifier
from bulkreact.monitoring.webhooks import TEAMS, NotifyTargets
from bulkreact.partnercenter.auth.access import refresh_token_expires_at
from bulkreact.runs.interruption import deferring_signals
from bulkreact.runs.output_kinds import OutputKind
from bulkreact.runs.output_options import Output
from bulkreact.runs.reporter import Reporter
from bulkreact.runs.result_files import WrittenResults
from bulkreact.runs.state_dir import state_folder
from bulkreact.timestamps import utc_now

wait_option = option(
    "--wait", is_flag=True, help="Wait for another run against the same partner, instead of exit code 5."
)
unattended_options = combine_options(
    wait_option,
    option(
        json_log.OPTION,
        type=click.Choice(["text", json_log.JSON]),
        default="text",
        show_default=True,
        is_eager=True,
        callback=json_log.remember_format,
        help="Text for people, or one JSON object a line on stderr for programs.",
    ),
    option(
        "--metrics",
        type=OutputFile(OutputKind.METRICS),
        help="Write metrics for Prometheus to this file when done, like /var/lib/node_exporter/bulkreact.prom.",
    ),
    option(
        "--ping",
        type=WEBHOOK_URL,
        help="Ping this dead-man's switch: URL/start first, then URL, or URL/fail unless all is well.",
    ),
    option("--notify-url", type=WEBHOOK_URL, help="Post the summary to this webhook when done."),
    option(
        "--notify-format",
        type=click.Choice(["json", TEAMS]),
        default="json",
        show_default=True,
        help="Format of the notification: JSON, or a card for a Teams channel.",
    ),
    option(
        "--notify-rows", is_flag=True, help="Post the ids of all rows, and not only of those that did not end well."
    ),
)


class MonitoredCommand(ConfiguredCommand):
    """A command whose function returns a CommandEnd; its monitors are notified of its start and its end."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command and exit with its code, even if notifications fail."""
        redactor, monitors = invocation_of(ctx).redactor, monitors_for(ctx)
        for url in filter(None, (monitors.targets.ping, monitors.targets.url)):
            redactor.add(*secrets_in_url(url))
        try:
            monitors.notify_start()
            end = _end(super().invoke(ctx))
        except BaseException as error:
            ended = ErrorExit.of(error)
            end = CommandEnd(ended.code, redactor.redact(ended.message))
            if isinstance(error, OutputRefusedError):
                # It may be the metrics file that is refused.
                monitors = replace(monitors, metrics=None)
            raise
        finally:
            with deferring_signals():
                monitors.notify_end(end)
        ctx.exit(end.exit_code)


def _end(result: object) -> CommandEnd:
    if not isinstance(result, CommandEnd):
        raise TypeError("the function of a MonitoredCommand returns how it ended")
    return result


def monitors_for(ctx: click.Context) -> Notifier:
    """Return the notifier for a command's options."""
    params = ctx.params
    return Notifier(
        command=str(ctx.info_name),
        reports=params["reports"],
        metrics=params["metrics"],
        targets=NotifyTargets(params["ping"], params["notify_url"], teams=params["notify_format"] == TEAMS),
        all_rows=params["notify_rows"],
        simulated=bool(params.get("simulate")),
        refresh_token_expiry=partial(_refresh_token_expiry, ctx),
        now=utc_now,
        warn=partial(json_log.warn, params["log_format"]),
        run_async=run_async,
    )


def notify_of(ctx: click.Context) -> Callable[[WrittenResults], None]:
    """Return a function that reports a command's run to its monitors, for runs whose end is recorded only afterwards."""
    monitors = monitors_for(ctx)

    def notify(run: WrittenResults) -> None:
        with deferring_signals():
            monitors.notify_end(end_of(run))

    return notify


def end_of(run: WrittenResults) -> CommandEnd:
    """Return the end of a command that worked on one run."""
    return CommandEnd(run.exit_code, runs=(run,))


def make_reporter(ctx: click.Context, output: Output) -> Reporter:
    """Return the reporter for --log-format."""
    return JsonReporter(output) if ctx.params["log_format"] == json_log.JSON else ConsoleReporter(output)


def _refresh_token_expiry(ctx: click.Context) -> datetime | None:
    access = ctx.access if isinstance(ctx, CommandContext) else None
    with suppress(BulkreactError):
        return refresh_token_expires_at(access.source, state_folder()) if access else None
    return None

"""``bulkreact sweep``: runs every new file of a folder, each content once, for unattended schedules."""

import os
import sys
from functools import partial
from pathlib import Path
from time import sleep

import click

from bulkreact.batch.journal.pending_rows import OpenCount
from bulkreact.cli import credentials
from bulkreact.cli.confirm import confirm
from bulkreact.cli.event_loop import run_async
from bulkreact.cli.invocation import invocation_of
from bulkreact.cli.options import automation, shared
from bulkreact.cli.options.automation import MonitoredCommand, unattended_options
from bulkreact.cli.options.identity import identity_options
from bulkreact.cli.options.input import input_options, read_load_options
from bulkreact.cli.options.param_types import DURATION
from bulkreact.errors import InputRefusedError
from bulkreact.inbox.ledger import open_ledger
from bulkreact.inbox.sweep import sweep, watch
from bulkreact.inbox.sweep_pass import AccessSource, SweepEnvironment, SweepJob
from bulkreact.monitoring.monitors import CommandEnd
from bulkreact.runs.input_reader import LoadedInput, load_input
from bulkreact.runs.partner_lock import hold_inbox_lock
from bulkreact.settings import Limits, Service
from bulkreact.sheets.input.input_options import LoadOptions
from bulkreact.timestamps import utc_now

_FILE_OPTIONS = ("keep", "again", "allow_empty", "wait", "settle", "expect_within")


@click.command("sweep", cls=MonitoredCommand)
@click.argument(
    "inbox", metavar="[DIR]", required=False, default="inputs", type=click.Path(file_okay=False, path_type=Path)
)
@shared.target_options
@identity_options
@shared.limit_options
@shared.halt_options
@shared.verify_options
@shared.sweep_output_options
@unattended_options
@input_options
@click.option(
    "--settle", type=DURATION, default="10s", show_default=True, help="Ignore files that changed more recently."
)
@click.option("--keep", is_flag=True, help="Leave the folder as it is: nothing is moved or written there.")
@click.option("--again", is_flag=True, help="Also run contents that had a run before.")
@click.option("--expect-within", type=DURATION, help="Exit code 1 if no new file came for this long, like 7d.")
@click.option("--watch", is_flag=True, help="Keep running and sweep again and again, until SIGTERM or Ctrl-C.")
@click.option("--every", type=DURATION, default="60s", show_default=True, help="How often --watch sweeps.")
@click.pass_context
def command(ctx: click.Context, /, inbox: Path, **_: object) -> CommandEnd:
    """Run every new file in DIR (inputs/, unless named), oldest first. A file whose content was run before is skipped.

    A file whose run is complete is moved to DIR/done, next to a copy of its results; one that is refused to DIR/failed,
    with the reason. Runs that were interrupted or killed are continued first.
    """
    (service, limits, load_options), params = _read_options(ctx, inbox), ctx.params
    with hold_inbox_lock(inbox):
        output = shared.read_output(ctx)
        reporter = automation.make_reporter(ctx, output)
        access = AccessSource(partial(credentials.authorize, ctx, service))
        remarks = [access.get().remark]
        if service.simulated and not params["keep"]:
            remarks.append("This is practice, and files are moved all the same: --keep leaves them where they are.")

        def say_remarks() -> None:
            """Say what is to be known before the first file; an empty inbox is silent."""
            for remark in remarks:
                reporter.info(remark)
            remarks.clear()

        def read_input(draft: Path, name: str, path: Path) -> LoadedInput:
            say_remarks()
            return load_input(draft, name, path, load_options)

        def confirm_sending(count: OpenCount, remark: str) -> None:
            say_remarks()
            _confirm(service, access, limits, count, remark, yes=output.yes)

        environment = SweepEnvironment(
            reporter=reporter,
            access=access,
            confirm=confirm_sending,
            read_input=read_input,
            signals=invocation_of(ctx).signals,
            run_async=run_async,
            now=utc_now,
            sleep=sleep,
        )
        with open_ledger(output.reports, inbox) as ledger:
            ledger.record_first_sweep(utc_now())
            options = {name: params[name] for name in _FILE_OPTIONS}
            job = SweepJob(inbox, service, limits, output, ledger, environment, **options)
            if params["watch"]:
                return watch(job, every=params["every"], notify=automation.monitors_for(ctx).notify_end)
            return sweep(job)


def _confirm(
    service: Service, access: AccessSource, limits: Limits, count: OpenCount, remark: str, *, yes: bool
) -> None:
    try:
        tenant_id = "" if service.simulated else access.get().tenant_id
        confirm(count, remark, service, yes=yes, tenant_id=tenant_id, calls_per_second=limits.calls_per_second)
    except (click.Abort, click.exceptions.Exit) as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise InputRefusedError("it was not confirmed.") from None


def _read_options(ctx: click.Context, inbox: Path) -> tuple[Service, Limits, LoadOptions]:
    """Return the parsed options; InputRefusedError for anything that would fail later."""
    params = ctx.params
    service, limits, load_options = shared.read_service(ctx), shared.read_limits(ctx), read_load_options(params)
    if params["watch"] and params["again"] and params["keep"]:
        raise InputRefusedError("--watch --again would run the same files in every pass: leave one of them out.")
    if params["every"] <= 0:
        raise InputRefusedError("--every must be greater than 0.")
    if not inbox.is_dir():
        raise InputRefusedError(f"There is no folder {inbox}. Make it, or name another.")
    if inbox.resolve() == params["reports"].resolve():
        raise InputRefusedError(f"{inbox} is the reports folder: name another inbox, or another folder with --reports.")
    if not params["keep"] and not os.access(inbox, os.W_OK):
        raise InputRefusedError(f"{inbox} cannot be written, so no file can be moved from it: add --keep.")
    if not params["yes"] and not service.simulated and not sys.stdin.isatty():
        raise InputRefusedError(
            "Not a terminal, so I cannot ask before sending. Nothing was sent. Add --yes to confirm."
        )
    return service, limits, load_options

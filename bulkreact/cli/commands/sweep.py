"""``bulkreact sweep``: runs every new file of a folder, each content once, for schedules that nobody watches."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic, sleep

import click

from bulkreact.cli import credentials
from bulkreact.cli.options import automation, shared
from bulkreact.cli.options.automation import MonitoredCommand, unattended_options
from bulkreact.cli.options.identity import identity_options
from bulkreact.cli.options.input import options_of, reading_options
from bulkreact.cli.options.param_types import DURATION
from bulkreact.cli.output.json_log import print_error
from bulkreact.early_signals import early_signals
from bulkreact.errors import EXIT_SOME_FAILED, EXIT_SUCCESS, BulkreactError, InputRefusedError
from bulkreact.inbox import ledger
from bulkreact.inbox.new_files import NewFiles
from bulkreact.inbox.outcomes import FileOutcome, FileResult, content_of, figures_of, is_fatal, is_final, most_severe
from bulkreact.inbox.scan import FileSnapshot, scan
from bulkreact.inbox.sweep import SweepJob, SweepPass, usable
from bulkreact.inbox.unfinished import UnfinishedRuns
from bulkreact.monitoring.monitors import CommandEnd, Monitors
from bulkreact.runs.interruption import deferring_signals, exit_code_of
from bulkreact.runs.partner_lock import swept
from bulkreact.settings import Service
from bulkreact.timestamps import iso

# Between the two looks that tell whether somebody is writing a file.
_LOOK_SECONDS = 1.0
_NAP_SECONDS = 0.2
_UNITS = ((86_400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))


@click.command("sweep", cls=MonitoredCommand)
@click.argument(
    "inbox", metavar="[DIR]", required=False, default="inputs", type=click.Path(file_okay=False, path_type=Path)
)
@shared.target_options
@identity_options
@shared.pace_options
@shared.halt_options
@shared.verify_options
@shared.sweep_output_options
@unattended_options
@reading_options
@click.option(
    "--settle", type=DURATION, default="10s", show_default=True, help="Leave files alone that changed less ago."
)
@click.option("--keep", is_flag=True, help="Leave the folder as it is: nothing is moved or written there.")
@click.option("--again", is_flag=True, help="Also run contents that had a run before.")
@click.option("--expect-within", type=DURATION, help="Exit code 1 when nothing new has come for so long, like 7d.")
@click.option("--watch", is_flag=True, help="Keep running and look again and again, until SIGTERM or Ctrl-C.")
@click.option("--every", type=DURATION, default="60s", show_default=True, help="How often --watch looks.")
@click.pass_context
def command(ctx: click.Context, /, inbox: Path, **_: object) -> None:
    """Run every new file of DIR (inputs/, unless named), the oldest first, each content once ever.

    A file whose run is complete is moved to DIR/done, next to a copy of its results; one that is refused to DIR/failed,
    with the reason. Runs that were interrupted or killed are continued first.
    """
    service = _checked(ctx, inbox)
    with swept(inbox), ExitStack() as stack:
        output = shared.output(ctx)
        terminal = automation.make_reporter(ctx, output)
        granted = usable(credentials.authorize(ctx, service))
        terminal.info_if(granted.remark)
        if service.simulated and not ctx.params["keep"]:
            terminal.info("This is practice, and files are moved all the same: --keep leaves them where they are.")
        found = stack.enter_context(ledger.opened(output.reports, inbox))
        found.begin(iso(now()))
        job = SweepJob(ctx, inbox, service, shared.limits(ctx), output, terminal, found, now, [granted])
        code = _watch(job) if ctx.params["watch"] else _once(job)
    ctx.exit(code)


def now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


def inactivity_message(since: datetime, at: datetime, within: float | None) -> str:
    """Say that nothing new has come for too long, by ``within`` seconds; empty when all is as it should be."""
    if within is None or (at - since).total_seconds() <= within:
        return ""
    lasted = _long((at - since).total_seconds())
    return f"nothing new has come since {iso(since)}, for {lasted}, and {_long(within)} are allowed"


def _long(seconds: float) -> str:
    size, unit = next((one for one in _UNITS if seconds >= one[0]), _UNITS[-1])
    return f"{round(seconds / size, 1):g} {unit}"


def _checked(ctx: click.Context, inbox: Path) -> Service:
    """Return the service that the options name; InputRefusedError when anything would be in the way later."""
    given = ctx.params
    service = shared.service(ctx)
    shared.limits(ctx)
    options_of(given)
    if given["watch"] and given["again"] and given["keep"]:
        raise InputRefusedError("--watch --again would run the same files at every look: leave one of them out.")
    if given["every"] <= 0:
        raise InputRefusedError("--every must be longer than nothing.")
    if not inbox.is_dir():
        raise InputRefusedError(f"There is no folder {inbox}. Make it, or name another.")
    if inbox.resolve() == given["reports"].resolve():
        raise InputRefusedError(f"{inbox} is the reports folder: name another inbox, or another folder with --reports.")
    if not given["keep"] and not os.access(inbox, os.W_OK):
        raise InputRefusedError(f"{inbox} cannot be written, so that no file can be moved from it: add --keep.")
    if not given["yes"] and not service.simulated and not sys.stdin.isatty():
        raise InputRefusedError(
            "Nobody is there to be asked before sending. Nothing was sent. Add --yes to agree beforehand."
        )
    return service


def _once(job: SweepJob) -> int:
    handled, stopped = _pass(job)
    automation.set_command_end(job.ctx, _occasion(job, handled))
    return stopped or most_severe(one.exit_code for one in handled)


def _watch(job: SweepJob) -> int:
    """Look again and again; a signal ends it, with code 0 unless it has interrupted a run."""
    monitors = Monitors(job.ctx)
    before: list[FileResult] = []
    job.terminal.info(f"Watching {job.inbox}, every {job.ctx.params['every']:g} s.")
    try:
        while True:
            handled, stopped = _pass(job)
            code = most_severe(one.exit_code for one in handled)
            if is_fatal(code):
                automation.set_command_end(job.ctx, _occasion(job, handled))
                return code
            occasion = _occasion(job, handled)
            # What has been told is not told again at the end, apart from the figures.
            automation.set_command_end(job.ctx, CommandEnd(code, figures=occasion.figures, already_reported=True))
            with deferring_signals() as came:
                monitors.notify_end(replace(occasion, unchanged=handled == before and bool(handled)))
                before = handled
                automation.completed_runs(job.ctx).clear()
                if not stopped and not early_signals:
                    wait_for_signal(job.ctx.params["every"], came)
            if came or stopped or early_signals:
                return EXIT_SUCCESS
    except (KeyboardInterrupt, SystemExit):
        # Between two runs: none was interrupted.
        return EXIT_SUCCESS


def _pass(job: SweepJob) -> tuple[list[FileResult], int]:
    """Do what there is to be done; returns also the exit code of a signal that came, 0 when none did."""
    handled: list[FileResult] = []
    with SweepPass(job) as bench:
        for name, step in _steps(job, bench):
            one = _guarded(name, step)
            if one:
                handled.append(one)
            # A signal's exception may be swallowed where it strikes.
            if bench.stopped or early_signals or (one and is_final(one.exit_code)):
                return handled, bench.stopped or (exit_code_of(early_signals[0]) if early_signals else 0)
    since = datetime.fromisoformat(job.ledger.last_activity())
    if words := inactivity_message(since, job.now(), job.ctx.params["expect_within"]):
        print_error(f"{job.inbox}: {words}.", sys.argv[1:])
        handled.append(FileResult("", FileOutcome.SILENT, EXIT_SOME_FAILED, message=words))
    return handled, bench.stopped


def _guarded(name: str, step: Callable[[], FileResult | None]) -> FileResult | None:
    """Take a step; one file's trouble is its own."""
    try:
        return step()
    except click.exceptions.Exit as refusal:
        # Somebody was asked, and said no.
        return FileResult(name, FileOutcome.WAITING, refusal.exit_code)
    except BulkreactError as error:
        words = str(error)
        print_error(f"Error: {name}: {words}" if name else f"Error: {words}", sys.argv[1:])
        return FileResult(name, FileOutcome.WAITING, error.exit_code, message=words)


def _steps(job: SweepJob, bench: SweepPass) -> Iterator[tuple[str, Callable[[], FileResult | None]]]:
    """Go on with what was begun, then take up what is new; yields each step when the one before has been taken."""
    for entry in job.ledger.unsettled():
        yield entry.file_name, partial(UnfinishedRuns(bench).resume, entry)
    found: list[FileSnapshot] = []
    yield "", partial(_look, job, found)
    for one in found:
        yield one.path.name, partial(NewFiles(bench).process, one)


def _look(job: SweepJob, found: list[FileSnapshot]) -> None:
    """Find the files that are ready; when they have been read, a moment later, they must still be as they were."""
    settle = job.ctx.params["settle"]
    seen = scan(job.inbox, settle=settle, now=job.now().timestamp())
    for one in seen.young:
        job.terminal.info(f"Left alone for now: {one.path.name} changed less than {settle:g} s ago.")
    found.extend(seen.ready)
    if found:
        sleep(min(_LOOK_SECONDS, settle))


def wait_for_signal(seconds: float, came: list[int]) -> None:
    """Wait, or until a signal comes."""
    until = monotonic() + seconds
    while not came and (left := until - monotonic()) > 0:
        sleep(min(_NAP_SECONDS, left))


def _occasion(job: SweepJob, handled: list[FileResult]) -> CommandEnd:
    """Return what monitors are told of a pass."""
    since = datetime.fromisoformat(job.ledger.last_activity())
    return CommandEnd(
        most_severe(one.exit_code for one in handled),
        "; ".join(one.line for one in handled if one.exit_code),
        tuple(automation.completed_runs(job.ctx)),
        content_of(job.inbox, handled),
        figures_of(job.inbox, handled, at=job.now(), news=since),
    )

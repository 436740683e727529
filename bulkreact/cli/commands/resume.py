"""``bulkreact resume``: continues an unfinished run from its journal."""

import click

from bulkreact.cli.confirm import confirmation
from bulkreact.cli.connection import open_run_connection
from bulkreact.cli.options import automation, shared
from bulkreact.cli.options.automation import MonitoredCommand, unattended_options
from bulkreact.cli.options.identity import identity_options
from bulkreact.errors import EXIT_SUCCESS, InputRefusedError
from bulkreact.monitoring.monitors import CommandEnd
from bulkreact.runs import store
from bulkreact.runs.execution import execute
from bulkreact.runs.handover import complete_handovers
from bulkreact.runs.index import RunList, list_open_runs
from bulkreact.runs.next_steps import taken_over_steps
from bulkreact.runs.preparation import announce
from bulkreact.runs.run_job import RunJob
from bulkreact.runs.run_trust import refuse_foreign
from bulkreact.settings import LATEST_RUN
from bulkreact.wording import plural


@click.command("resume", cls=MonitoredCommand)
@shared.run_argument
@shared.trust_options
@identity_options
@shared.limit_options
@shared.halt_options
@shared.verify_options
@shared.output_options
@unattended_options
@shared.control_option
@shared.operator_option
@click.pass_context
def command(ctx: click.Context, /, name: str, **_: object) -> CommandEnd:
    """Continue an unfinished run, the latest one unless RUN names another.

    It also sends what --limit had left out. Where the calls go is fixed by the run.
    """
    output, limits = shared.read_output(ctx), shared.read_limits(ctx)
    reporter = automation.make_reporter(ctx, output)
    listed = list_open_runs(output.reports) if name == LATEST_RUN else RunList()
    run = store.to_resume(output.reports, listed) if name == LATEST_RUN else store.find(output.reports, name)
    for folder, reason in listed.unreadable.items():
        reporter.info(f"Not looked at: {folder.name} cannot be read: {reason}")
    if run is None:
        if listed.unreadable:
            raise InputRefusedError("No run could be read, so none is continued.")
        reporter.info(f"There is no run in {output.reports}: nothing to continue.")
        ctx.exit(EXIT_SUCCESS)
    refuse_foreign(run.folder, agreed=shared.is_trusted(ctx))
    metadata = run.metadata
    complete_handovers(run.folder, open_runs=listed.runs if name == LATEST_RUN else None)
    count = store.open_count(run.folder, with_excluded=True)
    if not count.rows and run.is_finished:
        reporter.info(f"Run {metadata.id} has nothing to continue.")
        for step in taken_over_steps(run.folder, output.reports):
            reporter.info(step.line)
        ctx.exit(EXIT_SUCCESS)
    with open_run_connection(ctx, run, limits, reporter) as connection:
        reporter.info(f"Continuing run {metadata.id}; not settled yet: {plural(count.rows, 'row')}.")
        announce(connection, metadata, run.folder, count, confirmation(connection, yes=output.yes))
        lifts_limit = metadata.row_limit is not None
        job = RunJob(run.folder, "resume", connection, output, seen=run, lifts_limit=lifts_limit)
        return automation.end_of(execute(job))

"""``bulkreact retry``: a new run over those rows of a finished one that may now succeed."""

from pathlib import Path

import click

from bulkreact.cli.confirm import confirmation
from bulkreact.cli.connection import open_run_connection
from bulkreact.cli.options import automation, shared
from bulkreact.cli.options.automation import MonitoredCommand, unattended_options
from bulkreact.cli.options.identity import identity_options
from bulkreact.cli.options.paths import ReadablePath
from bulkreact.errors import EXIT_SUCCESS
from bulkreact.monitoring.monitors import CommandEnd
from bulkreact.runs import store
from bulkreact.runs.execution import execute
from bulkreact.runs.reserved_ids import reserving_id
from bulkreact.runs.retry_selection import prepare_retry
from bulkreact.runs.run_job import RunJob
from bulkreact.runs.run_trust import refuse_foreign
from bulkreact.runs.saved_plan import load_plan


@click.command("retry", cls=MonitoredCommand)
@shared.run_argument
@shared.trust_options
@identity_options
@shared.limit_options
@shared.halt_options
@shared.verify_options
@shared.output_options
@unattended_options
@click.option("--all-failed", is_flag=True, help="Also take the rows that failed for good.")
@click.option("--limit", type=click.IntRange(0), help="Send only the first N rows.")
@click.option("--plan", type=ReadablePath(), help="Refuse to send other rows than those whose digest this file has.")
@shared.run_id_option
@shared.page_option
@shared.control_option
@shared.operator_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    name: str,
    *,
    all_failed: bool,
    limit: int | None,
    plan: Path | None,
    run_id: str | None,
    **_: object,
) -> CommandEnd:
    """Make a new run of those rows of RUN that another attempt may settle.

    These are the unknown, deferred and not attempted ones, and those that failed for a transient reason or because
    Partner Center could not be reached. What an earlier retry of RUN has settled is left alone, and so is what another
    run in the same folder has reactivated since.
    """
    output, limits = shared.read_output(ctx), shared.read_limits(ctx)
    reporter = automation.make_reporter(ctx, output)
    run = store.find(output.reports, name)
    refuse_foreign(run.folder, agreed=shared.is_trusted(ctx))
    with (
        # Next to the run whose rows are taken.
        reserving_id(run.folder.parent, run_id),
        open_run_connection(ctx, run, limits, reporter) as connection,
    ):
        confirm = confirmation(connection, yes=output.yes)
        prepared = prepare_retry(
            run,
            output.reports,
            connection,
            confirm,
            all_failed=all_failed,
            row_limit=limit,
            plan=load_plan(plan) if plan else None,
            run_id=run_id,
        )
        if prepared is None:
            return CommandEnd(EXIT_SUCCESS)
        job = RunJob(prepared.folder, "retry", connection, output, is_new=not prepared.seen, seen=prepared.seen)
        return automation.end_of(execute(job))

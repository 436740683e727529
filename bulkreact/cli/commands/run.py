"""``bulkreact run``: reactivates the subscriptions of an input file."""

from pathlib import Path

import click
from msgspec.structs import replace

from bulkreact.cli.confirm import confirmation
from bulkreact.cli.connection import open_connection
from bulkreact.cli.options import automation, shared
from bulkreact.cli.options.automation import MonitoredCommand, unattended_options
from bulkreact.cli.options.identity import identity_options
from bulkreact.cli.options.input import input_options, read_load_options, sha256_option
from bulkreact.cli.options.paths import InputName, ReadablePath
from bulkreact.monitoring.monitors import CommandEnd, ReportState
from bulkreact.runs import store
from bulkreact.runs.execution import execute
from bulkreact.runs.input_reader import load_input, name_of, open_input
from bulkreact.runs.preparation import NewRunOptions, prepare_run
from bulkreact.runs.reserved_ids import reserving_id
from bulkreact.runs.run_job import RunJob
from bulkreact.runs.saved_plan import load_plan


@click.command("run", cls=MonitoredCommand)
@click.argument("source", metavar="INPUT", type=InputName())
@shared.target_options
@identity_options
@shared.limit_options
@shared.halt_options
@shared.verify_options
@shared.output_options
@unattended_options
@input_options
@click.option("--limit", type=click.IntRange(0), help="Send only the first N rows that could be sent.")
@click.option(
    "--plan",
    type=ReadablePath(),
    help="Refuse the input unless it matches this plan, saved by 'bulkreact plan --out'.",
)
@click.option("--new", is_flag=True, help="Start a new run even if an unfinished one of this input exists.")
@shared.run_id_option
@shared.page_option
@sha256_option
@shared.control_option
@shared.operator_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    source: str,
    *,
    limit: int | None,
    plan: Path | None,
    new: bool,
    run_id: str | None,
    **_: object,
) -> CommandEnd:
    """Reactivate every subscription of INPUT, a table (CSV or .xlsx) of customer_id, subscription_id and entitlement_id.

    Suspended subscriptions need no entitlement_id: see --kind.

    Run again on the same input, it continues an unfinished run of it. INPUT may be - for standard input.
    """
    output, service, limits = shared.read_output(ctx), shared.read_service(ctx), shared.read_limits(ctx)
    options, reporter = read_load_options(ctx.params), automation.make_reporter(ctx, output)
    # The input first: a stream may take long, and no other process may call the partner while its lock is held.
    with (
        reserving_id(output.reports, run_id),
        open_input(source, options.input.limits) as path,
        open_connection(ctx, service, limits, reporter) as connection,
    ):
        prepared = prepare_run(
            name_of(source),
            NewRunOptions(
                output.reports,
                limit,
                load_plan(plan) if plan else None,
                new=new or run_id is not None,
                corrects=store.run_of_results(path, output.reports),
                run_id=run_id,
            ),
            connection,
            lambda draft: load_input(draft, source, path, options),
            confirmation(connection, yes=output.yes),
        )
        job = RunJob(
            prepared.folder,
            "run",
            connection,
            output,
            automation.notify_of(ctx),
            is_new=not prepared.seen,
            seen=prepared.seen,
        )
        results = execute(job)
        return replace(automation.end_of(results), report_state=ReportState.ALREADY_REPORTED)

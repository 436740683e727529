"""``bulkreact verify``: reads the current status of accepted subscriptions, and updates the results."""

import click

from bulkreact.batch.journal.metadata import VERIFY
from bulkreact.cli.connection import open_run_connection
from bulkreact.cli.options import automation, shared
from bulkreact.cli.options.automation import MonitoredCommand, unattended_options
from bulkreact.cli.options.identity import identity_options
from bulkreact.monitoring.monitors import CommandEnd
from bulkreact.runs import store
from bulkreact.runs.execution import execute
from bulkreact.runs.run_job import RunJob
from bulkreact.runs.run_trust import refuse_foreign
from bulkreact.settings import LATEST_RUN


@click.command("verify", cls=MonitoredCommand)
@shared.run_argument
@shared.trust_options
@identity_options
@shared.limit_options
@shared.verify_only_options
@shared.output_options
@unattended_options
@shared.control_option
@shared.operator_option
@click.pass_context
def command(ctx: click.Context, /, name: str, **_: object) -> CommandEnd:
    """Read the present status of the accepted subscriptions of RUN, and write its results again with that.

    Rows that are pending or whose answer was lost are read too. Nothing is reactivated; it can be done again
    days later. Without --verify-timeout every row is read once.
    """
    output, limits = shared.read_output(ctx), shared.read_limits(ctx)
    run = store.find(output.reports, name)
    refuse_foreign(run.folder, agreed=shared.is_trusted(ctx))
    reporter = automation.make_reporter(ctx, output)
    if name == LATEST_RUN and run.retry_of and (first := store.locate(run.folder.parent, run.retry_of)):
        arguments = store.run_arguments(first, output.reports, run.metadata.settings.options)
        reporter.info(f"This is a retry. What its first run has sent is looked at by: bulkreact verify {arguments}")
    with open_run_connection(ctx, run, limits, reporter) as connection:
        return automation.end_of(execute(RunJob(run.folder, VERIFY, connection, output)))

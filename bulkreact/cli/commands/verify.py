"""``bulkreact verify``: reads how accepted subscriptions stand now, and finishes the results with it."""

import click

from bulkreact.batch.journal.metadata import VERIFY
from bulkreact.cli import credentials
from bulkreact.cli.options import automation, shared
from bulkreact.cli.options.automation import MonitoredCommand, unattended_options
from bulkreact.cli.options.identity import identity_options
from bulkreact.runs import store
from bulkreact.runs.execution import RunJob, execute
from bulkreact.runs.partner_lock import locked


@click.command("verify", cls=MonitoredCommand)
@click.argument("name", metavar="RUN")
@identity_options
@shared.pace_options
@shared.verify_only_options
@shared.output_options
@unattended_options
@click.pass_context
def command(ctx: click.Context, /, name: str, **_: object) -> None:
    """Read how the accepted subscriptions of RUN stand now, and write its results again with that.

    Rows that are pending or whose answer was lost are looked at as well. Nothing is reactivated; it can be done again
    days later. Without --verify-timeout every row is looked at once.
    """
    output = shared.output(ctx)
    limits = shared.limits(ctx)
    run = store.find(output.reports, name)
    service = shared.service_of(run.facts)
    terminal = automation.make_reporter(ctx, output)
    granted = credentials.authorize(ctx, service, tenant_id=run.facts.tenant_id)
    terminal.info_if(granted.remark)
    with locked(service, granted.tenant_id, waiting=automation.waiting(ctx, terminal)) as tell:
        tell(run.facts.id)
        results = execute(RunJob(run.folder, VERIFY, granted, service, limits, output), terminal)
    ctx.exit(results.exit_code)

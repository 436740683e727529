"""``bulkreact verify``: reads how accepted subscriptions stand now, and finishes the results with it."""

import click

from bulkreact.batch.journal import VERIFY
from bulkreact.cli import credentials, options, runs, unattended
from bulkreact.cli.execute import Work, execute
from bulkreact.cli.identity_options import identity_options
from bulkreact.cli.locking import locked
from bulkreact.cli.unattended import Unattended, unattended_options


@click.command("verify", cls=Unattended)
@click.argument("name", metavar="RUN")
@identity_options
@options.pace_options
@options.verify_only_options
@options.output_options
@unattended_options
@click.pass_context
def command(ctx: click.Context, /, name: str, **_: object) -> None:
    """Read how the accepted subscriptions of RUN stand now, and write its results again with that.

    Rows that are pending or whose answer was lost are looked at as well. Nothing is reactivated; it can be done again
    days later. Without --verify-timeout every row is looked at once.
    """
    output = options.output(ctx)
    limits = options.limits(ctx)
    run = runs.find(output.reports, name)
    service = options.service_of(run.facts)
    terminal = unattended.speaker(ctx, output)
    granted = credentials.access(ctx, service, tenant_id=run.facts.tenant_id)
    terminal.remark(granted.remark)
    with locked(service, granted.tenant_id, waiting=unattended.waiting(ctx, terminal)) as tell:
        tell(run.facts.id)
        code = execute(Work(run.folder, VERIFY, granted, service, limits, output), terminal)
    ctx.exit(code)

"""``bulkreact verify``: reads how accepted subscriptions stand now, and finishes the results with it."""

import click

from bulkreact.batch.journal import VERIFY
from bulkreact.cli import options, runs
from bulkreact.cli.execute import Work, execute
from bulkreact.cli.locking import locked
from bulkreact.cli.terminal import Terminal
from bulkreact.partnercenter.auth import checked_token


@click.command("verify")
@click.argument("name", metavar="RUN")
@options.pace_options
@options.verify_only_options
@options.output_options
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
    token = checked_token(options.access_token(simulated=service.simulated))
    with locked(service) as tell:
        tell(run.facts.id)
        code = execute(Work(run.folder, VERIFY, token, service, limits, output), Terminal(output))
    ctx.exit(code)

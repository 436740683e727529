"""``bulkreact resume``: goes on with an unfinished run, from its journal alone."""

import click

from bulkreact.batch.journal.journal import Journal
from bulkreact.cli import credentials
from bulkreact.cli.confirm import confirm
from bulkreact.cli.options import automation, shared
from bulkreact.cli.options.automation import Unattended, unattended_options
from bulkreact.cli.options.identity import identity_options
from bulkreact.errors import EXIT_SUCCESS, InputRefusedError
from bulkreact.runs import store
from bulkreact.runs.execution import Work, execute
from bulkreact.runs.partner_lock import locked
from bulkreact.wording import many


@click.command("resume", cls=Unattended)
@click.argument("name", metavar="[RUN]", required=False)
@identity_options
@shared.pace_options
@shared.halt_options
@shared.verify_options
@shared.output_options
@unattended_options
@click.pass_context
def command(ctx: click.Context, /, name: str | None, **_: object) -> None:
    """Continue an unfinished run, the latest one unless RUN names another by its id, its beginning or its folder.

    It also sends what --limit had left out. Where the calls go is fixed by the run.
    """
    output = shared.output(ctx)
    limits = shared.limits(ctx)
    terminal = automation.speaker(ctx, output)
    run = store.find(output.reports, name) if name else store.to_resume(output.reports)
    unreadable = {} if name else store.unreadable(output.reports)
    for folder, why in unreadable.items():
        terminal.note(f"Not looked at: {folder.name} cannot be read: {why}")
    if run is None:
        if unreadable:
            raise InputRefusedError("No run could be read, so none is continued.")
        terminal.note(f"There is no run in {output.reports}: nothing to continue.")
        ctx.exit(EXIT_SUCCESS)
    facts = run.facts
    service = shared.service_of(facts)
    count = store.open_count(run.folder, with_left_out=True)
    if not count.rows and not run.unfinished:
        terminal.note(f"Run {facts.id} has nothing to continue.")
        ctx.exit(EXIT_SUCCESS)
    terminal.note(f"Continuing run {facts.id} of {facts.input_name}; not settled yet: {many(count.rows, 'row')}.")
    granted = credentials.access(ctx, service, tenant_id=facts.tenant_id)
    terminal.remark(granted.remark)
    with locked(service, granted.tenant_id, waiting=automation.waiting(ctx, terminal)) as tell:
        confirm(lambda: count, service, yes=output.yes or bool(granted.refusal))
        tell(facts.id)
        with Journal(run.folder) as journal:
            journal.include_left_out()
        code = execute(Work(run.folder, "resume", granted, service, limits, output), terminal)
    ctx.exit(code)

"""``bulkreact run``: the main job, from a file to its results."""

from datetime import UTC, datetime
from pathlib import Path

import click

from bulkreact.batch.journal.journal import finalize
from bulkreact.batch.journal.preview import targets
from bulkreact.cli.commands.plan import load
from bulkreact.cli.confirm import confirm
from bulkreact.cli.options import automation, shared
from bulkreact.cli.options.automation import MonitoredCommand, unattended_options
from bulkreact.cli.options.identity import identity_options
from bulkreact.cli.options.input import load_options, reading_options
from bulkreact.cli.session import open_session
from bulkreact.errors import InputRefusedError
from bulkreact.monitoring.monitors import CommandEnd
from bulkreact.runs import store
from bulkreact.runs.execution import RunJob, execute
from bulkreact.runs.input_reader import load_input, name_of, open_input
from bulkreact.runs.partner_session import PartnerSession
from bulkreact.runs.preparation import find_unfinished, new_metadata
from bulkreact.wording import plural


@click.command("run", cls=MonitoredCommand)
@click.argument("source", metavar="INPUT")
@shared.target_options
@identity_options
@shared.pace_options
@shared.halt_options
@shared.verify_options
@shared.output_options
@unattended_options
@reading_options
@click.option("--limit", type=click.IntRange(0), help="Send only the first N rows that could be sent.")
@click.option(
    "--plan",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Refuse the input unless it comes to what this file says, which 'bulkreact plan --out' has written.",
)
@click.option("--new", is_flag=True, help="Start a new run even if an unfinished one of this input exists.")
@click.pass_context
def command(ctx: click.Context, /, source: str, **_: object) -> CommandEnd:
    """Reactivate every subscription of INPUT, a table (CSV or .xlsx) of customer_id, subscription_id and entitlement_id.

    Suspended subscriptions need no entitlement_id: see --kind.

    Run again on the same input, it continues an unfinished run of it. INPUT may be - for standard input.
    """
    output, service, limits = shared.output(ctx), shared.service(ctx), shared.limits(ctx)
    reporter = automation.make_reporter(ctx, output)
    with open_session(ctx, service, limits, reporter) as session, open_input(source) as path:
        if output.results and path.resolve() == output.results.resolve():
            raise InputRefusedError(f"--results {output.results} would overwrite the input: name another file.")
        folder = _prepare(ctx, source, path, session)
        session.announce(folder.name)
        results = execute(RunJob(folder, "run", session, output))
    return automation.end_of(results)


def _prepare(ctx: click.Context, source: str, path: Path, session: PartnerSession) -> Path:
    """Return the folder of the run to work on: a new one, or an unfinished one of the same input."""
    given, reporter, access, service = ctx.params, session.reporter, session.access, session.service
    name = name_of(source)
    plan = load(given["plan"]) if given["plan"] else None
    # Without a token nothing is sent, so nothing need be confirmed.
    agreed = given["yes"] or bool(access.refusal)
    now = datetime.now(UTC)
    run_id = store.new_id(name, now)
    with store.draft(given["reports"], run_id) as folder:
        loaded = load_input(folder, source, path, load_options(given))
        input_file = loaded.input_file
        metadata = new_metadata(run_id, name, loaded, service, access, command="run", row_limit=given["limit"], now=now)
        finalize(folder, metadata)
        if plan:
            plan.compare(loaded.digest, targets(folder), name=input_file.name)
        reporter.info_if(input_file.remark)
        reporter.problems(input_file)
        if not given["new"] and (earlier := find_unfinished(given["reports"], metadata, access, reporter)):
            count = store.open_count(earlier.folder)
            reporter.info(
                f"Continuing the unfinished run {earlier.metadata.id}; not settled yet: {plural(count.rows, 'row')}."
            )
            confirm(lambda: count, service, yes=agreed)
            return earlier.folder
        confirm(lambda: store.open_count(folder), service, yes=agreed)
        return store.publish(folder, run_id)

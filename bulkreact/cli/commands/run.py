"""``bulkreact run``: the main job, from a file to its results."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import click

from bulkreact import __version__
from bulkreact.batch.environment import iso
from bulkreact.batch.journal.journal import RunFacts, seal
from bulkreact.batch.journal.preview import targets
from bulkreact.cli import credentials
from bulkreact.cli.commands.plan import load
from bulkreact.cli.confirm import confirm, many
from bulkreact.cli.credentials import Access
from bulkreact.cli.options import automation, shared
from bulkreact.cli.options.automation import Unattended, unattended_options
from bulkreact.cli.options.identity import identity_options
from bulkreact.cli.options.input import Read, name_of, opened, read, reading_options
from bulkreact.cli.output.console import Terminal
from bulkreact.errors import InputRefusedError
from bulkreact.runs import store
from bulkreact.runs.execution import Work, execute
from bulkreact.runs.partner_lock import locked
from bulkreact.runs.store import CONTINUED_WITHIN, Run
from bulkreact.settings import Service


@click.command("run", cls=Unattended)
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
def command(ctx: click.Context, /, source: str, **_: object) -> None:
    """Reactivate every subscription of INPUT, a table (CSV or .xlsx) of customer_id, subscription_id and entitlement_id.

    Suspended subscriptions need no entitlement_id: see --kind.

    Run again on the same input, it continues an unfinished run of it. INPUT may be - for standard input.
    """
    output = shared.output(ctx)
    service = shared.service(ctx)
    limits = shared.limits(ctx)
    terminal = automation.speaker(ctx, output)
    granted = credentials.access(ctx, service)
    terminal.remark(granted.remark)
    with locked(service, granted.tenant_id, waiting=automation.waiting(ctx, terminal)) as tell, opened(source) as path:
        if output.results and path.resolve() == output.results.resolve():
            raise InputRefusedError(f"--results {output.results} would overwrite the input: name another file.")
        prepared = _prepare(ctx, source, path, service, granted, terminal)
        tell(prepared.name)
        code = execute(Work(prepared, "run", granted, service, limits, output), terminal)
    ctx.exit(code)


def _prepare(
    ctx: click.Context, source: str, path: Path, service: Service, granted: Access, terminal: Terminal
) -> Path:
    """Return the folder of the run to work on: a new one, or an unfinished one of the same input."""
    given = ctx.params
    name = name_of(source)
    wanted = load(given["plan"]) if given["plan"] else None
    # What cannot be sent need not be agreed to.
    agreed = given["yes"] or bool(granted.refusal)
    now = datetime.now(UTC)
    run_id = store.new_id(name, now)
    with store.draft(given["reports"], run_id) as folder:
        found = read(folder, source, path, given)
        intake = found.intake
        facts = new_facts(ctx, run_id, name, found, service, granted, now=now)
        seal(folder, facts, may_repeat=intake.may_repeat)
        if wanted:
            wanted.compare(found.digest, targets(folder), name=intake.name)
        terminal.remark(intake.remark)
        terminal.problems(intake)
        if not given["new"] and (earlier := to_continue(given["reports"], facts, granted, terminal)):
            count = store.open_count(earlier.folder)
            terminal.note(
                f"Continuing the unfinished run {earlier.facts.id}; not settled yet: {many(count.rows, 'row')}."
            )
            confirm(lambda: count, service, yes=agreed)
            return earlier.folder
        confirm(lambda: store.open_count(folder), service, yes=agreed)
        return store.adopt(folder, run_id)


def new_facts(
    ctx: click.Context, run_id: str, name: str, found: Read, service: Service, granted: Access, *, now: datetime
) -> RunFacts:
    """Return the facts of a new run over an input that has been read."""
    intake = found.intake
    return RunFacts(
        id=run_id,
        uuid=str(uuid4()),
        version=__version__,
        command=str(ctx.info_name),
        operator=store.operator(),
        created_at=iso(now),
        input_name=name,
        input_sha256=intake.sha256,
        header=intake.header,
        digest=found.digest,
        row_limit=ctx.params.get("limit"),
        cloud=service.cloud,
        base_url=service.base_url,
        api_version=service.api_version,
        tenant_id=granted.tenant_id or None,
        simulated=service.simulated,
        from_spreadsheet=intake.from_spreadsheet,
    )


def to_continue(reports: Path, facts: RunFacts, granted: Access, terminal: Terminal) -> Run | None:
    """Return the newest unfinished run of the same input, limit and target; one that is too old is refused."""
    for folder, why in store.unreadable(reports).items():
        terminal.note(f"Not looked at: {folder.name} cannot be read: {why} If it is unfinished, it is not continued.")
    remark = ""
    for run in store.runs(reports):
        if run.facts.target != facts.target:
            continue
        same = run.facts.digest == facts.digest
        if not granted.fits(run.facts.tenant_id):
            if same and run.unfinished:
                words = f"The unfinished run {run.facts.id} of the same rows is for the tenant {run.facts.tenant_id}"
                remark = remark or f"{words}: this is a new run, for {granted.tenant_id}."
            continue
        # Rows that a retry has taken over keep their run from being begun anew, although it sends them no more.
        open_ended = run.unfinished or run.has_handed_over
        if open_ended and same and run.facts.row_limit == facts.row_limit:
            if run.age > CONTINUED_WITHIN:
                raise InputRefusedError(
                    f"An unfinished run of this input is more than {CONTINUED_WITHIN.days} days old. Continue it with: "
                    f"bulkreact resume {store.on_command_line(run.folder, reports)}, or begin anew with --new."
                )
            return run
        # The newest run that has to do with this input is worth a remark, if none is continued.
        remark = remark or _remark(run, facts, same=same)
    if remark:
        terminal.note(remark)
    return None


def _remark(run: Run, facts: RunFacts, *, same: bool) -> str:
    """Say what an earlier run that is not continued has to do with this input; empty when nothing."""
    if same and run.unfinished:
        return f"The unfinished run {run.facts.id} had another --limit: this is a new run of its rows."
    if same and run.age < CONTINUED_WITHIN:
        return f"The same rows were run before and finished, as {run.facts.id}: they are sent again."
    if run.unfinished and run.facts.input_name == facts.input_name and not run.facts.retry_of:
        return f"{facts.input_name} has changed since the unfinished run {run.facts.id}: this is a new run."
    return ""

"""``bulkreact run``: the main job, from a file to its results."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import click

from bulkreact import __version__
from bulkreact.batch.edges import iso
from bulkreact.batch.journal import RunFacts, create, seal
from bulkreact.cli import credentials, options, runs
from bulkreact.cli.ask import confirm, many
from bulkreact.cli.command import Configured
from bulkreact.cli.credentials import Access
from bulkreact.cli.execute import Work, execute
from bulkreact.cli.identity_options import identity_options
from bulkreact.cli.locking import locked
from bulkreact.cli.runs import CONTINUED_WITHIN, Run
from bulkreact.cli.terminal import Terminal
from bulkreact.errors import InputRefusedError
from bulkreact.settings import Service
from bulkreact.sheets.intake import Intake

_STANDARD_INPUT = "-"


@click.command("run", cls=Configured)
@click.argument("source", metavar="INPUT")
@options.target_options
@identity_options
@options.pace_options
@options.halt_options
@options.verify_options
@options.output_options
@click.option("--max-rows", type=click.IntRange(1), default=100_000, show_default=True, help="Refuse a larger input.")
@click.option("--limit", type=click.IntRange(0), help="Send only the first N rows that could be sent.")
@click.option("--strict", is_flag=True, help="Refuse the whole file when any row is invalid.")
@click.option("--allow-empty", is_flag=True, help="An input without rows is a success.")
@click.option("--new", is_flag=True, help="Start a new run even if an unfinished one of this input exists.")
@click.pass_context
def command(ctx: click.Context, /, source: str, **_: object) -> None:
    """Reactivate every subscription of INPUT, a CSV file with customer_id, subscription_id and entitlement_id.

    Run again on the same input, it continues an unfinished run of it. INPUT may be - for standard input.
    """
    output = options.output(ctx)
    service = options.service(ctx)
    limits = options.limits(ctx)
    terminal = Terminal(output)
    granted = credentials.access(ctx, service)
    terminal.remark(granted.remark)
    with locked(service, granted.tenant_id) as tell, _opened(source) as path:
        if output.results and path.resolve() == output.results.resolve():
            raise InputRefusedError(f"--results {output.results} would overwrite the input: name another file.")
        prepared = _prepare(ctx, source, path, service, granted, terminal)
        tell(prepared.name)
        code = execute(Work(prepared, "run", granted, service, limits, output), terminal)
    ctx.exit(code)


@contextmanager
def _opened(source: str) -> Iterator[Path]:
    """Yield the path of the input; what can be read only once is kept in a temporary file meanwhile."""
    path = Path(source)
    if source != _STANDARD_INPUT and (path.is_file() or path.is_dir() or not path.exists()):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "input.csv"
        if source == _STANDARD_INPUT and sys.stdin.isatty():
            click.echo("Reading the file from the terminal: end it with Ctrl-D.", err=True)
        copy.write_bytes(sys.stdin.buffer.read() if source == _STANDARD_INPUT else path.read_bytes())
        yield copy


def _prepare(
    ctx: click.Context, source: str, path: Path, service: Service, granted: Access, terminal: Terminal
) -> Path:
    """Return the folder of the run to work on: a new one, or an unfinished one of the same input."""
    given = ctx.params
    name = _name(source)
    shown = "standard input" if source == _STANDARD_INPUT else source
    intake = Intake(path, max_rows=given["max_rows"], name=shown)
    # What cannot be sent need not be agreed to.
    agreed = given["yes"] or bool(granted.refusal)
    now = datetime.now(UTC)
    run_id = runs.new_id(name, now)
    with runs.draft(given["reports"], run_id) as folder:
        create(folder, intake.rows())
        _check(intake, strict=given["strict"], allow_empty=given["allow_empty"])
        facts = RunFacts(
            id=run_id,
            uuid=str(uuid4()),
            version=__version__,
            command="run",
            operator=runs.operator(),
            created_at=iso(now),
            input_name=name,
            input_sha256=intake.sha256,
            header=intake.header,
            digest=intake.digest,
            row_limit=given["limit"],
            cloud=service.cloud,
            base_url=service.base_url,
            api_version=service.api_version,
            tenant_id=granted.tenant_id or None,
            simulated=service.simulated,
        )
        seal(folder, facts)
        terminal.problems(intake)
        if not given["new"] and (earlier := _to_continue(given["reports"], facts, granted, terminal)):
            count = runs.open_count(earlier.folder)
            terminal.note(
                f"Continuing the unfinished run {earlier.facts.id}; not settled yet: {many(count.rows, 'row')}."
            )
            confirm(count, service, yes=agreed)
            return earlier.folder
        confirm(runs.open_count(folder), service, yes=agreed)
        return runs.adopt(folder, run_id)


def _check(intake: Intake, *, strict: bool, allow_empty: bool) -> None:
    if not intake.count and not allow_empty:
        raise InputRefusedError(f"{intake.name} has no rows. If that is as it should be, add --allow-empty.")
    if strict and intake.codes:
        lines = "\n".join(f"  row {problem.number}: {problem.words}" for problem in intake.problems)
        more = intake.codes.total() - len(intake.problems)
        rest = f"\n  … and {more:,} more" if more else ""
        raise InputRefusedError(
            f"{intake.codes.total():,} of {intake.count:,} rows are invalid, and --strict allows none. "
            f"Nothing was sent.\n{lines}{rest}"
        )


def _to_continue(reports: Path, facts: RunFacts, granted: Access, terminal: Terminal) -> Run | None:
    """Return the newest unfinished run of the same input, limit and target; one that is too old is refused."""
    for folder, why in runs.unreadable(reports).items():
        terminal.note(f"Not looked at: {folder.name} cannot be read: {why} If it is unfinished, it is not continued.")
    remark = ""
    for run in runs.runs(reports):
        if run.facts.target != facts.target or not granted.fits(run.facts.tenant_id):
            continue
        same = run.facts.digest == facts.digest
        # Rows that a retry has taken over keep their run from being begun anew, although it sends them no more.
        open_ended = run.unfinished or run.has_handed_over
        if open_ended and same and run.facts.row_limit == facts.row_limit:
            if run.age > CONTINUED_WITHIN:
                raise InputRefusedError(
                    f"An unfinished run of this input is more than {CONTINUED_WITHIN.days} days old. Continue it with: "
                    f"bulkreact resume {runs.on_command_line(run.folder, reports)}, or begin anew with --new."
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


def _name(source: str) -> str:
    """Return the input's name in the journal; bytes of a file name that are no text are replaced."""
    return "stdin" if source == _STANDARD_INPUT else os.fsencode(Path(source).name).decode("utf-8", "replace")

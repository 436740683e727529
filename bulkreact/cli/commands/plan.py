"""``bulkreact plan``: previews a run of an input, with everything that is wrong with it; nothing is sent."""

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bulkreact.batch.journal.preview import PlannedTarget, RunPreview, planned_targets, preview_run
from bulkreact.cli.command import ConfiguredCommand
from bulkreact.cli.commands.plan_online import read_online
from bulkreact.cli.options import shared
from bulkreact.cli.options.identity import identity_options
from bulkreact.cli.options.input import input_options, read_load_options
from bulkreact.cli.options.paths import InputName, OutputFile
from bulkreact.errors import EXIT_SOME_FAILED, EXIT_SUCCESS, InputRefusedError
from bulkreact.models import Kind
from bulkreact.partnercenter.subscription import ACTIVE
from bulkreact.partnercenter.verdicts import StatusRead
from bulkreact.runs.input_reader import LoadedInput, load_input, open_input
from bulkreact.runs.output_paths import OutputPath, check_again
from bulkreact.runs.own_outputs import OutputKind
from bulkreact.settings import URGENT_WITHIN
from bulkreact.sheets.input.row_errors import format_errors, format_ranges
from bulkreact.sheets.output.results_csv import write_json
from bulkreact.timestamps import utc_now
from bulkreact.wording import plural

if TYPE_CHECKING:
    from bulkreact.sheets.input.input_file import InputFile

_CUSTOMERS_SHOWN = 10


@click.command("plan", cls=ConfiguredCommand)
@click.argument("source", metavar="INPUT", type=InputName())
@input_options
@shared.target_options
@identity_options
@shared.limit_options
@click.option("--online", is_flag=True, help="Also read the present status of every target.")
@click.option("--json", is_flag=True, help="For programs: everything as one JSON object.")
@click.option(
    "--out",
    type=OutputFile(OutputKind.PLAN),
    help="Save that object in a file, for 'bulkreact run --plan' to compare with.",
)
@click.pass_context
def command(ctx: click.Context, /, source: str, *, online: bool, out: Path | None, **_: object) -> None:
    """Show what a run of INPUT would send, how long that would take, and everything that is wrong with it.

    Nothing is reactivated, and without --online nothing is called and no credentials are needed. Every row could be
    sent: exit code 0; some are invalid: 1.
    """
    as_json, rate = ctx.params["json"], ctx.params["rate"]
    with tempfile.TemporaryDirectory() as name, open_input(source) as path:
        folder = Path(name)
        loaded = load_input(folder, source, path, read_load_options(ctx.params), all_errors=True)
        plan = preview_run(folder)
        listed = list(planned_targets(folder)) if as_json or out or online else []
        present = _present_state(plan, listed, read_online(ctx, listed) if online else None)
    now = utc_now()
    content = _to_dict(loaded, plan, rate, present, now)
    for remark in _remarks(loaded.input_file):
        click.echo(remark, err=True)
    if out:
        try:
            check_again(OutputPath("--out", out, OutputKind.PLAN))
            write_json(out, content, private=False)
        except OSError as error:
            raise InputRefusedError(f"{out} cannot be written: {error.strerror or error}. Name another file.") from None
    if as_json:
        click.echo(json.dumps(content, ensure_ascii=False, indent=2))
    else:
        lines = (_plan_lines(loaded.input_file, plan, rate), _status_lines(present), _deadline_lines(present, now))
        click.echo("\n".join(chain.from_iterable(lines)))
    ctx.exit(EXIT_SOME_FAILED if loaded.input_file.codes else EXIT_SUCCESS)


@dataclass(frozen=True, slots=True)
class _PresentState:
    """The targets, their current statuses by row number (None if they were not read), and their deadlines."""

    targets: list[PlannedTarget]
    statuses: dict[int, str] | None
    deadlines: dict[int, str]


def _present_state(plan: RunPreview, listed: list[PlannedTarget], reads: dict[int, StatusRead] | None) -> _PresentState:
    """Combine the deadlines of the input with those that were read."""
    if reads is None:
        return _PresentState(listed, None, plan.deadlines)
    statuses = {number: read.status for number, read in reads.items()}
    read = {number: read.subscription.deadline for number, read in reads.items() if read.subscription}
    both = [*plan.deadlines.items(), *((number, deadline) for number, deadline in read.items() if deadline)]
    soonest: dict[int, str] = {}
    for number, deadline in sorted(both, key=itemgetter(1, 0)):
        # An active subscription is not deleted.
        if statuses.get(number) != ACTIVE:
            soonest.setdefault(number, deadline)
    return _PresentState(listed, statuses, soonest)


def _remarks(input_file: "InputFile") -> Iterator[str]:
    if input_file.remark:
        yield input_file.remark
    if input_file.unread_dates:
        dates = plural(input_file.unread_dates, "date")
        yield f"{dates} in cancelled_on or deadline could not be read: write them like 2026-03-01."


def _to_dict(
    loaded: LoadedInput, plan: RunPreview, calls_per_second: float | None, present: _PresentState, now: datetime
) -> dict[str, object]:
    input_file, statuses = loaded.input_file, present.statuses
    online = {} if statuses is None else {"statuses": [[row, statuses.get(row)] for row, *_ in present.targets]}
    return {
        **online,
        "rows": input_file.count,
        "valid": plan.valid,
        "invalid": input_file.codes.total(),
        "duplicate": plan.duplicate,
        "customers": len(plan.per_customer),
        "kinds": plan.kinds,
        "estimated_seconds": None if calls_per_second is None else round(plan.calls / calls_per_second, 3),
        "digest": loaded.digest,
        "per_customer": plan.per_customer,
        "targets": present.targets,
        "deadlines": [[row, deadline, _days_left(deadline, now)] for row, deadline in present.deadlines.items()],
        "problems": [
            {
                "row": row_error.number,
                "column": cell_error.column,
                "value": cell_error.value,
                "code": cell_error.code,
                "reason": cell_error.reason,
                "remedy": cell_error.remedy,
            }
            for row_error in input_file.errors
            for cell_error in row_error.errors
        ],
    }


def _plan_lines(input_file: "InputFile", plan: RunPreview, calls_per_second: float | None) -> Iterator[str]:
    yield f"Input:     {input_file.name}, {plural(input_file.count, 'row')}"
    duration = ""
    if calls_per_second and plan.valid:
        seconds = round(plan.calls / calls_per_second)
        duration = f"; about {timedelta(seconds=seconds)} at {calls_per_second * 60:g}/min"
    yield f"To send:   {plural(plan.valid, 'subscription')} of {plural(len(plan.per_customer), 'customer')}{duration}"
    if plan.kinds.get(Kind.SUBSCRIPTION):
        yield f"Kinds:     {', '.join(f'{kind} {rows:,}' for kind, rows in plan.kinds.items())}"
    if plan.duplicate:
        yield f"Duplicate: {plan.duplicate:,} (sent once, with the earlier row)"
    if input_file.codes:
        yield f"Invalid:   {input_file.codes.total():,}"
        yield from (f"  {line}" for line in format_errors(input_file.errors))
    if len(plan.per_customer) > 1:
        yield "Most rows:"
        yield from (f"  {customer}  {rows:,}" for customer, rows in islice(plan.per_customer.items(), _CUSTOMERS_SHOWN))
        if (more := len(plan.per_customer) - _CUSTOMERS_SHOWN) > 0:
            yield f"  … and {plural(more, 'more customer')}"


def _status_lines(present: _PresentState) -> Iterator[str]:
    if present.statuses is None:
        return
    statuses = {number: present.statuses.get(number, "not readable") for number, *_ in present.targets}
    yield f"At present: {', '.join(f'{status} {rows:,}' for status, rows in Counter(statuses.values()).most_common())}"
    if active := [number for number, status in statuses.items() if status == ACTIVE]:
        yield f"Active, and in need of nothing: {plural(len(active), 'row')} ({format_ranges(active)})"


def _days_left(deadline: str, now: datetime) -> float:
    """Return the days until a deadline (UTC, ISO 8601), negative if it has passed."""
    return round((datetime.fromisoformat(deadline) - now) / timedelta(days=1), 1)


def _deadline_lines(present: _PresentState, now: datetime) -> Iterator[str]:
    """Yield how much time is left, and a warning about rows with little time; deadlines come soonest first."""
    deadlines = present.deadlines
    left = {number: _days_left(deadline, now) for number, deadline in deadlines.items()}
    upcoming = [number for number, days in left.items() if days > 0]
    if upcoming:
        date, last = deadlines[upcoming[0]][:10], deadlines[upcoming[-1]][:10]
        until = f", the last on {last}" if last != date else ""
        yield f"Time left: known of {plural(len(left), 'row')}; the first target is permanently deleted on {date}{until}"
    if urgent := [number for number in upcoming if left[number] < URGENT_WITHIN.days]:
        days = left[urgent[0]]
        duration = f"only {plural(round(days), 'day')}" if days >= 1 else "less than a day"
        verb, pronoun = ("has", "it") if len(urgent) == 1 else ("have", "them")
        yield (
            f"Warning:   {plural(len(urgent), 'row')} ({format_ranges(sorted(urgent))}) {verb} less than "
            f"{URGENT_WITHIN.days} days left, row {urgent[0]} {duration}; --order urgent sends {pronoun} first"
        )
    if past := [number for number, days in left.items() if days <= 0]:
        yield (
            f"Warning:   the deadline of {plural(len(past), 'row')} ({format_ranges(sorted(past))}) has passed: "
            "what they name may be permanently deleted"
        )

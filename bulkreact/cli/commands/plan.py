"""``bulkreact plan``: what a run of an input would do, and everything that is wrong with it; nothing is sent."""

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Self

import click

from bulkreact.batch.journal.preview import PlannedTarget, RunPreview, preview, targets
from bulkreact.cli.command import ConfiguredCommand
from bulkreact.cli.commands.plan_online import read_online
from bulkreact.cli.options import shared
from bulkreact.cli.options.identity import identity_options
from bulkreact.cli.options.input import load_options, reading_options
from bulkreact.errors import EXIT_SOME_FAILED, EXIT_SUCCESS, InputRefusedError
from bulkreact.models import Kind
from bulkreact.partnercenter.subscription import ACTIVE
from bulkreact.partnercenter.verdicts import StatusRead
from bulkreact.runs.input_reader import LoadedInput, load_input, open_input
from bulkreact.settings import URGENT_WITHIN
from bulkreact.sheets.input.row_errors import format_errors, format_ranges
from bulkreact.sheets.output.results_csv import write_json
from bulkreact.wording import plural

_CUSTOMERS_SHOWN = 10


@click.command("plan", cls=ConfiguredCommand)
@click.argument("source", metavar="INPUT")
@reading_options
@shared.target_options
@identity_options
@shared.pace_options
@click.option("--online", is_flag=True, help="Also read how every target stands at present.")
@click.option("--json", is_flag=True, help="For programs: everything as one JSON object.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep that object in a file, for 'bulkreact run --plan' to compare with.",
)
@click.pass_context
def command(ctx: click.Context, /, source: str, **_: object) -> None:
    """Say what a run of INPUT would send, how long that would take, and everything that is wrong with it.

    Nothing is reactivated, and without --online nothing is called and no credentials are needed. Every row could be
    sent: exit code 0; some are invalid: 1.
    """
    given = ctx.params
    with tempfile.TemporaryDirectory() as name, open_input(source) as path:
        if given["out"] and given["out"].resolve() == path.resolve():
            raise InputRefusedError(f"--out {given['out']} would overwrite the input: name another file.")
        folder = Path(name)
        found = load_input(folder, source, path, load_options(given), all_errors=True)
        plan = preview(folder)
        listed = list(targets(folder)) if given["json"] or given["out"] or given["online"] else []
        standing = _Standing.of(plan, listed, read_online(ctx, listed) if given["online"] else None)
    now = datetime.now(UTC)
    content = _content(found, plan, given["rate"], standing, now)
    for remark in _remarks(found):
        click.echo(remark, err=True)
    if given["out"]:
        try:
            write_json(given["out"], content, private=False)
        except OSError as error:
            raise InputRefusedError(f"{given['out']} cannot be written: {error.strerror}. Name another file.") from None
    if given["json"]:
        click.echo(json.dumps(content, ensure_ascii=False, indent=2))
    else:
        for line in chain(
            _told(found, plan, given["rate"]), standing.lines(), _deadline_lines(standing.deadlines, now)
        ):
            click.echo(line)
    ctx.exit(EXIT_SOME_FAILED if found.input_file.codes else EXIT_SUCCESS)


@dataclass(frozen=True, slots=True)
class _Standing:
    """How the targets stand at present, by the numbers of their rows, None where nobody has asked; and their deadlines."""

    listed: list[PlannedTarget]
    words: dict[int, str] | None
    deadlines: dict[int, str]

    @classmethod
    def of(cls, plan: RunPreview, listed: list[PlannedTarget], found: dict[int, StatusRead] | None) -> Self:
        """Put together what the input says and what was read."""
        if found is None:
            return cls(listed, None, plan.deadlines)
        words = {number: one.status for number, one in found.items()}
        read = {number: one.subscription.deadline for number, one in found.items() if one.subscription}
        both = [*plan.deadlines.items(), *((number, deadline) for number, deadline in read.items() if deadline)]
        soonest: dict[int, str] = {}
        for number, deadline in sorted(both, key=itemgetter(1, 0)):
            soonest.setdefault(number, deadline)
        # What is active already is in no danger.
        in_danger = {number: deadline for number, deadline in soonest.items() if words.get(number) != ACTIVE}
        return cls(listed, words, in_danger)

    def lines(self) -> Iterator[str]:
        """Tell how the targets stand, and which rows need nothing."""
        words = self.words
        if words is None:
            return
        counts = Counter(words.get(number, "not readable") for number, *_ in self.listed)
        yield f"At present: {', '.join(f'{word} {rows:,}' for word, rows in counts.most_common())}"
        active = [number for number, *_ in self.listed if words.get(number) == ACTIVE]
        if active:
            yield f"Active, and in need of nothing: {plural(len(active), 'row')} ({format_ranges(active)})"


def _remarks(found: LoadedInput) -> Iterator[str]:
    if found.input_file.remark:
        yield found.input_file.remark
    if found.input_file.unread_dates:
        yield (
            f"{plural(found.input_file.unread_dates, 'date')} in cancelled_on or deadline could not be read: "
            "write them like 2026-03-01."
        )


def _content(
    found: LoadedInput, plan: RunPreview, calls_per_second: float | None, standing: _Standing, now: datetime
) -> dict[str, object]:
    intake, words = found.input_file, standing.words
    online = {} if words is None else {"statuses": [[number, words.get(number)] for number, *_ in standing.listed]}
    return {
        **online,
        "rows": intake.count,
        "valid": plan.valid,
        "invalid": intake.codes.total(),
        "duplicate": plan.duplicate,
        "customers": len(plan.per_customer),
        "kinds": plan.kinds,
        "estimated_seconds": None if calls_per_second is None else round(plan.calls / calls_per_second, 3),
        "digest": found.digest,
        "per_customer": plan.per_customer,
        "targets": standing.listed,
        "deadlines": [[row, deadline, _days_left(deadline, now)] for row, deadline in standing.deadlines.items()],
        "problems": [
            {
                "row": row_error.number,
                "column": cell_error.column,
                "value": cell_error.value,
                "code": cell_error.code,
                "reason": cell_error.reason,
                "remedy": cell_error.remedy,
            }
            for row_error in intake.errors
            for cell_error in row_error.errors
        ],
    }


def _told(found: LoadedInput, plan: RunPreview, calls_per_second: float | None) -> Iterator[str]:
    intake = found.input_file
    yield f"Input:     {intake.name}, {plural(intake.count, 'row')}"
    time = ""
    if calls_per_second and plan.valid:
        seconds = round(plan.calls / calls_per_second)
        time = f"; about {timedelta(seconds=seconds)} at {calls_per_second * 60:g}/min"
    yield f"To send:   {plural(plan.valid, 'subscription')} of {plural(len(plan.per_customer), 'customer')}{time}"
    if plan.kinds.get(Kind.SUBSCRIPTION):
        yield f"Kinds:     {', '.join(f'{kind} {rows:,}' for kind, rows in plan.kinds.items())}"
    if plan.duplicate:
        yield f"Duplicate: {plan.duplicate:,} (sent once, with the earlier row)"
    if intake.codes:
        yield f"Invalid:   {intake.codes.total():,}"
        for line in format_errors(intake.errors):
            yield f"  {line}"
    if len(plan.per_customer) > 1:
        yield "Most rows:"
        shown = list(plan.per_customer.items())[:_CUSTOMERS_SHOWN]
        for customer, rows in shown:
            yield f"  {customer}  {rows:,}"
        if len(plan.per_customer) > len(shown):
            yield f"  … and {plural(len(plan.per_customer) - len(shown), 'more customer')}"


def _days_left(deadline: str, now: datetime) -> float:
    """Return the days until a deadline (UTC, ISO 8601), negative when it has passed."""
    return round((datetime.fromisoformat(deadline) - now) / timedelta(days=1), 1)


def _deadline_lines(deadlines: Mapping[int, str], now: datetime) -> Iterator[str]:
    """Yield how long rows have, by number, the soonest first, and a warning about those with little time left."""
    left = {number: _days_left(deadline, now) for number, deadline in deadlines.items()}
    coming = [number for number, days in left.items() if days > 0]
    if coming:
        first = coming[0]
        date, last = deadlines[first][:10], deadlines[coming[-1]][:10]
        until = f", the last on {last}" if last != date else ""
        yield f"Time left: known of {plural(len(left), 'row')}; the first target is deleted for good on {date}{until}"
    soon = [number for number in coming if left[number] < URGENT_WITHIN.days]
    if soon:
        first = soon[0]
        yield (
            f"Warning:   {plural(len(soon), 'row')} ({format_ranges(sorted(soon))}) "
            f"{'has' if len(soon) == 1 else 'have'} less than {URGENT_WITHIN.days} days left, row {first} "
            f"{_days_text(left[first])}; --order urgent sends {'it' if len(soon) == 1 else 'them'} first"
        )
    past = [number for number, days in left.items() if days <= 0]
    if past:
        yield (
            f"Warning:   the deadline of {plural(len(past), 'row')} ({format_ranges(sorted(past))}) has passed: "
            "what they name may be deleted for good"
        )


def _days_text(days: float) -> str:
    return f"only {plural(round(days), 'day')}" if days >= 1 else "less than a day"

"""``bulkreact plan``: previews a run of an input, with everything that is wrong with it; nothing is sent."""

from collections import Counter
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from bulkreact.atomic_write import replacing
from bulkreact.batch.journal.preview import RunPreview, planned_targets, preview_run
from bulkreact.cli.command import ConfiguredCommand
from bulkreact.cli.options import shared
from bulkreact.cli.options.identity import identity_options
from bulkreact.cli.options.input import input_options, read_load_options, sha256_option
from bulkreact.cli.options.paths import InputName, OutputFile
from bulkreact.cli.output.plan_customers import customer_lines, sum_lines
from bulkreact.cli.output.plan_json import MOST_LISTED, PlanDocument, PresentState, days_left, format_json
from bulkreact.cli.output.safe_console import stdout_console
from bulkreact.cli.output.terminal import echo
from bulkreact.errors import EXIT_SOME_FAILED, EXIT_SUCCESS, FileRefusedError, InputRefusedError
from bulkreact.models import Kind
from bulkreact.partnercenter.subscription import ACTIVE
from bulkreact.partnercenter.verdicts import StatusRead
from bulkreact.runs.column_sums import sum_planned
from bulkreact.runs.input_reader import LoadedInput, load_input, open_input
from bulkreact.runs.kept_plan import format_refusal, keeping_plan
from bulkreact.runs.output_kinds import OutputKind
from bulkreact.runs.output_paths import OutputPath, check_again
from bulkreact.runs.temporary_folder import temporary_folder
from bulkreact.settings import URGENT_WITHIN
from bulkreact.sheets.input.row_errors import format_errors, format_ranges
from bulkreact.timestamps import utc_now
from bulkreact.wording import describe_error, estimate_duration, plural

if TYPE_CHECKING:
    from bulkreact.sheets.input.input_file import InputFile


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
    help="Save the plan in a file, for 'bulkreact run --plan' to compare with.",
)
@click.option(
    "--keep",
    type=OutputFile(OutputKind.PLAN_FOLDER),
    help="For programs: leave the plan in this folder, as plan.json, and rows.sqlite3 with all rows and problems.",
)
@sha256_option
@click.pass_context
def command(
    ctx: click.Context, /, source: str, *, online: bool, out: Path | None, keep: Path | None, **_: object
) -> None:
    """Show what a run of INPUT would send, how long that would take, and everything that is wrong with it.

    Nothing is reactivated, and without --online nothing is called and no credentials are needed. Every row could be
    sent: exit code 0; some are invalid: 1.
    """
    options = read_load_options(ctx.params)
    as_json = ctx.params["json"]
    with keeping_plan(keep) if keep else temporary_folder() as files:
        kept, folder = (None, files) if isinstance(files, Path) else (files, files.draft)
        try:
            with open_input(source, options.input.limits) as path:
                loaded = load_input(
                    folder, source, path, options, all_errors=not kept, on_problem=kept.add if kept else None
                )
        except FileRefusedError as error:
            if kept:
                kept.refuse(error)
            if as_json:
                echo(format_refusal(error), end="")
            raise
        document = _document(ctx, folder, loaded, online=online)
        if kept:
            document = replace(document, problem_count=kept.store_problems())
        remarks = list(_remarks(loaded.input_file))
        for remark in remarks:
            echo(remark, err=True)
        if out:
            _save(out, document)
        if as_json:
            _print(document, saved=out is not None)
        else:
            stdout_console().print_wrapped("\n".join(_lines(document)))
        if kept:
            kept.publish(format_json(document.kept_members(remarks)))
    ctx.exit(EXIT_SOME_FAILED if loaded.input_file.codes else EXIT_SUCCESS)


def _document(ctx: click.Context, folder: Path, loaded: LoadedInput, *, online: bool) -> PlanDocument:
    plan, reads = preview_run(folder), None
    if online:
        from bulkreact.cli.commands.plan_online import read_online  # noqa: PLC0415 - loads what makes calls

        reads = read_online(ctx, planned_targets(folder))
    planned_sum = sum_planned(folder, loaded.input_file.header, loaded.input_file.sum_header)
    return PlanDocument(folder, loaded, plan, ctx.params["rate"], _present_state(plan, reads), utc_now(), planned_sum)


def _present_state(plan: RunPreview, reads: dict[int, StatusRead] | None) -> PresentState:
    """Combine the deadlines of the input with those that were read."""
    if reads is None:
        return PresentState(None, plan.deadlines)
    statuses = {number: read.status for number, read in reads.items()}
    read = {number: read.subscription.deadline for number, read in reads.items() if read.subscription}
    both = [*plan.deadlines.items(), *((number, deadline) for number, deadline in read.items() if deadline)]
    soonest: dict[int, str] = {}
    for number, deadline in sorted(both, key=itemgetter(1, 0)):
        # An active subscription is not deleted.
        if statuses.get(number) != ACTIVE:
            soonest.setdefault(number, deadline)
    return PresentState(statuses, soonest)


def _save(out: Path, document: PlanDocument) -> None:
    try:
        check_again(OutputPath("--out", out, OutputKind.PLAN))
        with replacing(out, private=False) as file:
            file.writelines(format_json(document.members()))
    except OSError as error:
        raise InputRefusedError(f"{out} cannot be written: {describe_error(error)}. Name another file.") from None


def _print(document: PlanDocument, *, saved: bool) -> None:
    """Write the plan to standard output, without the targets of a large input."""
    too_many = document.loaded.input_file.count > MOST_LISTED
    if too_many:
        where = "They are in the file that --out names." if saved else "Save them with --out FILE."
        echo(f"The {document.plan.valid:,} targets are left out of what is printed. {where}", err=True)
    for part in format_json(document.members(with_targets=not too_many)):
        echo(part, end="")


def _remarks(input_file: "InputFile") -> Iterator[str]:
    if input_file.remark:
        yield input_file.remark
    if input_file.unread_dates:
        dates = plural(input_file.unread_dates, "date")
        yield f"{dates} in cancelled_on or deadline could not be read: write them like 2026-03-01."


def _lines(document: PlanDocument) -> Iterator[str]:
    """Yield the plan for people."""
    yield from _plan_lines(document)
    yield from _status_lines(document)
    yield from _deadline_lines(document)


def _plan_lines(document: PlanDocument) -> Iterator[str]:
    input_file, plan, calls_per_second = document.loaded.input_file, document.plan, document.calls_per_second
    yield f"Input:     {input_file.name}, {plural(input_file.count, 'row')}"
    duration = ""
    if calls_per_second and plan.valid:
        duration = f"; {estimate_duration(plan.calls / calls_per_second)} at {calls_per_second * 60:g}/min"
    yield f"To send:   {plural(plan.valid, 'subscription')} of {plural(plan.customers, 'customer')}{duration}"
    yield from sum_lines(document)
    if plan.kinds.get(Kind.SUBSCRIPTION):
        yield f"Kinds:     {', '.join(f'{kind} {rows:,}' for kind, rows in plan.kinds.items())}"
    if plan.duplicate:
        yield f"Duplicate: {plan.duplicate:,} (sent once, with the earlier row)"
    if input_file.codes:
        yield f"Invalid:   {input_file.codes.total():,}"
        yield from (f"  {line}" for line in format_errors(input_file.errors))
        if (more := input_file.codes.total() - len(input_file.errors)) > 0:
            yield f"  … and {plural(more, 'other row')}: see rows.sqlite3"
    yield from customer_lines(document)


def _status_lines(document: PlanDocument) -> Iterator[str]:
    read = document.present.statuses
    if read is None:
        return
    statuses = {number: read.get(number, "not readable") for number, *_ in planned_targets(document.folder)}
    yield f"At present: {', '.join(f'{status} {rows:,}' for status, rows in Counter(statuses.values()).most_common())}"
    if active := [number for number, status in statuses.items() if status == ACTIVE]:
        yield f"Active, and in need of nothing: {plural(len(active), 'row')} ({format_ranges(active)})"


def _deadline_lines(document: PlanDocument) -> Iterator[str]:
    """Yield how much time is left, and a warning about rows with little time; deadlines come soonest first."""
    deadlines = document.present.deadlines
    left = {number: days_left(deadline, document.now) for number, deadline in deadlines.items()}
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

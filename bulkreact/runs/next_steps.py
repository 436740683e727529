"""The useful next commands for a run, for every output that shows them."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from msgspec.structs import replace

from bulkreact.batch.journal.journal import is_locked
from bulkreact.batch.journal.metadata import SWEEP, RunMetadata
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.models import Kind, RunState, Status
from bulkreact.partnercenter.error_codes.service_codes import PENDING_OPERATION
from bulkreact.runs import store
from bulkreact.runs.run_record import read_run
from bulkreact.settings import BASE_URLS, DEFAULT_LOCALE, Cloud
from bulkreact.sheets.input.input_options import InputOptions
from bulkreact.sheets.output.report_data import NextStep
from bulkreact.sheets.output.results_csv import FAILED, RowCounts
from bulkreact.sheets.output.results_xlsx import FAILED_WORKBOOK
from bulkreact.wording import plural, shell_quote

_VERIFY = "bulkreact verify"
_CONTINUE = "Continue it with:"
# Codes come from outside.
_CODE = re.compile(r"[A-Za-z0-9][\w-]{0,40}", re.ASCII)
_CODES_NAMED = 5


def next_steps(
    counts: RowCounts,
    state: RunState,
    run: str,
    *,
    resume_command: str,
    correct_command: str,
    failed_file: str,
    is_from_inbox: bool = False,
    taken_over: Iterable[NextStep] = (),
) -> Iterator[NextStep]:
    """Yield the next steps after the files of a run were written.

    ``run`` names it on the command line, ``resume_command`` continues a stopped run, empty if that has nothing to do.
    ``correct_command`` sends the rows that were corrected in ``failed_file``, ``taken_over`` are the steps for those
    that other runs took over.
    """
    ended = state is RunState.FINISHED or not resume_command
    if ended:
        yield from _correcting_steps(counts, failed_file, correct_command, is_from_inbox=is_from_inbox)
    yield from taken_over
    yield from follow_up_steps(counts, run, ended=ended)
    if not ended:
        yield continuing_step(resume_command)


def _correcting_steps(counts: RowCounts, failed_file: str, command: str, *, is_from_inbox: bool) -> Iterator[NextStep]:
    if number := counts.correctable:
        them = "it" if number == 1 else "them"
        by_sweep = f"the copy of {failed_file} in done/, and move that into the inbox; or in " if is_from_inbox else ""
        yield NextStep(f"Correct {plural(number, 'row')} in {by_sweep}{failed_file}, then send {them} with:", command)
    if number := counts.blocked.total():
        codes = [code for code, _ in counts.blocked.most_common(_CODES_NAMED) if _CODE.fullmatch(code)]
        verb = "was" if number == 1 else "were"
        yield NextStep(
            f"{plural(number, 'row')} {verb} refused. See who must act, and how, with:",
            f"bulkreact explain {' '.join(codes) or Status.FAILED}",
        )


def steps_at_rest(
    folder: Path, reports: Path, metadata: RunMetadata, counts: RowCounts, state: RunState
) -> Iterator[NextStep]:
    """Yield the next steps for a run that no process works on, as its end has named them."""
    names = FAILED_WORKBOOK, FAILED
    is_open = state is not RunState.FINISHED and store.open_count(folder).rows
    failed = next((path for path in (folder / name for name in names) if path.is_file()), folder / FAILED)
    if not failed.is_file():
        # The process was killed, or could not write it.
        counts = replace(counts, correctable=0)
    run = store.run_arguments(folder, reports, metadata.settings.options)
    yield from next_steps(
        counts,
        state,
        run,
        resume_command=f"bulkreact resume {run}" if is_open else "",
        correct_command=correct_command(metadata, str(failed.resolve()), reports),
        failed_file=failed.name,
        is_from_inbox=metadata.command == SWEEP,
        taken_over=taken_over_steps(folder, reports) if counts.transferred else (),
    )


def changed_steps(before: Iterable[NextStep], after: Iterable[NextStep]) -> tuple[NextStep, ...]:
    """Return the next steps that verifying has changed, and those that continue the run or verify once more."""
    known = {step for step in before if step.description != _CONTINUE and not step.command.startswith(_VERIFY)}
    return tuple(step for step in after if step not in known)


def continuing_step(command: str) -> NextStep:
    """Return the step that continues what was stopped."""
    return NextStep(_CONTINUE, command)


def follow_up_steps(counts: RowCounts, run: str, *, ended: bool) -> Iterator[NextStep]:
    """Yield the next commands for an idle run, except continuing a stopped one."""
    if counts.excluded_by_limit:
        left_out = plural(counts.excluded_by_limit, "row")
        yield NextStep(f"Send {left_out} that --limit left out with:", f"bulkreact resume {run}")
    if pending := counts.statuses[Status.PENDING]:
        yield NextStep(f"Look at {plural(pending, 'pending row')} once more with:", f"{_VERIFY} {run}")
    elif ended and (counts.unknown or counts.statuses[Status.ACCEPTED]):
        yield NextStep(_describe_verifying(counts.statuses[Status.ACCEPTED], counts.unknown), f"{_VERIFY} {run}")
    if ended and (number := counts.worth_retrying - counts.excluded_by_limit) > 0:
        others = ", and those left out," if counts.excluded_by_limit else ""
        when = _time_to_retry(number, counts.own_codes[PENDING_OPERATION])
        yield NextStep(
            f"Send {plural(number, 'row')} again that may succeed{when}{others} with:", f"bulkreact retry {run}"
        )


def _describe_verifying(accepted: int, unknown: int) -> str:
    """Return why to look at rows; first at those without an answer, which may need no second call."""
    parts = []
    if accepted:
        are = "is" if accepted == 1 else "are"
        parts.append(f"{plural(accepted, 'row')} {are} accepted and may take minutes to become active.")
    if unknown:
        parts.append(f"{plural(unknown, 'row')} got no answer, but may be active.")
    they_are = "it is" if accepted + unknown == 1 else "they are"
    first = ", before anything is sent again," if unknown else ""
    return f"{' '.join(parts)} See whether {they_are} active{first} with:"


def _time_to_retry(rows: int, pending: int) -> str:
    """Return when rows may succeed, of which some have another operation ``pending``."""
    if not pending:
        return " now"
    return " in 24 hours" if pending >= rows else f" now, {pending:,} of them in 24 hours,"


def correct_command(metadata: RunMetadata, failed: str, reports: Path) -> str:
    """Return the command that sends the corrected rows of a file of a run to the same target, read in the same way."""
    settings, target = metadata.settings, []
    if metadata.simulated:
        target = ["--simulate"]
    else:
        defaults = {
            "--cloud": (metadata.cloud, Cloud.GLOBAL.value),
            "--base-url": (metadata.base_url, BASE_URLS[Cloud(metadata.cloud)]),
            "--api-version": (metadata.api_version, "v1"),
        }
        target = [part for name, (value, usual) in defaults.items() if value != usual for part in (name, value)]
    locale = ["--locale", settings.locale] if settings.locale != DEFAULT_LOCALE else []
    elsewhere = ["--reports", str(reports)] if reports != Path("reports") else []
    arguments = [failed, *settings.input_options, *target, *locale, *elsewhere, *settings.options]
    return " ".join(["bulkreact run", *map(shell_quote, arguments)])


def input_arguments(options: InputOptions) -> tuple[str, ...]:
    """Return the options that read a results file as the input was read."""
    mapped = [part for name, header in options.columns.items() for part in ("--map", f"{name}={header}")]
    kind = [] if options.kind is Kind.AZURE else ["--kind", options.kind.value if options.kind else "auto"]
    summed = ["--sum", options.summed] if options.summed else []
    return (*mapped, *kind, *(["--restore-auto-renew"] if options.restore_auto_renew else []), *summed)


def mapped_headers(arguments: Sequence[str]) -> dict[str, str]:
    """Return the columns that such options map to other headers."""
    values = (value.partition("=") for option, value in pairwise(arguments) if option == "--map")
    return {column: header for column, _, header in values}


def taken_over_steps(folder: Path, reports: Path) -> Iterator[NextStep]:
    """Yield the next steps for rows of the run in a folder that other runs took over, by the runs that have them now."""
    for run_id, number in _count_by_owner(folder).items():
        retry, taken = store.locate(folder.parent, run_id), f"Taken over: {plural(number, 'row')}, by run {run_id}"
        if retry is None:
            yield NextStep(f"{taken}, which is not here. Look at it where its folder is:", "bulkreact status")
        elif (run := read_run(retry)).can_be_resumed and not is_locked(retry):
            command = store.resume_command(retry, reports, run.metadata.settings.options)
            yield NextStep(f"{taken}. Continue that with:", command)
        else:
            yield NextStep(f"{taken}. See how they ended:", f"bulkreact status {store.cli_name(retry, reports)}")


def _count_by_owner(folder: Path) -> Counter[str]:
    """Return how many rows that a run gave up other runs own now; a retry may have given them up to the next."""
    counts: Counter[str] = Counter()
    with JournalReader(folder) as journal:
        path = frozenset({journal.metadata.id})
        waiting = [(*owned, path) for owned in journal.find_owners(journal.row_numbers()).items()]
    while waiting:
        run_id, numbers, path = waiting.pop(0)
        # In damaged journals runs may name each other.
        if not run_id or run_id in path:
            continue
        if owner := store.locate(folder.parent, run_id):
            with JournalReader(owner) as journal:
                owners = journal.find_owners(numbers)
        else:
            owners = {"": numbers}
        counts[run_id] += len(owners.pop("", ()))
        waiting.extend((*owned, path | {run_id}) for owned in owners.items())
    return +counts

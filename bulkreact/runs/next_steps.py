"""The useful next commands for a run, for every output that shows them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from bulkreact.batch.journal.journal import is_locked
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.models import RunState, Status
from bulkreact.runs import store
from bulkreact.runs.run_record import read_run
from bulkreact.sheets.output.report_data import NextStep
from bulkreact.sheets.output.results_csv import RowCounts
from bulkreact.wording import plural


def next_steps(
    counts: RowCounts,
    state: RunState,
    run: str,
    *,
    resume_command: str,
    failed: str,
    taken_over: Iterable[NextStep] = (),
) -> Iterator[NextStep]:
    """Yield the next steps after the files of a run were written.

    ``run`` names it on the command line, ``resume_command`` continues a stopped run, ``failed`` is the file of the rows
    that did not succeed, ``taken_over`` are the steps for those that other runs took over.
    """
    ended = state is RunState.FINISHED
    if not ended:
        yield NextStep("Continue it with:", resume_command)
    elif counts.correctable:
        yield NextStep("To fix:  ", failed, "(correct it, then run it)")
    yield from taken_over
    yield from follow_up_steps(counts, run, ended=ended)


def follow_up_steps(counts: RowCounts, run: str, *, ended: bool) -> Iterator[NextStep]:
    """Yield the next commands for an idle run, except continuing a stopped one."""
    if counts.excluded_by_limit:
        yield NextStep(f"Left out by --limit: {counts.excluded_by_limit:,}. Send them with:", f"bulkreact resume {run}")
    if ended and counts.worth_retrying > counts.excluded_by_limit:
        remark = f"(rows that may succeed now: {counts.worth_retrying:,})"
        yield NextStep("To retry:", f"bulkreact retry {run}", remark)
    if counts.statuses[Status.PENDING]:
        yield NextStep("Look at what is pending once more with:", f"bulkreact verify {run}")
    elif ended and counts.statuses[Status.ACCEPTED]:
        yield NextStep(
            "Accepted subscriptions are not active yet. Check again in a few minutes with:", f"bulkreact verify {run}"
        )


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

"""The useful next commands for a run, for every output that shows them."""

from collections.abc import Iterator

from bulkreact.models import RunState, Status
from bulkreact.sheets.output.report_data import NextStep
from bulkreact.sheets.output.results_csv import RowCounts


def next_steps(counts: RowCounts, state: RunState, run: str, *, resume_command: str, failed: str) -> Iterator[NextStep]:
    """Yield the next steps after the files of a run were written.

    ``run`` names it on the command line, ``resume_command`` continues a stopped run, ``failed`` is the file of the rows
    that did not succeed.
    """
    ended = state is RunState.FINISHED
    if not ended:
        yield NextStep("Continue it with:", resume_command)
    elif counts.unsuccessful:
        yield NextStep("To fix:  ", failed, "(correct it, then run it)")
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

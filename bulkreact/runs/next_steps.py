"""What can still be done about a run: the commands, for whoever shows them."""

from collections.abc import Iterator
from dataclasses import dataclass

from bulkreact.models import RunState, Status
from bulkreact.sheets.output.results_csv import RowCounts


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: words that lead to it, the command or file as it must be typed, and a remark."""

    words: str
    what: str
    remark: str = ""

    @property
    def line(self) -> str:
        """Return it on one line."""
        return f"{self.words} {self.what} {self.remark}".rstrip()


def steps(counts: RowCounts, state: RunState, run: str, *, again: str, failed: str) -> Iterator[Step]:
    """Yield what can be done when the files of a run have been written.

    ``run`` names it on the command line, ``again`` is the command that goes on with what was stopped, ``failed`` the
    file of the rows that did not succeed.
    """
    ended = state is RunState.FINISHED
    if not ended:
        yield Step("Continue it with:", again)
    elif counts.unsuccessful:
        yield Step("To mend: ", failed, "(correct it, then run it)")
    yield from next_steps(counts, run, ended=ended)


def next_steps(counts: RowCounts, run: str, *, ended: bool) -> Iterator[Step]:
    """Yield the commands that a run at rest has need of, apart from continuing what was stopped."""
    if counts.excluded_by_limit:
        yield Step(f"Left out by --limit: {counts.excluded_by_limit:,}. Send them with:", f"bulkreact resume {run}")
    if ended and counts.worth_retrying > counts.excluded_by_limit:
        remark = f"(rows that may succeed now: {counts.worth_retrying:,})"
        yield Step("To retry:", f"bulkreact retry {run}", remark)
    if counts.statuses[Status.PENDING]:
        yield Step("Look at what is pending once more with:", f"bulkreact verify {run}")
    elif ended and counts.statuses[Status.ACCEPTED]:
        yield Step("Accepted is not yet active. In a few minutes look with:", f"bulkreact verify {run}")

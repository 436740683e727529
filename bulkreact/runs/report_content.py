"""Puts what is known of a run into the words of its report."""

from dataclasses import dataclass

from bulkreact import __version__
from bulkreact.batch.environment import StopReason
from bulkreact.batch.journal.customer_counts import CustomerCounts
from bulkreact.batch.journal.metadata import RunMetadata
from bulkreact.models import RunState, SessionTimeline, Status
from bulkreact.runs.about import about
from bulkreact.runs.next_steps import Step
from bulkreact.sheets.output.report_data import CUSTOMERS_SHOWN, NextStep, ReportBuilder, RunReport, summarize_statuses
from bulkreact.sheets.output.results_csv import RowCounts

_EXIT_WORDS = {
    0: "nothing is left to be done about the rows that were sent",
    1: "the run is complete; some rows did not end well",
    3: "credentials or permissions were refused; the run can be continued",
    4: "too many rows failed; the run can be continued",
    70: "a bug in bulkreact; the run can be continued",
    74: "a file could not be written; the run can be continued",
    130: "interrupted; the run can be continued",
    143: "told to end; the run can be continued",
}


@dataclass(frozen=True, slots=True)
class ReportInput:
    """What the journal says of a run as a whole; ``ended_at`` is None where nobody has noted it."""

    facts: RunMetadata
    ending: StopReason
    ended_at: str | None
    exit_code: int
    counts: RowCounts
    calls: dict[str, int]
    pace: dict[str, float | None]
    ways: tuple[Step, ...]
    spells: tuple[list[SessionTimeline], int]


def report_of(source: ReportInput, gathering: ReportBuilder, customers: CustomerCounts) -> RunReport:
    """Return the report of a run."""
    facts, groups = source.facts, gathering.groups()
    customer_count, affected_count = customers.totals()
    shown, earlier = source.spells
    return RunReport(
        title=f"Retry of {facts.input_name}" if facts.retry_of else f"Reactivation of {facts.input_name}",
        headline=_headline(source, gathering),
        verdict=_verdict(source, gathering),
        tone=_tone(source.ending.state, gathering.needing_attention),
        exit_code=source.exit_code,
        exit_description=_EXIT_WORDS.get(source.exit_code, ""),
        started_at=facts.created_at,
        ended_at=source.ended_at,
        operator=facts.operator,
        run_id=facts.id,
        version=__version__,
        simulated=facts.simulated,
        figures=_figures(source, gathering, customer_count),
        statuses=summarize_statuses((status, source.counts.statuses[status]) for status in Status),
        next_steps=tuple(NextStep(step.words.strip(), step.what, step.remark) for step in source.ways),
        groups=groups,
        other_rows=gathering.needing_attention - sum(group.rows for group in groups),
        customers=tuple(customers.most_affected(CUSTOMERS_SHOWN)),
        customer_count=customer_count,
        affected_count=affected_count,
        sessions=tuple(shown),
        earlier_sessions=earlier,
        details=tuple(
            about(
                facts,
                source.ending,
                rows=source.counts.statuses.total(),
                finished_at=source.ended_at or "not known: the process left no word",
                calls=source.calls,
                pace=source.pace,
            )
        ),
    )


def _headline(source: ReportInput, gathering: ReportBuilder) -> str:
    rows = source.counts.statuses.total()
    if not rows:
        return "There were no rows"
    if gathering.succeeded == rows:
        return "The only row ended well" if rows == 1 else f"All {rows:,} rows ended well"
    return f"{gathering.succeeded:,} of {rows:,} row{'' if rows == 1 else 's'} ended well"


def _verdict(source: ReportInput, gathering: ReportBuilder) -> str:
    state, reason = source.ending.state, source.ending.reason.rstrip(".")
    words = ["The run is complete" if state is RunState.FINISHED else f"The run was {state}: {reason}"]
    if gathering.needing_attention:
        words.append(f"{_rows(gathering.needing_attention)} did not end well")
    if gathering.excluded_by_limit:
        words.append(f"--limit left {_rows(gathering.excluded_by_limit)} out")
    if accepted := source.counts.statuses[Status.ACCEPTED]:
        words.append(f"Accepted is not yet active: {_rows(accepted)}")
    return ". ".join(words) + "."


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number:,} rows"


def _tone(state: RunState, troubled: int) -> str:
    if state is not RunState.FINISHED:
        return "stopped"
    return "mixed" if troubled else "good"


def _figures(source: ReportInput, gathering: ReportBuilder, customer_count: int) -> tuple[tuple[str, str], ...]:
    numbers = {
        "rows": source.counts.statuses.total(),
        "ended well": gathering.succeeded,
        "did not end well": gathering.needing_attention,
        "left out by --limit": gathering.excluded_by_limit,
        "customers": customer_count,
        "calls": source.calls["sent"],
    }
    return tuple((words, f"{number:,}") for words, number in numbers.items() if number or "limit" not in words)

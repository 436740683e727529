"""Builds the content of a run's report from its journal."""

from collections.abc import Collection, Iterable, Sequence

from msgspec.structs import replace

from bulkreact import __version__
from bulkreact.batch.journal.customer_counts import CustomerCounts
from bulkreact.batch.journal.metadata import RunMetadata
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.errors import EXIT_INTERRUPTED, EXIT_TERMINATED
from bulkreact.models import CustomerSummary, RunState, Status
from bulkreact.runs.customer_names import customer_names, name_column
from bulkreact.runs.report_events import end_process, run_events
from bulkreact.runs.run_status import RunOverview, RunStatus
from bulkreact.sheets.output.report_data import (
    CUSTOMERS_SHOWN,
    EVENTS_SHOWN,
    SESSIONS_SHOWN,
    NextStep,
    ReportBuilder,
    ReportFile,
    RunEvent,
    RunReport,
    summarize_statuses,
)
from bulkreact.sheets.output.report_rows import KnownColumns
from bulkreact.sheets.reference_column import reference_column
from bulkreact.wording import plural

_FILES = {
    "results.xlsx": "every row with its status, for filtering and sorting",
    "results.csv": "every row with its status and request id, in the order of the input",
    "failed.xlsx": "the rows that did not succeed: the cell to be corrected is marked and explained; correct it there and run the file",
    "failed.csv": "the rows that did not succeed, with the same columns: correct them there and run it as an input",
    "summary.json": "the numbers of this page for programs",
}
_EXIT_MEANINGS = {
    0: "all rows that were sent succeeded",
    1: "the run is complete; some rows did not end well",
    3: "credentials or permissions were refused; the run can be continued",
    4: "too many rows failed; the run can be continued",
    70: "a bug in bulkreact; the run can be continued",
    75: "Partner Center could not be reached for too long; the run can be continued",
    74: "a file could not be written; the run can be continued",
    130: "interrupted; the run can be continued",
    143: "terminated (SIGTERM); the run can be continued",
}


def report_of(
    overview: RunOverview,
    journal: JournalReader,
    builder: ReportBuilder,
    customers: CustomerCounts,
    *,
    next_steps: Iterable[NextStep],
    files: Collection[str],
    ended: RunStatus | None,
) -> RunReport:
    """Return the report of a run; ``files`` are the names of those beside it.

    ``ended`` is the end of the process that writes the report, None if that does not work on the run.
    """
    metadata, status, groups, amounts = overview.metadata, overview.status, builder.groups(), overview.amounts
    customer_count, affected_count = customers.totals()
    sessions, earlier_sessions = journal.session_timelines(limit=SESSIONS_SHOWN)
    events = _events(overview, journal, ended)
    return RunReport(
        title=f"Retry of {metadata.input_name}" if metadata.retry_of else f"Reactivation of {metadata.input_name}",
        headline=_headline(overview, builder),
        verdict=_verdict(overview, builder),
        severity=_severity(status.stop_reason.state, builder.needing_attention),
        exit_code=overview.exit_code,
        exit_description=_describe_exit(overview.exit_code, journal),
        started_at=metadata.created_at,
        ended_at=overview.finished_at if status.end_recorded else None,
        operator=metadata.operator,
        run_id=metadata.id,
        version=__version__,
        simulated=metadata.simulated,
        key_numbers=_key_numbers(overview, builder, customer_count),
        statuses=summarize_statuses(
            ((status, overview.counts.statuses[status]) for status in Status), amounts.formatted if amounts else None
        ),
        next_steps=tuple(next_steps),
        page=metadata.settings.page,
        groups=groups,
        other_rows=builder.needing_attention - sum(group.rows for group in groups),
        rows=tuple(builder.rows),
        more_rows=builder.needing_attention - len(builder.rows),
        # What another run took over is not among the failed rows any more.
        more_rows_file="results.csv" if overview.counts.transferred else builder.failed_file,
        failed_file=builder.failed_file,
        reference_header=builder.columns.reference_header,
        files=tuple(ReportFile(name, description) for name, description in _FILES.items() if name in files),
        customers=_name_customers(journal, customers.most_affected(CUSTOMERS_SHOWN)),
        customer_count=customer_count,
        affected_count=affected_count,
        sessions=tuple(sessions),
        earlier_sessions=earlier_sessions,
        events=events[-EVENTS_SHOWN:],
        earlier_events=max(0, len(events) - EVENTS_SHOWN),
        details=run_details(overview, finished_at="" if status.end_recorded else "not known: no end recorded"),
        amounts=amounts.describe() if amounts else "",
    )


def _describe_exit(exit_code: int, journal: JournalReader) -> str:
    if exit_code in {EXIT_INTERRUPTED, EXIT_TERMINATED} and not journal.open_count().rows:
        return "all rows were sent; only the watching of accepted ones was stopped"
    return _EXIT_MEANINGS.get(exit_code, "")


def known_columns(metadata: RunMetadata) -> KnownColumns:
    """Return by which columns people know the rows of a run."""
    reference = reference_column(metadata.header)
    return KnownColumns(
        name_column(metadata), reference, "" if reference is None else metadata.header[reference].strip()
    )


def _events(overview: RunOverview, journal: JournalReader, ended: RunStatus | None) -> tuple[RunEvent, ...]:
    # One more than is shown says that there are more.
    limit = EVENTS_SHOWN + 1
    processes = journal.processes(limit=limit)
    if processes and ended:
        # Its end is recorded when everything else is.
        processes = (*processes[:-1], end_process(processes[-1], ended))
    return run_events(processes, overview.outages, journal.throttle_periods(limit=limit))


def _name_customers(journal: JournalReader, customers: Sequence[CustomerSummary]) -> tuple[CustomerSummary, ...]:
    names = customer_names(journal, [customer.customer_id for customer in customers])
    return tuple(replace(customer, name=names.get(customer.customer_id, "")) for customer in customers)


def run_details(overview: RunOverview, *, finished_at: str = "") -> tuple[tuple[str, str], ...]:
    """Return the known details of a run and its end, as names and values."""
    metadata, status = overview.metadata, overview.status
    amounts = overview.amounts
    achieved, ceiling = overview.pace["achieved_per_minute"], overview.ceiling
    values = {
        "Run": metadata.id,
        "Command": metadata.command,
        "Retry of": metadata.retry_of,
        "Corrected rows of": metadata.settings.corrects,
        "State": status.stop_reason.state.value,
        "Reason": status.stop_reason.reason,
        "Started": metadata.created_at,
        "Finished": finished_at or overview.finished_at,
        "Input": metadata.input_name,
        "Rows": f"{overview.rows:,}",
        "Sum": amounts.describe() if amounts else "",
        "Sum by status": amounts.describe_statuses() if amounts else "",
        "SHA-256 of the input": metadata.input_sha256,
        "Target": overview.target,
        "Tenant": metadata.tenant_id,
        "Operator": metadata.operator,
        "bulkreact": metadata.version,
        "Calls": overview.calls_made,
        "Outages": overview.interruptions,
        "Pace": ceiling if achieved is None else f"{achieved:g}/min, {ceiling}",
    }
    return tuple((name, value) for name, value in values.items() if value)


def _headline(overview: RunOverview, builder: ReportBuilder) -> str:
    rows = overview.rows
    if not rows:
        return "There were no rows"
    if builder.succeeded == rows:
        return "The only row ended well" if rows == 1 else f"All {rows:,} rows ended well"
    return f"{builder.succeeded:,} of {plural(rows, 'row')} ended well"


def _verdict(overview: RunOverview, builder: ReportBuilder) -> str:
    stop_reason = overview.status.stop_reason
    finished = stop_reason.state is RunState.FINISHED
    sentences = [
        "The run is complete" if finished else f"The run was {stop_reason.state}: {stop_reason.reason.rstrip('.')}"
    ]
    if builder.needing_attention:
        sentences.append(f"{plural(builder.needing_attention, 'row')} did not end well")
    if builder.excluded_by_limit:
        sentences.append(f"--limit left {plural(builder.excluded_by_limit, 'row')} out")
    if accepted := overview.counts.statuses[Status.ACCEPTED]:
        sentences.append(f"Accepted is not yet active: {plural(accepted, 'row')}")
    return ". ".join(sentences) + "."


def _severity(state: RunState, needing_attention: int) -> str:
    if state is not RunState.FINISHED:
        return "stopped"
    return "mixed" if needing_attention else "good"


def _key_numbers(overview: RunOverview, builder: ReportBuilder, customer_count: int) -> tuple[tuple[str, str], ...]:
    numbers = {
        "rows": overview.rows,
        "ended well": builder.succeeded,
        "did not end well": builder.needing_attention,
        "left out by --limit": builder.excluded_by_limit,
        "customers": customer_count,
        "calls": overview.calls["sent"],
    }
    return tuple((name, f"{number:,}") for name, number in numbers.items() if number or "limit" not in name)

"""Reads a run's journal and writes its report, and says how many seconds on the processor that took."""

import sys
import time
from pathlib import Path

from bulkreact.batch.journal.customer_counts import CustomerCounts
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.runs.report_content import report_of
from bulkreact.runs.run_status import RunOverview, run_status
from bulkreact.sheets.output import report_html
from bulkreact.sheets.output.report_data import ReportBuilder
from bulkreact.sheets.output.results_csv import RowCounts


def write(folder: Path) -> None:
    """Write the report alone, without the other files of results."""
    builder, counts = ReportBuilder(), RowCounts()
    with JournalReader(folder) as journal, CustomerCounts() as customers:
        for chunk in journal.result_chunks():
            counts.add_chunk(chunk)
            builder.add_chunk(chunk)
            customers.add_chunk(chunk)
        status = run_status(journal.latest_session(), now="2026-03-01T12:00:00.000Z")
        calls, pace = journal.traffic(status.configured_per_minute)
        overview = RunOverview(
            journal.latest_metadata(), status, counts.statuses.total(), counts, calls, pace, outages=journal.outages()
        )
        report = report_of(overview, journal, builder, customers, next_steps=(), files=(), ended=None)
        report_html.write(folder, report)


if __name__ == "__main__":
    began = time.process_time()
    write(Path(sys.argv[1]))
    print(time.process_time() - began)  # noqa: T201 - the figure

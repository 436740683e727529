"""Writes the result files of a run once more, from its journal alone."""

from datetime import datetime
from pathlib import Path

from bulkreact.batch.journal.reading import JournalReader
from bulkreact.runs import store
from bulkreact.runs.result_files import ResultFiles, WrittenResults
from bulkreact.runs.run_record import Run
from bulkreact.runs.run_status import latest_run_status
from bulkreact.timestamps import iso_milliseconds


def write_again(
    run: Run, reports: Path, *, now: datetime, to: Path | None = None, xlsx: bool | None = None
) -> WrittenResults:
    """Write a run's result files from its journal; into another folder without the copy of the newest summary."""
    with JournalReader(run.folder) as journal:
        journal.check()
    return ResultFiles(
        run.folder,
        latest_run_status(run.folder, now=iso_milliseconds(now)),
        reports,
        store.resume_command(run.folder, reports, run.metadata.settings.options),
        to=to or run.folder,
        latest=None if to else store.latest_summary_path(run.folder),
        xlsx=xlsx,
    ).write()

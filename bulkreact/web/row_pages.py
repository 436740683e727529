"""The rows of jobs and of runs, a page at a time."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bulkreact.batch.journal.kept_rows import KeptRows
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.batch.journal.row_pages import RowFilter, RowProblem
from bulkreact.errors import JournalUnreadableError
from bulkreact.models import Status
from bulkreact.sheets.output.results_xlsx import failed_file_in
from bulkreact.sheets.reference_column import reference_column
from bulkreact.web.file_checks import result_of
from bulkreact.web.jobs import WebJob
from bulkreact.web.page_request import LARGEST, Visit
from bulkreact.web.refusals import bad_field
from bulkreact.web.row_views import checked_row, result_row
from bulkreact.web.site import Site
from bulkreact.web.views import Document

_PER_PAGE, _MOST_PER_PAGE = 50, 500
_BEFORE_RUN = ("problems", "sent", "duplicates", "all")
_AFTER_RUN: dict[str, bool | None] = {"all": None, "attention": False, "well": True}


async def job_rows(site: Site, visit: Visit, job: WebJob, *, show: str = "all") -> Document:
    """Return a page of the rows of a job: of its run, or of its file before there is one."""
    if job.run_id and (site.settings.reports / job.run_id).is_dir():
        folder = site.folders.version(job.number, job.version)
        return await run_rows(site, visit, job.run_id, show=show, checked_in=folder, job=job)
    if job.retry_of and (parent := await asyncio.to_thread(site.store.job, job.retry_of)):
        # Until its own run is there it has the rows of the other one.
        return await run_rows(site, visit, parent.run_id or "", show="attention", job=job)
    return await _checked_rows(site, visit, job)


async def run_rows(
    site: Site,
    visit: Visit,
    run_id: str,
    *,
    show: str = "all",
    checked_in: Path | None = None,
    job: WebJob | None = None,
) -> Document:
    """Return a page of the rows of a run; ``show`` is what the address does not say.

    What is wrong with cells is in the folder where the file was checked. Advice is in the words of a terminal, or in those
    of the page of a ``job``.
    """
    show = visit.query("show") or show
    if show not in _AFTER_RUN:
        raise bad_field("show", f"show is one of: {', '.join(_AFTER_RUN)}.")
    after, per = keyset(visit)
    customer = visit.query("customer").lower()
    row_filter = RowFilter(visit.query("status"), visit.query("code"), customer, visit.query("q"), _AFTER_RUN[show])

    def read() -> tuple[list[tuple[int, Document]], str]:
        folder = site.settings.reports / run_id
        with JournalReader(folder) as journal:
            header = journal.metadata.header
            page = journal.result_page(row_filter, after=after, limit=per + 1)
        failed_file = failed_file_in(folder)
        problems = _problems(checked_in, [row.ordinal for row in page if row.result.outcome.status is Status.INVALID])
        rows = [(row.ordinal, result_row(row, header, failed_file, problems.get(row.ordinal, ()), job)) for row in page]
        reference = reference_column(header)
        return rows, "" if reference is None else header[reference]

    rows, reference = list[tuple[int, Document]](), ""
    with suppress(JournalUnreadableError, OSError):
        rows, reference = await asyncio.to_thread(read)
    return _page(visit, rows, per, show, tuple(_AFTER_RUN)) | {"reference": reference}


def keyset(visit: Visit, default: int = _PER_PAGE) -> tuple[int, int]:
    """Return after which row a page begins, and how many rows it has."""
    return visit.number("after", default=0, most=LARGEST), parse_per(visit, default)


def parse_per(visit: Visit, default: int = _PER_PAGE) -> int:
    """Return how many lines a page has."""
    per = visit.number("per", default=default, most=_MOST_PER_PAGE)
    if per < 1:
        raise bad_field("per", f"per is a number from 1 to {_MOST_PER_PAGE}.")
    return per


async def _checked_rows(site: Site, visit: Visit, job: WebJob) -> Document:
    show = visit.query("show") or "problems"
    if show not in _BEFORE_RUN:
        raise bad_field("show", f"show is one of: {', '.join(_BEFORE_RUN)}.")
    after, per = keyset(visit)
    values = {"code": visit.query("code"), "customer": visit.query("customer").lower(), "text": visit.query("q")}

    def read() -> list[tuple[int, Document]]:
        result = result_of(site.store.versions(job.number)[-1])
        if result is None:
            return []
        with KeptRows(site.folders.version(job.number, job.version)) as rows:
            page = rows.page(show, **values, after=after, limit=per + 1)
        return [(row.ordinal, checked_row(row, result.plan)) for row in page]

    return _page(visit, await asyncio.to_thread(read), per, show, _BEFORE_RUN)


def _problems(checked_in: Path | None, ordinals: Sequence[int]) -> dict[int, tuple[RowProblem, ...]]:
    if checked_in and ordinals:
        # A retry was never checked.
        with suppress(JournalUnreadableError), KeptRows(checked_in) as rows:
            return {ordinal: rows.problems_of(ordinal) for ordinal in ordinals}
    return {}


def _page(visit: Visit, rows: Sequence[tuple[int, Document]], per: int, show: str, shows: Sequence[str]) -> Document:
    shown = rows[:per]
    return {
        "rows": [document for _, document in shown],
        "next": shown[-1][0] if len(rows) > per else None,
        "show": show,
        "shows": shows,
        "has_run": "attention" in shows,
        "query": {name: visit.query(name) for name in ("status", "code", "customer", "q", "per")},
    }

"""The history: jobs, and runs of the reports folder made elsewhere."""

import asyncio
from itertools import islice

from aiohttp import web
from msgspec import Struct

from bulkreact.runs.history import summarize
from bulkreact.runs.index import list_newest_runs
from bulkreact.runs.index_file import Facts
from bulkreact.runs.run_record import Run
from bulkreact.web.file_checks import result_of
from bulkreact.web.history import FILTERS, HistoryFilter, HistoryKey, parse_filter
from bulkreact.web.job_pages import html
from bulkreact.web.jobs import JobState, WebJob
from bulkreact.web.page_request import Visit, json_response, wants_json
from bulkreact.web.row_pages import parse_per
from bulkreact.web.run_numbers import ProcessReport
from bulkreact.web.site import Site
from bulkreact.web.views import Document, job_summary


class HistoryLine(Struct, frozen=True):
    """A job, or a run that the page did not make."""

    key: HistoryKey
    document: Document
    job: WebJob | None = None


async def list_jobs(site: Site, visit: Visit) -> web.StreamResponse:
    """Show the history, a page at a time; programs get the jobs alone."""
    query = {name: visit.query(name) for name in (*FILTERS, "after")}
    wanted, per = parse_filter(query, site.settings.time_zone), parse_per(visit)
    as_json = wants_json(visit.request, site.base)
    lines = await asyncio.to_thread(_jobs, site, wanted, per + 1)
    if not as_json:
        lines += await asyncio.to_thread(_runs, site, wanted, per + 1)
        lines.sort(key=lambda line: line.key, reverse=True)
    shown = lines[:per]
    following = str(shown[-1].key) if len(lines) > per else None
    if as_json:
        documents = [line.document | await _counts(site, line.job) for line in shown]
        return json_response({"jobs": documents, "next": following})
    states = list(JobState)
    return html(
        site.pages.render("history", visit.session, lines=shown, query=query, next=following, states=states, per=per)
    )


def _jobs(site: Site, wanted: HistoryFilter, limit: int) -> list[HistoryLine]:
    return [_job_line(site, job) for job in site.store.find_jobs(wanted, limit)]


def _job_line(site: Site, job: WebJob) -> HistoryLine:
    result = result_of(site.store.version(job.number, job.version))
    document = job_summary(job, result.plan.rows if result else None)
    return HistoryLine(HistoryKey(job.created_at, job.number), document, job)


def _runs(site: Site, wanted: HistoryFilter, limit: int) -> list[HistoryLine]:
    ours = site.store.run_ids()

    def may_be_wanted(facts: Facts) -> bool:
        key = HistoryKey(facts.created_at, run=facts.name)
        return facts.name not in ours and wanted.may_have_run(key, facts.input_name, is_open=bool(facts.is_open))

    lines = (
        _run_line(run)
        for run in list_newest_runs(site.settings.reports, may_be_wanted)
        if run.metadata.id not in ours and wanted.has_run(_key_of(run), run.metadata.input_name, run.metadata.operator)
    )
    return list(islice((line for line in lines if wanted.state in {"", line.document["state"]}), limit))


def _key_of(run: Run) -> HistoryKey:
    return HistoryKey(run.created_at, run=run.metadata.id)


def _run_line(run: Run) -> HistoryLine:
    metadata, summary = run.metadata, summarize(run)
    document: Document = {
        "state": summary.state,
        "name": metadata.input_name,
        "by": {"name": metadata.operator},
        "rows": summary.rows,
        "created_at": run.created_at,
    }
    return HistoryLine(_key_of(run), document)


async def _counts(site: Site, job: WebJob | None) -> Document:
    numbers = await site.numbers(job, ProcessReport()) if job else None
    return {"well": numbers.well, "attention": numbers.attention} if numbers else {}

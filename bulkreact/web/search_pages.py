"""The pages and actions of searches: what could be reactivated, and a job of what was chosen of it."""

import asyncio
import re
import secrets
from hashlib import file_digest

from aiohttp import web
from msgspec import to_builtins

from bulkreact.batch.discovery.listing import GONE
from bulkreact.guids import canonical_guid
from bulkreact.models import Discovered
from bulkreact.timestamps import iso_milliseconds
from bulkreact.web import run_watch
from bulkreact.web.found_rows import is_urgent, read_found, write_chosen
from bulkreact.web.job_actions import add_job, refuse_many
from bulkreact.web.job_pages import html
from bulkreact.web.page_request import Visit, json_response, wants_json
from bulkreact.web.refusals import RequestRefusedError, bad_field, unknown
from bulkreact.web.row_pages import keyset
from bulkreact.web.search_records import Search, SearchState
from bulkreact.web.site import Site
from bulkreact.web.texts import KINDS
from bulkreact.web.uploads import ReceivedFile
from bulkreact.web.views import Document
from bulkreact.wording import describe_error

_TEXT = 16_000
_NO_ID = (
    "a customer's id is that of their tenant, a GUID. To find a customer by name, leave the field empty, and look for the "
    "name in what was found."
)
_STATUSES = 20
_PER_PAGE = 100
_ROW = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
_LATELY = 20
_POLL_MILLISECONDS = 1000


async def show_find(site: Site, visit: Visit) -> web.StreamResponse:
    """Show the form of a search, and the latest ones."""
    searches = await asyncio.to_thread(site.searches.records.newest)
    return html(site.pages.render("find", visit.session, searches=searches[:_LATELY]))


async def find(site: Site, visit: Visit) -> tuple[int, str]:
    """Search for what could be reactivated."""
    form, now = visit.form, iso_milliseconds(site.now())
    kind = form.get("kind") or "auto"
    if kind not in KINDS:
        raise bad_field("kind", f"kind is one of: {', '.join(KINDS)}.")
    site.searches.refuse_long_line()
    search = Search(
        number=0,
        state=SearchState.SEARCHING,
        target=site.settings.target,
        kind=kind,
        statuses=_statuses(visit),
        customers=_customers(visit),
        by_id=visit.person.id,
        by_name=visit.person.name,
        created_at=now,
        changed_at=now,
        form_id=visit.pending.form_id if visit.pending else "",
    )
    search = await asyncio.to_thread(site.searches.records.add, search)
    site.searches.begin(search)
    return 201, f"{site.base}/find/{search.number}"


async def show_search(site: Site, visit: Visit) -> web.StreamResponse:
    """Show how far a search is, and a page of what it has found."""
    search = await _search(site, visit)
    after, per = keyset(visit, default=_PER_PAGE)
    path = site.searches.records.found(search.number)
    has_rows = not search.is_open and path.exists()
    found = await asyncio.to_thread(lambda: list(read_found(path, after=after, limit=per + 1))) if has_rows else []
    rows = [_row(number, row) | {"urgent": is_urgent(row, site.now())} for number, row in found[:per]]
    document = to_builtins(search) | {
        "simulated": search.target == "simulated",
        "by": {"id": search.by_id, "name": search.by_name},
        "rows": rows,
        "next": found[per - 1][0] if len(found) > per else None,
    }
    # Of one person's form: it concerns nobody else.
    del document["form_id"]
    if wants_json(visit.request, site.base):
        return json_response(document)
    live = await _live(site, search) if search.is_open else None
    is_ours = search.target == site.settings.target
    values = {"search": search, "live": live, "document": document, "is_ours": is_ours}
    return html(site.pages.render("found", visit.session, per=per, gone=GONE, **values))


async def show_live(site: Site, visit: Visit) -> web.StreamResponse:
    """Return how far a search is."""
    return json_response(await _live(site, await _search(site, visit)))


async def stop(site: Site, visit: Visit) -> tuple[int, str]:
    """Stop a search; what it has found is kept."""
    search = await _own_search(site, visit, to_stop=True)
    await site.searches.stop(search.number)
    return 200, f"{site.base}/find/{search.number}"


async def make_job(site: Site, visit: Visit) -> tuple[int, str]:
    """Make a job of the rows that were chosen, as if their file had been uploaded."""
    search = await _own_search(site, visit, to_stop=False)
    chosen = None if visit.form.get("all") == "yes" else _chosen(visit, search.found.rows)
    await asyncio.to_thread(refuse_many, site, visit.person.id)
    with site.checks.admission():
        file = await asyncio.to_thread(_write_file, site, search, chosen)
        job = await add_job(site, visit, file, kind=search.kind, note=f"Found by search {search.number}")
    return 201, f"{site.base}/jobs/{job.number}"


async def _search(site: Site, visit: Visit) -> Search:
    number = int(visit.request.match_info["search"])
    search = await asyncio.to_thread(site.searches.records.find, number)
    if search is None:
        raise unknown(f"Search {number}")
    return search


async def _own_search(site: Site, visit: Visit, *, to_stop: bool) -> Search:
    """Return a search of this server's target that can be stopped, or was, or one that has found something."""
    search = await _search(site, visit)
    is_possible = not search.is_open and search.found.rows
    if to_stop:
        is_possible = search.is_open or search.state is SearchState.STOPPED
    if not is_possible or search.target != site.settings.target:
        raise RequestRefusedError(
            "wrong-state", f"Search {search.number} is {search.state}: that cannot be done with it now."
        )
    return search


def _statuses(visit: Visit) -> tuple[str, ...]:
    given = ",".join(visit.form.fields.get("status", ()))
    statuses = tuple(filter(None, map(str.strip, given.split(","))))
    if len(given) > _TEXT or len(statuses) > _STATUSES or not given.isprintable():
        raise bad_field("status", f"status has at most {_STATUSES} words with commas between them.")
    return statuses


def _customers(visit: Visit) -> tuple[str, ...]:
    given = visit.form.text("customers", _TEXT).replace(",", " ").replace(";", " ").split()
    for text in given:
        if not canonical_guid(text):
            raise bad_field("customers", f"{text[:50]} is no id: {_NO_ID}")
    return tuple(dict.fromkeys(map(canonical_guid, given)))


def _chosen(visit: Visit, rows: int) -> frozenset[int]:
    given = set(visit.form.fields.get("row", ()))
    chosen = frozenset(int(text) for text in given if _ROW.fullmatch(text))
    if not given or len(chosen) < len(given) or max(chosen) > rows:
        raise bad_field("row", "Tick at least one of the rows that were found.")
    return chosen


def _write_file(site: Site, search: Search, chosen: frozenset[int] | None) -> ReceivedFile:
    path = site.folders.incoming / secrets.token_hex(8)
    try:
        write_chosen(site.searches.records.found(search.number), path, chosen)
    except OSError as error:
        raise RequestRefusedError("read-only", f"The file cannot be kept: {describe_error(error)}.") from error
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    name = f"found-{search.number}.csv"
    return ReceivedFile(path, name, name, path.stat().st_size, digest)


def _row(number: int, row: Discovered) -> Document:
    cells = to_builtins(row)
    names = {"customer": "customer_id", "subscription": "subscription_id", "entitlement": "entitlement_id"}
    return {"row": number, "cells": cells, **{name: cells[column] for name, column in names.items()}}


async def _live(site: Site, search: Search) -> Document:
    """Return what the script shows of a search: its customers are what of a run are its rows."""
    report = await asyncio.to_thread(run_watch.read_report, site.searches.records.control(search.number))
    before = site.searches.waits_for(search.number)
    waits_for = f"Search {before} must end first." if before else report.message if report.phase == "waiting" else None
    settled, total = report.settled, report.total or 0
    return {
        "number": search.number,
        "state": search.state.value,
        "rows": total,
        "settled": settled,
        "attention": report.failures,
        "counts": {},
        "reasons": [],
        "pace": {"per_minute": report.per_minute, "ceiling": None},
        "waiting": to_builtins(report.waiting),
        "ends_about": None,
        "queue": {"position": None, "waits_for": waits_for} if waits_for else None,
        "waits": waits_for or "",
        "said": f"{settled:,} of {total:,} customers are read." if total else "The list of customers is being read.",
        "poll_ms": _POLL_MILLISECONDS,
    }
